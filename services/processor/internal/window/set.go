// Package window counts records into windows: 10 s by service and level, and a minute's top error texts by service. It is a pure fold;
// the rows that it makes are absolute values, so that writing them twice is harmless.
package window

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/logrec"
)

const nsPerSecond = 1_000_000_000

// ErrorRow is one row of error_window.
type ErrorRow struct {
	Start   int64 // s since the epoch, a multiple of ErrorSeconds
	Service string
	Hash    uint64 // of Message
	Message string // masked
	Count   uint64
}

// Set holds a partition's windows that are being counted. A window that the set has not seen before may have rows in MySQL:
// Missing names those, and Load adds what they hold, before Changed may be asked. Not safe for concurrent use.
type Set struct {
	windows map[int64]*slot[levels]
	errors  map[int64]*slot[*texts]
	cells   int
	scratch []byte
}

// slot is everything of one window start.
type slot[T any] struct {
	services map[string]T
	loaded   bool // MySQL's rows are in it
	dirty    bool
	idle     int // writes since it last changed
}

// levels are a service's cells, by level.
type levels = *[logrec.LevelFatal + 1]*cell

// NewSet makes an empty set.
func NewSet() *Set {
	return &Set{windows: map[int64]*slot[levels]{}, errors: map[int64]*slot[*texts]{}}
}

// Cells counts what the set holds; past MaxCells it is time to write.
func (s *Set) Cells() int { return s.cells }

// Fold counts recs. It keeps no string of theirs. Records in the order of time are cheapest.
func (s *Set) Fold(recs []logrec.Record) {
	var (
		at      int64
		current *slot[levels]
		service string
		cells   levels
	)
	for i := range recs {
		rec := &recs[i]
		start := startOf(rec.Timestamp, Seconds)
		if current == nil || start != at {
			at, current, cells = start, s.window(start), nil
			current.dirty = true
		}
		if cells == nil || rec.Service != service {
			service, cells = rec.Service, s.service(current, rec.Service)
		}
		s.cell(cells, start, rec.Service, rec.Level).add(rec)
		if rec.Level >= logrec.LevelError {
			s.foldError(rec)
		}
	}
}

func (s *Set) window(start int64) *slot[levels] {
	w, ok := s.windows[start]
	if !ok {
		w = &slot[levels]{services: map[string]levels{}}
		s.windows[start] = w
	}
	return w
}

func (s *Set) service(w *slot[levels], name string) levels {
	c, ok := w.services[name]
	if !ok {
		c = levels(new([logrec.LevelFatal + 1]*cell))
		w.services[strings.Clone(name)] = c
	}
	return c
}

func (s *Set) cell(cells levels, start int64, service string, level logrec.Level) *cell {
	level = min(level, logrec.LevelFatal)
	c := cells[level]
	if c == nil {
		c = &cell{row: Row{Start: start, Service: strings.Clone(service), Level: level}}
		cells[level] = c
		s.cells++
	}
	return c
}

// Missing names the windows and error windows (starts, s) that have changed and whose rows in MySQL are not loaded.
func (s *Set) Missing() (windows, errors []int64) { return missing(s.windows), missing(s.errors) }

func missing[T any](slots map[int64]*slot[T]) []int64 {
	var starts []int64
	for start, w := range slots {
		if w.dirty && !w.loaded {
			starts = append(starts, start)
		}
	}
	slices.Sort(starts)
	return starts
}

// Load adds the rows that MySQL has for the given starts, which Missing named. Starts without rows are new windows. damaged counts
// sketches that could not be read: those windows keep their counts and start their percentiles anew.
func (s *Set) Load(windows []int64, rows []Row, errors []int64, texts []ErrorRow) (damaged int) {
	for _, r := range rows {
		cells := s.service(s.window(r.Start), r.Service)
		if err := s.cell(cells, r.Start, r.Service, r.Level).merge(r); err != nil {
			damaged++
		}
	}
	for _, e := range texts {
		s.mergeError(e)
	}
	for _, start := range windows {
		s.window(start).loaded = true
	}
	for _, start := range errors {
		s.errorWindow(start).loaded = true
	}
	return damaged
}

// Changed is what has to be written: the rows that changed since Written, sorted by key. All that Missing names must be loaded.
func (s *Set) Changed() (rows []Row, errors []ErrorRow, err error) {
	for _, start := range slices.Sorted(maps.Keys(s.windows)) {
		w := s.windows[start]
		if !w.dirty {
			continue
		}
		if rows, err = changedCells(rows, w); err != nil {
			return nil, nil, err
		}
	}
	for _, start := range slices.Sorted(maps.Keys(s.errors)) {
		if w := s.errors[start]; w.dirty {
			errors = changedTexts(errors, start, w)
		}
	}
	return rows, errors, nil
}

func changedCells(rows []Row, w *slot[levels]) ([]Row, error) {
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		for _, c := range w.services[name] {
			if c == nil || !c.dirty {
				continue
			}
			r, err := c.final()
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// Written says that all of Changed is in MySQL. Windows that have not changed for a while are forgotten.
func (s *Set) Written() {
	crowded := s.cells > MaxCells
	for start, w := range s.windows {
		for _, cells := range w.services {
			cleanCells(cells)
		}
		if w.age() || crowded {
			s.cells -= cellsIn(w)
			delete(s.windows, start)
		}
	}
	for start, w := range s.errors {
		for _, t := range w.services {
			t.clean()
		}
		if w.age() || crowded {
			s.cells -= textsIn(w)
			delete(s.errors, start)
		}
	}
}

// age notes a write and says whether the slot has been idle for long enough to be forgotten. Idleness counts writes, not the clock:
// one record from the year 2262 must not make all others look old.
func (w *slot[T]) age() bool {
	if w.dirty {
		w.dirty, w.idle = false, 0
		return false
	}
	w.idle++
	return w.idle > keepWrites
}

func cleanCells(cells levels) {
	for _, c := range cells {
		if c != nil {
			c.dirty = false
		}
	}
}

func cellsIn(w *slot[levels]) (n int) {
	for _, cells := range w.services {
		for _, c := range cells {
			if c != nil {
				n++
			}
		}
	}
	return n
}

// startOf is the start of the window of the given length that holds ns, in s.
func startOf(ns, seconds int64) int64 {
	s := ns / nsPerSecond
	if ns%nsPerSecond < 0 {
		s--
	}
	start := s - s%seconds
	if s%seconds < 0 {
		start -= seconds
	}
	return start
}
