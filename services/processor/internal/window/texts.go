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

// foldError counts a record's text in its minute, and in its hour.
func (s *Set) foldError(rec *logrec.Record, hours bool) {
	s.scratch = mask(s.scratch[:0], strings.ToValidUTF8(rec.Message[:min(len(rec.Message), maxMasked)], ""))
	s.count(slotOf(s.errors, startOf(rec.Timestamp, ErrorSeconds)), rec.Service, maxTexts)
	if hours {
		s.count(slotOf(s.hourErrors, startOf(rec.Timestamp, HourSeconds)), rec.Service, maxHourTexts)
	}
}

// count counts the masked text in hand.
func (s *Set) count(w *slot[texts], service string, limit int) {
	w.dirty = true
	t, message := textsOf(w, service), s.scratch
	if _, known := t[string(message)]; !known && len(t) >= limit {
		message = []byte(OtherText)
	}
	*s.text(t, message)++
}

func (s *Set) mergeErrors(slots map[int64]*slot[texts], found []ErrorWindow) {
	for _, w := range found {
		for i := range w.Texts {
			x := &w.Texts[i]
			*s.text(textsOf(slotOf(slots, w.Start), x.Service), []byte(x.Message)) += x.Lines
		}
	}
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
