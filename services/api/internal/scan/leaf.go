package scan

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
)

// textLeaf is a predicate on a text column.
type textLeaf struct {
	column    string
	attribute string // the attribute's name, "" for a column of ours
	m         matcher
	price     int
	services  []bool   // of each service, whether it matches; nil for other columns
	all       []string // tokens that a block with a match has, all of them
	any       []string // and one of these
}

func (l *textLeaf) cost() int { return l.price }

func (l *textLeaf) prune(b *Block) (some, all bool) {
	if l.services != nil {
		if len(b.Services) == 0 { // not known
			return true, false
		}
		all = true
		for _, s := range b.Services {
			match := int(s) < len(l.services) && l.services[s]
			some, all = some || match, all && match
		}
		return some, all
	}
	for _, t := range l.all {
		if !block.MayContain(b.Filter, t) {
			return false, false
		}
	}
	for _, t := range l.any {
		if block.MayContain(b.Filter, t) {
			return true, false
		}
	}
	return len(l.any) == 0, false
}

func (l *textLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	if v, ok := x.view.(Parted); ok && len(l.all) > 0 {
		return x.parted(v, l, cand)
	}
	c, err := x.view.Column(l.column)
	if err != nil {
		return nil, err
	}
	if c != nil {
		return x.texts(c, l.m, cand), nil
	}
	if l.attribute != "" {
		return x.rest(l.attribute, l.m, cand)
	}
	return x.bitmap(), nil
}

// parted searches the parts of a column that have all words that a match has.
func (x *exec) parted(v Parted, l *textLeaf, cand Bitmap) (Bitmap, error) {
	p := v.Parts(l.column)
	if p != nil {
		cand = x.clone(cand)
		defer x.release(cand)
		if p.narrow(l.all, cand); cand.Empty() {
			return x.bitmap(), nil
		}
	}
	c, err := v.Column(l.column)
	if err != nil || c == nil {
		return x.bitmap(), err
	}
	found := x.texts(c, l.m, cand)
	if p == nil && rare(found, cand, x.rows) {
		v.Wish(l.column)
	}
	return found, nil
}

// few: asking so many times fewer rows than there are is cheaper one by one.
const few = 16

// texts is the rows of cand whose text matches.
func (x *exec) texts(c *vector.Column, m matcher, cand Bitmap) Bitmap {
	if c.JSON {
		m = jsonMatcher{m}
	}
	if c.Texts.Width > 0 {
		m = hexOf(m, c.Texts.Width)
	}
	n := c.Texts.Len()
	switch wanted := cand.Count(); {
	case c.Codes.Any() && wanted >= n/2:
		want := make([]uint8, n)
		search(&c.Texts, 0, n, m, func(i int) { want[i] = 1 })
		return x.byCode(c, want, cand)
	case !c.Codes.Any() && c.Valid() == nil && wanted > spanned(cand, n)/few:
		values := x.bitmap()
		for from, to := range spans(cand, n) {
			search(&c.Texts, from, to, m, values.Set)
		}
		values.And(cand)
		return values
	case !c.Codes.Any() && wanted > n/few:
		values := NewBitmap(n)
		search(&c.Texts, 0, n, m, values.Set)
		return x.dense(c, values, cand)
	}
	out := x.bitmap()
	cand.Each(func(row int) {
		i := c.Index(row)
		if i >= 0 && c.Codes.Any() {
			i = c.Codes.At(i)
		}
		if i >= 0 && m.match(c.Texts.Bytes(i)) {
			out.Set(row)
		}
	})
	return out
}

// byCode is the rows of cand whose code is wanted.
func (x *exec) byCode(c *vector.Column, want []uint8, cand Bitmap) Bitmap {
	values := NewBitmap(c.Values())
	switch codes := &c.Codes; {
	case codes.C8 != nil:
		selectCodes(codes.C8, want, values)
	case codes.C16 != nil:
		selectCodes(codes.C16, want, values)
	case codes.C32 != nil:
		selectCodes(codes.C32, want, values)
	default: // without dictionary each value has its own text
		for i, w := range want {
			values[i>>6] |= uint64(w) << (i & 63)
		}
	}
	return x.dense(c, values, cand)
}

func selectCodes[C uint8 | uint16 | uint32](codes []C, want []uint8, out Bitmap) {
	for w := range out {
		v := uint64(0)
		for bit, code := range codes[w<<6 : min(w<<6+64, len(codes))] {
			v |= uint64(want[code]) << bit
		}
		out[w] = v
	}
}

// search calls found with each of the texts [from, to) that matches, in order.
func search(t *vector.Texts, from, to int, m matcher, found func(i int)) {
	if id, ok := m.(equal); ok && t.Width > 0 {
		searchID(t, from, to, string(id), found)
		return
	}
	s, ok := m.(searcher)
	if !ok || len(s.needles()) == 0 || t.Width > 0 {
		for i := from; i < to; i++ {
			if m.match(t.Bytes(i)) {
				found(i)
			}
		}
		return
	}
	needles := s.needles()
	if len(needles) == 1 {
		searchFor(t, from, to, &needles[0], s, found)
		return
	}
	hits := NewBitmap(t.Len())
	for i := range needles {
		searchFor(t, from, to, &needles[i], s, hits.Set)
	}
	hits.Each(found)
}

