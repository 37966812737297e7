package expr

import "slices"

// automaton finds which of many texts occur in another, in one pass (Aho and Corasick, 1975). Bytes that stand in none of the texts are one class
// of byte, which keeps the table small.
type automaton struct {
	class   [256]uint8
	classes int32
	next    []int32 // state × class
	ends    []int32 // of each state, the text that ends there, −1 for none
	shorter []int32 // of each state, the next state on the way of failures at which a text ends, 0 for none
}

// newAutomaton builds the automaton of texts, none of which is empty; a text's number is its place.
func newAutomaton(texts []string) *automaton {
	a := &automaton{classes: 1}
	for _, t := range texts {
		for i := range len(t) {
			if a.class[t[i]] == 0 && a.classes < 256 { // the 256th takes class 0 as well: it is alone there then
				a.class[t[i]] = uint8(a.classes)
				a.classes++
			}
		}
	}
	a.state()
	for k, t := range texts {
		s := int32(0)
		for i := range len(t) {
			at := s*a.classes + int32(a.class[t[i]])
			if a.next[at] == 0 {
				child := a.state() // moves next
				a.next[at] = child
			}
			s = a.next[at]
		}
		a.ends[s] = int32(k)
	}
	a.complete()
	return a
}

func (a *automaton) state() int32 {
	a.next = append(a.next, make([]int32, a.classes)...)
	a.ends, a.shorter = append(a.ends, -1), append(a.shorter, 0)
	return int32(len(a.ends) - 1)
}

// complete gives every state a transition for every class, in the order of the states' distance from the start.
func (a *automaton) complete() {
	fail := make([]int32, len(a.ends))
	queue := slices.DeleteFunc(slices.Clone(a.next[:a.classes]), func(s int32) bool { return s == 0 })
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		f := fail[s]
		if a.shorter[s] = a.shorter[f]; a.ends[f] >= 0 {
			a.shorter[s] = f
		}
		for c := range a.classes {
			at, otherwise := s*a.classes+c, a.next[f*a.classes+c]
			if child := a.next[at]; child != 0 {
				fail[child] = otherwise
				queue = append(queue, child)
			} else {
				a.next[at] = otherwise
			}
		}
	}
}

// find calls f with the number of each text that occurs in s, as often as it does.
func (a *automaton) find(s string, f func(text int32)) {
	state := int32(0)
	for i := range len(s) {
		state = a.next[state*a.classes+int32(a.class[s[i]])]
		at := state
		if a.ends[at] < 0 {
			at = a.shorter[at]
		}
		for ; at != 0; at = a.shorter[at] {
			f(a.ends[at])
		}
	}
}
