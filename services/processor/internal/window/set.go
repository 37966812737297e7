// Package window counts records into windows: 10 s by service and level, and a minute's top error texts by service. It is a pure fold;
// the windows that it makes are whole, so that writing them twice is harmless.
package window

import (
	"maps"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

const nsPerSecond = 1_000_000_000

// Window is a window, or a part of what MySQL has of it.
type Window struct {
	Start int64        // s since the epoch, a multiple of Seconds
	Rows  []counts.Row // by service and level
}

// ErrorWindow has the masked error texts of a minute, or a part of them.
type ErrorWindow struct {
	Start int64         // s since the epoch, a multiple of ErrorSeconds
	Texts []counts.Text // by service and text
}

// Changes are windows to write, whole, by start.
type Changes struct {
	Windows []Window
	Errors  []ErrorWindow
}

// Set holds a partition's windows that are being counted. A window that the set has not seen before may be in MySQL:
// Missing names those, and Load adds what is there, before Changed may be asked. Not safe for concurrent use.
type Set struct {
	windows map[int64]*slot[levels]
	errors  map[int64]*slot[texts]
	cells   int
	scratch []byte
}

// slot is everything of one window start.
type slot[T any] struct {
	services map[string]T
	loaded   bool // what MySQL has is in it
	dirty    bool
	idle     int // writes since it last changed
}

// levels are a service's cells, by level.
type levels = *[logrec.LevelFatal + 1]*cell

// NewSet makes an empty set.
func NewSet() *Set {
	return &Set{windows: map[int64]*slot[levels]{}, errors: map[int64]*slot[texts]{}}
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
		s.cell(cells, rec.Level).add(rec)
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

func (s *Set) cell(cells levels, level logrec.Level) *cell {
	level = min(level, logrec.LevelFatal)
	c := cells[level]
	if c == nil {
		c = &cell{row: counts.Row{Level: level}}
		cells[level] = c
		s.cells++
	}
	return c
}

// Missing names the windows and error windows (starts, s) that have changed and of which what MySQL has is not loaded.
func (s *Set) Missing() (windows, errors []int64) { return missing(s.windows), missing(s.errors) }

func missing[T any](slots map[int64]*slot[T]) []int64 {
	var starts []int64
	for start, w := range slots {
		if w.dirty && !w.loaded && !forgetful {
			starts = append(starts, start)
		}
	}
	slices.Sort(starts)
	return starts
}

// Load adds what MySQL has of the windows and error windows that Missing named (starts and errorStarts). Those of which it has nothing are new.
func (s *Set) Load(starts []int64, found []Window, errorStarts []int64, texts []ErrorWindow) {
	for _, w := range found {
		for i := range w.Rows {
			r := &w.Rows[i]
			s.cell(s.service(s.window(w.Start), r.Service), r.Level).row.Add(r)
		}
	}
	for _, w := range texts {
		for i := range w.Texts {
			s.mergeError(w.Start, &w.Texts[i])
		}
	}
	for _, start := range starts {
		s.window(start).loaded = true
	}
	for _, start := range errorStarts {
		s.errorWindow(start).loaded = true
	}
}

// Changed is what has to be written: the windows that changed since Written. All that Missing names must be loaded.
func (s *Set) Changed() (c Changes) {
	for _, start := range slices.Sorted(maps.Keys(s.windows)) {
		if w := s.windows[start]; w.dirty {
			c.Windows = append(c.Windows, Window{start, rowsOf(w)})
		}
	}
	for _, start := range slices.Sorted(maps.Keys(s.errors)) {
		if w := s.errors[start]; w.dirty {
			c.Errors = append(c.Errors, ErrorWindow{start, allTexts(w)})
		}
	}
	return c
}

func rowsOf(w *slot[levels]) (rows []counts.Row) {
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		for _, c := range w.services[name] {
			if c != nil {
				row := c.final()
				row.Service = name
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// Written says that all of Changed is in MySQL. Windows that have not changed for a while are forgotten.
func (s *Set) Written() {
	crowded := s.cells > MaxCells
	for start, w := range s.windows {
		if w.age() || crowded {
			s.cells -= cellsIn(w)
			delete(s.windows, start)
		}
	}
	for start, w := range s.errors {
		if w.age() || crowded {
			s.cells -= countTexts(w)
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
