// Package window counts records into windows: 10 s by service and level, a minute's error texts by service, and hours of both. It is a pure fold;
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

// ErrorWindow has the masked error texts of a minute, or of an hour, or a part of them.
type ErrorWindow struct {
	Start int64         // s since the epoch, a multiple of ErrorSeconds, or HourSeconds
	Texts []counts.Text // by service and text
}

// Changes are windows to write, or found in MySQL. Those to write are whole, and by start; of hours they are the rows that changed.
type Changes struct {
	Windows    []Window
	Errors     []ErrorWindow
	Hours      []Hour
	HourErrors []ErrorWindow
}

// Rows is how many rows of MySQL they are, or so.
func (c *Changes) Rows() int {
	return len(c.Windows) + len(c.Errors) + len(c.Hours) + len(c.HourErrors)
}

// Starts name windows of each kind, s.
type Starts struct {
	Windows    []int64
	Errors     []int64
	Hours      []int64
	HourErrors []int64
}

// Empty tells whether there are none.
func (s *Starts) Empty() bool {
	return len(s.Windows)+len(s.Errors)+len(s.Hours)+len(s.HourErrors) == 0
}

// Set holds a partition's windows that are being counted. A window that the set has not seen before may be in MySQL:
// Missing names those, and Load adds what is there, before Changed may be asked. Not safe for concurrent use.
type Set struct {
	windows    map[int64]*slot[levels]
	errors     map[int64]*slot[texts]
	hours      map[int64]*slot[*hour]
	hourErrors map[int64]*slot[texts]
	hoursFrom  int64 // hours before are not counted, s
	cells      int
	scratch    []byte
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

// NewSet makes an empty set that counts hours from a moment on, s.
func NewSet(hoursFrom int64) *Set {
	return &Set{windows: map[int64]*slot[levels]{}, errors: map[int64]*slot[texts]{}, hours: map[int64]*slot[*hour]{}, hourErrors: map[int64]*slot[texts]{}, hoursFrom: hoursFrom}
}

// slotOf is the slot of a start, new or not.
func slotOf[T any](slots map[int64]*slot[T], start int64) *slot[T] {
	w, ok := slots[start]
	if !ok {
		w = &slot[T]{services: map[string]T{}}
		slots[start] = w
	}
	return w
}

// Cells counts what the set holds; past MaxCells it is time to write.
func (s *Set) Cells() int { return s.cells }

// Fold counts recs. It keeps no string of theirs. Records in the order of time are cheapest.
func (s *Set) Fold(recs []logrec.Record) {
	var at counted
	for i := range recs {
		rec := &recs[i]
		s.find(&at, rec)
		s.cell(at.cells, rec.Level).add(rec)
		if at.hour != nil {
			at.hour.add(rec, at.start)
		}
		if rec.Level >= logrec.LevelError {
			s.foldError(rec, at.hour != nil)
		}
	}
}

// counted is where a record counts.
type counted struct {
	start   int64 // of the window
	current *slot[levels]
	hours   *slot[*hour] // nil for hours that are not counted
	service string
	cells   levels
	hour    *hour // nil without hours
}

// find moves to where a record counts; often that is where the one before did.
func (s *Set) find(at *counted, rec *logrec.Record) {
	start := startOf(rec.Timestamp, Seconds)
	if at.current == nil || start != at.start {
		at.start, at.current, at.cells = start, slotOf(s.windows, start), nil
		at.current.dirty = true
		at.hours = nil
		if h := startOf(rec.Timestamp, HourSeconds); h >= s.hoursFrom {
			at.hours = slotOf(s.hours, h)
			at.hours.dirty = true
		}
	}
	if at.cells != nil && rec.Service == at.service {
		return
	}
	at.service, at.cells, at.hour = rec.Service, s.service(at.current, rec.Service), nil
	if at.hours != nil {
		at.hour = s.hour(at.hours, start, rec.Service)
	}
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

// Missing names the windows that have changed and of which what MySQL has is not loaded.
func (s *Set) Missing() Starts {
	return Starts{missing(s.windows), missing(s.errors), missing(s.hours), missing(s.hourErrors)}
}

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

// Load adds what MySQL has of the windows that Missing named. Those of which it has nothing are new.
func (s *Set) Load(starts Starts, found Changes) {
	for _, w := range found.Windows {
		for i := range w.Rows {
			r := &w.Rows[i]
			s.cell(s.service(slotOf(s.windows, w.Start), r.Service), r.Level).row.Add(r)
		}
	}
	for i := range found.Hours {
		h := &found.Hours[i]
		s.hour(slotOf(s.hours, h.Start), h.Start, h.Service).merge(h)
	}
	s.mergeErrors(s.errors, found.Errors)
	s.mergeErrors(s.hourErrors, found.HourErrors)
	loaded(s.windows, starts.Windows)
	loaded(s.errors, starts.Errors)
	loaded(s.hours, starts.Hours)
	loaded(s.hourErrors, starts.HourErrors)
}

func loaded[T any](slots map[int64]*slot[T], starts []int64) {
	for _, start := range starts {
		slotOf(slots, start).loaded = true
	}
}

// Changed is what has to be written: what changed since Written. All that Missing names must be loaded.
func (s *Set) Changed() (c Changes) {
	for _, start := range slices.Sorted(maps.Keys(s.windows)) {
		if w := s.windows[start]; w.dirty {
			c.Windows = append(c.Windows, Window{start, rowsOf(w)})
		}
	}
	for _, start := range slices.Sorted(maps.Keys(s.hours)) {
		if w := s.hours[start]; w.dirty {
			c.Hours = append(c.Hours, changedHours(w)...)
		}
	}
	c.Errors, c.HourErrors = changedErrors(s.errors), changedErrors(s.hourErrors)
	return c
}

func changedErrors(slots map[int64]*slot[texts]) (out []ErrorWindow) {
	for _, start := range slices.Sorted(maps.Keys(slots)) {
		if w := slots[start]; w.dirty {
			out = append(out, ErrorWindow{start, allTexts(w)})
		}
	}
	return out
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
	for _, w := range s.hours {
		for _, h := range w.services {
			h.dirty = false
		}
	}
	s.cells -= forget(s.windows, crowded, cellsIn) + forget(s.errors, crowded, countTexts) +
		forget(s.hours, crowded, func(w *slot[*hour]) int { return len(w.services) }) + forget(s.hourErrors, crowded, countTexts)
}

// forget lets go of what has been idle for long, or of all, and says how many cells it was.
func forget[T any](slots map[int64]*slot[T], all bool, count func(*slot[T]) int) (cells int) {
	for start, w := range slots {
		if w.age() || all {
			cells += count(w)
			delete(slots, start)
		}
	}
	return cells
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