// searchID looks for an id's bytes in all ids as if they were one.
func searchID(t *vector.Texts, from, to int, id string, found func(i int)) {
	data := t.Data[:to*t.Width]
	for at := from * t.Width; len(id) == t.Width; {
		i := bytes.Index(data[at:], unsafeBytes(id))
		if i < 0 {
			return
		}
		if at += i; at%t.Width == 0 {
			found(at / t.Width)
			at += t.Width
		} else {
			at++
		}
	}
}

// searchFor looks for one needle in texts as if they were one, and asks those in which it is.
func searchFor(t *vector.Texts, from, to int, given *needle, s searcher, found func(i int)) {
	if from == to {
		return
	}
	data, at := t.Data[:int(t.Offsets[to])-t.Gap], int(t.Offsets[from])
	n := given.tuned(data[at:])
	if n.up != n.lo && t.Lacks(n.up) {
		n.up = n.lo // one case to search for
	}
	for text := from; ; {
		if at = n.index(data, at); at < 0 {
			return
		}
		text = seek(t, text, at)
		if end := int(t.Offsets[text+1]) - t.Gap; at < int(t.Offsets[text]) || at+len(n.text) > end { // across a border
			at++
			continue
		}
		if s.exact() || s.match(t.Bytes(text)) {
			found(text)
		}
		text++
		at = int(t.Offsets[text])
		if text == to {
			return
		}
	}
}

// seek is the last text, from i on, that does not begin behind the byte at.
func seek(t *vector.Texts, i, at int) int {
	step := 1
	for i+step < t.Len() && int(t.Offsets[i+step]) <= at {
		i += step
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if i+step < t.Len() && int(t.Offsets[i+step]) <= at {
			i += step
		}
	}
	return i
}

// jsonMatcher asks of a JSON value its text: a string's own, of anything else the JSON.
type jsonMatcher struct{ matcher }

func (j jsonMatcher) match(b []byte) bool { return j.matcher.match(textOf(b)) }

func textOf(b []byte) []byte {
	var s string
	if len(b) == 0 || b[0] != '"' || json.Unmarshal(b, &s) != nil {
		return b
	}
	return []byte(s)
}

// hexOf makes a predicate on hex text one on the bytes that it stands for.
func hexOf(m matcher, width int) matcher {
	var out []string
	switch m := m.(type) {
	case equal:
		out = appendRaw(out, string(m), width)
	case is:
		for s := range m {
			out = appendRaw(out, s, width)
		}
	default:
		return hexMatcher{m}
	}
	return newSet(out)
}

func appendRaw(dst []string, s string, width int) []string {
	if raw, err := hex.DecodeString(s); err == nil && len(raw) == width && s == strings.ToLower(s) {
		dst = append(dst, string(raw))
	}
	return dst
}

type hexMatcher struct{ matcher }

func (h hexMatcher) match(b []byte) bool {
	var buf [128]byte
	return h.matcher.match(hex.AppendEncode(buf[:0], b))
}

// rest asks attributes that have no column of their own: they share one of JSON objects.
func (x *exec) rest(name string, m matcher, cand Bitmap) (Bitmap, error) {
	out := x.bitmap()
	c, err := x.view.Column(block.RestColumn)
	if err != nil || c == nil {
		return out, err
	}
	key, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	key = append(key, ':')
	cand.Each(func(row int) {
		object, ok := c.Text(row)
		if !ok || !strings.Contains(object, unsafeString(key)) {
			return
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(unsafeBytes(object), &fields) != nil {
			return
		}
		if v, ok := fields[name]; ok && m.match(textOf(v)) {
			out.Set(row)
		}
	})
	return out, nil
}

// always is a matcher of everything.
type always struct{}

func (always) match([]byte) bool { return true }

// hasLeaf is the rows that have a value in a column.
type hasLeaf struct{ column, attribute string }

func existsLeaf(f query.Field) node {
	switch {
	case f.Attribute:
		return &hasLeaf{block.AttributePrefix + f.Name, f.Name}
	case f.Kind() == query.KindMessage, f.Kind() == query.KindLevel, f.Kind() == query.KindTime, f.Kind() == query.KindID, f.Name == "service":
		return allNode{}
	}
	return &hasLeaf{column: f.Name}
}

func (l *hasLeaf) prune(*Block) (bool, bool) { return true, false }
func (l *hasLeaf) cost() int                 { return costCodes }

func (l *hasLeaf) run(x *exec, cand Bitmap) (Bitmap, error) {
	c, err := x.view.Column(l.column)
	switch {
	case err != nil:
		return nil, err
	case c == nil && l.attribute != "":
		return x.rest(l.attribute, always{}, cand)
	case c == nil:
		return x.bitmap(), nil
	}
	out := x.clone(cand)
	if v := c.Valid(); v != nil {
		out.And(v)
	}
	return out, nil
}
