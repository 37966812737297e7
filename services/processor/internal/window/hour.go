package window

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// Hour is a row of service_hour: all that a service said in an hour.
type Hour struct {
	Start       int64 // s since the epoch, a multiple of HourSeconds
	Service     string
	Last        int64                         // when its last window begins, s
	Levels      [logrec.LevelFatal + 1]uint64 // lines by level
	Bytes       uint64                        // of message text
	Unevaluated uint64                        // lines without eval_time
	Status      [5]uint64
	Times       counts.Times
}

// Lines of all levels.
func (h *Hour) Lines() (n uint64) {
	for _, v := range h.Levels {
		n += v
	}
	return n
}

// hour is an hour of a service that is being counted. It has its own samples: what a window has in its row is not known to be new.
type hour struct {
	row     Hour
	samples []float64 // response times that are not in the row yet, ms
	dirty   bool
}

func (h *hour) add(rec *logrec.Record, window int64) {
	h.dirty = true
	r := &h.row
	r.Levels[min(rec.Level, logrec.LevelFatal)]++
	r.Bytes += uint64(len(rec.Message))
	if rec.EvalTime == 0 {
		r.Unevaluated++
	}
	if class := rec.ResponseStatus / 100; class >= 1 && class <= 5 {
		r.Status[class-1]++
	}
	r.Last = max(r.Last, window)
	if rec.HasResponseTime {
		if h.samples = append(h.samples, rec.ResponseTimeMS); len(h.samples) >= maxSamples {
			h.settle()
		}
	}
}

func (h *hour) settle() {
	h.row.Times.Observe(h.samples)
	h.samples = h.samples[:0]
}

// merge adds what MySQL has.
func (h *hour) merge(o *Hour) {
	r := &h.row
	for i, n := range o.Levels {
		r.Levels[i] += n
	}
	for i, n := range o.Status {
		r.Status[i] += n
	}
	r.Bytes, r.Unevaluated, r.Last = r.Bytes+o.Bytes, r.Unevaluated+o.Unevaluated, max(r.Last, o.Last)
	r.Times.Add(&o.Times)
}

// hour is a service's in the hour of a moment, s.
func (s *Set) hour(w *slot[*hour], at int64, service string) *hour {
	h, ok := w.services[service]
	if !ok {
		h = &hour{row: Hour{Start: startOf(at*nsPerSecond, HourSeconds), Service: strings.Clone(service), Last: at}}
		w.services[h.row.Service] = h
		s.cells++
	}
	return h
}

// changedHours are the rows of the services that changed: a row each, not the whole hour.
func changedHours(w *slot[*hour]) (rows []Hour) {
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		if h := w.services[name]; h.dirty {
			h.settle()
			rows = append(rows, h.row)
		}
	}
	return rows
}
