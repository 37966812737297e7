package windows

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

// Service is a service that logged in a range.
type Service struct {
	Name     string    `json:"name"`
	Lines    int64     `json:"lines"`
	Errors   int64     `json:"errors"`
	LastSeen time.Time `json:"last_seen"` // to 10 s
}

// Services are sums by name.
type Services map[string]*Service

// Add takes in a row.
func (s Services) Add(w metrics.Window) error {
	if w.Lines > 0 {
		cell := w.Cell()
		s.of(w.Service).add(&cell, w.Start)
	}
	return nil
}

func (s Services) of(name string) *Service {
	x := s[name]
	if x == nil {
		x = &Service{Name: name}
		s[name] = x
	}
	return x
}

func (x *Service) add(c *metrics.Cell, last int64) {
	x.Lines, x.Errors = x.Lines+c.Lines(), x.Errors+c.Errors()
	if x.LastSeen.IsZero() || last > x.LastSeen.Unix() {
		x.LastSeen = time.Unix(last, 0).UTC()
	}
}

// After are those behind a name, by name, at most limit.
func (s Services) After(name string, limit int) []Service {
	var out []Service
	for x := range maps.Values(s) {
		if x.Name > name {
			out = append(out, *x)
		}
	}
	slices.SortFunc(out, func(a, b Service) int { return cmp.Compare(a.Name, b.Name) })
	return out[:min(limit, len(out))]
}

// AddServices adds the services of q from a moment on, which Covered has said, to sums.
func (s *Set) AddServices(sums Services, q Query, from time.Time) {
	known := make([]*Service, len(s.names))
	s.each(q, from, func(c *chunk) {
		for k := range c.services {
			e := &c.services[k]
			if known[e.service] == nil {
				known[e.service] = sums.of(s.names[e.service])
			}
			known[e.service].add(&e.cell, c.start+int64(e.last))
		}
	})
}
