package windows

import (
	"slices"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

// Query is what a set is asked for. Start and End are multiples of 10 s.
type Query struct {
	Start, End time.Time
	Step       time.Duration
	Service    string // "" = all
}

// finer tells whether windows of a width, s, are too coarse.
func (q Query) finer(width int64) bool {
	return q.Start.Unix()%width != 0 || q.End.Unix()%width != 0 || q.Step%(time.Duration(width)*time.Second) != 0
}

// Until is q up to a moment.
func (q Query) Until(at time.Time) Query {
	q.End = at
	return q
}

// Hours tells whether hours can answer q.
func (q Query) Hours() bool { return !q.finer(hour) }

// Covered is from where on the set has the windows and the error texts of q: what lies before has to be read from MySQL. End = it has nothing.
func (s *Set) Covered(q Query) (windows, errors time.Time) {
	at := s.from
	if q.finer(s.width) {
		at = s.fine
	}
	clamp := func(at int64) time.Time { return time.Unix(min(max(at, q.Start.Unix()), q.End.Unix()), 0).UTC() }
	return clamp(at), clamp(s.from)
}

// Fill adds the windows of q from a moment on, which Covered has said, to b.
func (s *Set) Fill(b *metrics.Builder, q Query, from time.Time) error {
	if q.Service != "" {
		s.fillOne(b, q, from)
		return b.Err()
	}
	sums := make([]*metrics.Service, len(s.names))
	s.each(q, from, func(c *chunk) {
		b.AddTotal(c.start, &c.total)
		b.AddDamaged(c.damaged)
		for k := range c.services {
			e := &c.services[k]
			if sums[e.service] == nil {
				sums[e.service] = b.Service(s.names[e.service])
			}
			b.AddService(sums[e.service], c.start, &e.cell)
		}
	})
	return b.Err()
}

func (s *Set) fillOne(b *metrics.Builder, q Query, from time.Time) {
	service := slices.Index(s.names, q.Service)
	if service < 0 {
		return
	}
	s.each(q, from, func(c *chunk) {
		if cell := c.find(uint32(service)); cell != nil {
			b.AddTotal(c.start, cell)
			b.AddService(b.Service(q.Service), c.start, cell)
		}
	})
}

// each calls f with the windows of [from, q.End), of the width that q needs.
func (s *Set) each(q Query, from time.Time, f func(*chunk)) {
	for i := range s.parts {
		list := s.parts[i].minutes
		if q.finer(s.width) {
			list = s.parts[i].tens
		}
		for _, c := range list.between(from.Unix(), q.End.Unix()) {
			f(c)
		}
	}
}

// AddErrors adds the error texts of q from a moment on, which Covered has said, to t. The minutes at both ends count whole.
func (s *Set) AddErrors(t metrics.Errors, q Query, from time.Time) {
	service := slices.Index(s.names, q.Service)
	if q.Service != "" && service < 0 || !from.Before(q.End) {
		return
	}
	sums := make([]int64, len(s.texts))
	for i := range s.parts {
		for _, c := range s.parts[i].minutes.between(floor(from.Unix(), s.width), q.End.Unix()) {
			for _, e := range c.errors {
				sums[e.text] += int64(e.count)
			}
		}
	}
	for i, n := range sums {
		if x := &s.texts[i]; n > 0 && (q.Service == "" || x.service == uint32(service)) {
			t.Add(s.names[x.service], x.message, n)
		}
	}
}
