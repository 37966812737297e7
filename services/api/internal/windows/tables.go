package windows

import "slices"

// tables number the names of services and the texts of errors. They only grow; a Set keeps them as they were when it was made.
type tables struct {
	names   []string
	texts   []text
	byName  map[string]uint32
	byText  map[text]uint32
	checked int // how many texts there were when it was last looked for those in use
}

func newTables() *tables { return &tables{byName: map[string]uint32{}, byText: map[text]uint32{}} }

func (t *tables) name(s string) uint32 {
	n, ok := t.byName[s]
	if !ok {
		n = uint32(len(t.names))
		t.names = append(t.names, s)
		t.byName[s] = n
	}
	return n
}

func (t *tables) text(service, message string) uint32 {
	x := text{t.name(service), message}
	n, ok := t.byText[x]
	if !ok {
		n = uint32(len(t.texts))
		t.texts = append(t.texts, x)
		t.byText[x] = n
	}
	return n
}

// wasteful tells, now and then, whether most texts are not in use any more.
func (t *tables) wasteful(s *Set) bool {
	if len(t.texts) < max(fewTexts, 2*t.checked) {
		return false
	}
	t.checked = len(t.texts)
	used := make([]bool, len(t.texts))
	for i := range s.parts {
		for _, c := range s.parts[i].minutes {
			for _, e := range c.errors {
				used[e.text] = true
			}
		}
	}
	return 2*len(slices.DeleteFunc(used, func(u bool) bool { return !u })) < len(t.texts)
}
