package window

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

// texts are a service's masked error texts of a minute, by hash.
type texts struct{ byHash map[uint64]*text }

type text struct {
	message string
	count   uint64
	dirty   bool
}

func (s *Set) errorWindow(start int64) *slot[*texts] {
	w, ok := s.errors[start]
	if !ok {
		w = &slot[*texts]{services: map[string]*texts{}}
		s.errors[start] = w
	}
	return w
}

func (s *Set) foldError(rec *logrec.Record) {
	s.scratch = mask(s.scratch[:0], strings.ToValidUTF8(rec.Message[:min(len(rec.Message), maxMasked)], ""))
	w := s.errorWindow(startOf(rec.Timestamp, ErrorSeconds))
	w.dirty = true
	t := s.textsOf(w, rec.Service)
	hash := textHash(s.scratch)
	if _, known := t.byHash[hash]; !known && len(t.byHash) >= maxTexts {
		s.scratch = append(s.scratch[:0], OtherText...)
		hash = textHash(s.scratch)
	}
	s.text(t, hash, s.scratch).add(1)
}

func (s *Set) mergeError(e ErrorRow) {
	t := s.textsOf(s.errorWindow(e.Start), e.Service)
	s.text(t, e.Hash, []byte(e.Message)).count += e.Count
}

func (s *Set) textsOf(w *slot[*texts], service string) *texts {
	t, ok := w.services[service]
	if !ok {
		t = &texts{byHash: map[uint64]*text{}}
		w.services[strings.Clone(service)] = t
	}
	return t
}

func (s *Set) text(t *texts, hash uint64, message []byte) *text {
	x, ok := t.byHash[hash]
	if !ok {
		x = &text{message: string(message)}
		t.byHash[hash] = x
		s.cells++
	}
	return x
}

func (x *text) add(n uint64) {
	x.count += n
	x.dirty = true
}

func (t *texts) clean() {
	for _, x := range t.byHash {
		x.dirty = false
	}
}

func textsIn(w *slot[*texts]) (n int) {
	for _, t := range w.services {
		n += len(t.byHash)
	}
	return n
}

func changedTexts(rows []ErrorRow, start int64, w *slot[*texts]) []ErrorRow {
	for _, service := range slices.Sorted(maps.Keys(w.services)) {
		t := w.services[service]
		for _, hash := range slices.Sorted(maps.Keys(t.byHash)) {
			if x := t.byHash[hash]; x.dirty {
				rows = append(rows, ErrorRow{Start: start, Service: service, Hash: hash, Message: x.message, Count: x.count})
			}
		}
	}
	return rows
}
