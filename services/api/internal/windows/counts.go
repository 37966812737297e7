package windows

import (
	"math"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

const nsPerSecond = int64(1e9)

// Names are the services that Minutes tells by their places. Not to be changed.
func (s *Set) Names() []string { return s.names }

// Since is from when on, ns, the set has every minute: math.MinInt64 when it has all there are, math.MaxInt64 when it has none.
func (s *Set) Since() int64 {
	if s.from == math.MinInt64 || s.from == math.MaxInt64 {
		return s.from
	}
	return s.from * nsPerSecond
}

// Minutes calls f with each partition's part of each minute of [from, to), ns, multiples of a minute, from Since on: of each service, by its place in Names.
func (s *Set) Minutes(from, to int64, f func(start int64, service int, c *metrics.Cell)) {
	for i := range s.parts {
		for _, c := range s.parts[i].minutes.between(from/nsPerSecond, to/nsPerSecond) {
			for k := range c.services {
				f(c.start*nsPerSecond, int(c.services[k].service), &c.services[k].cell)
			}
		}
	}
}
