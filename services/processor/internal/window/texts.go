package window

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// texts are how often a service's masked error texts came in a minute.
type texts map[string]*uint64

func (s *Set) errorWindow(start int64) *slot[texts] {
	w, ok := s.errors[start]
	if !ok {
		w = &slot[texts]{services: map[string]texts{}}
		s.errors[start] = w
	}
	return w
}

func (s *Set) foldError(rec *logrec.Record) {
	s.scratch = mask(s.scratch[:0], strings.ToValidUTF8(rec.Message[:min(len(rec.Message), maxMasked)], ""))
	w := s.errorWindow(startOf(rec.Timestamp, ErrorSeconds))
	w.dirty = true
	t := textsOf(w, rec.Service)
	if _, known := t[string(s.scratch)]; !known && len(t) >= maxTexts {
		s.scratch = append(s.scratch[:0], OtherText...)
	}
	*s.text(t, s.scratch)++
}

func (s *Set) mergeError(start int64, x *counts.Text) {
	*s.text(textsOf(s.errorWindow(start), x.Service), []byte(x.Message)) += x.Lines
}

func textsOf(w *slot[texts], service string) texts {
	t, ok := w.services[service]
	if !ok {
		t = texts{}
		w.services[strings.Clone(service)] = t
	}
	return t
}

func (s *Set) text(t texts, message []byte) *uint64 {
	n, ok := t[string(message)]
	if !ok {
		n = new(uint64)
		t[string(message)] = n
		s.cells++
	}
	return n
}

func countTexts(w *slot[texts]) (n int) {
	for _, t := range w.services {
		n += len(t)
	}
	return n
}

func allTexts(w *slot[texts]) (out []counts.Text) {
	for _, service := range slices.Sorted(maps.Keys(w.services)) {
		t := w.services[service]
		for _, message := range slices.Sorted(maps.Keys(t)) {
			out = append(out, counts.Text{Service: service, Message: message, Lines: *t[message]})
		}
	}
	return out
}
