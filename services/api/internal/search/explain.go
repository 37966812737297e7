package search

import (
	"time"

	"github.com/logmill/logmill/services/api/internal/query"
)

// Explain says how an answer came about.
type Explain struct {
	Query      string         `json:"query"`         // the filter as it was understood
	Indexed    int            `json:"indexed"`       // blocks known in memory
	Considered int            `json:"considered"`    // of these, in the range of time, and reached
	Pruned     map[string]int `json:"pruned"`        // ruled out without reading, by what
	Summed     int            `json:"summed"`        // blocks whose lines were counted in memory
	Read       int            `json:"read"`          // blocks
	Rows       int64          `json:"rows"`          // of these
	Fetched    int64          `json:"bytes_fetched"` // from MySQL
	Decoded    int64          `json:"bytes_decoded"` // of columns, uncompressed
	Columns    int64          `json:"columns"`       // asked for, a block each
	Cached     int64          `json:"columns_cached"`
	Stages     []Stage        `json:"stages"`
}

// Stage is a part of the work and how long it took.
type Stage struct {
	Name string  `json:"stage"`
	MS   float64 `json:"ms"`
}

func (x *Explain) stage(name string, took time.Duration) {
	x.Stages = append(x.Stages, Stage{name, float64(took.Microseconds()) / 1000})
}

// finish is what the walk cost.
func (w *walk) finish(q *query.Query) (Stats, *Explain) {
	w.stats.TookMS = w.e.now().Sub(w.began).Milliseconds()
	if !q.Explain {
		return w.stats, nil
	}
	x := &w.explain
	x.Query, x.Indexed, x.Considered, x.Pruned, x.Read, x.Rows = query.Print(q.Filter), len(w.set.Newest), w.considered, w.pruned, w.stats.Blocks, w.stats.Rows
	x.Fetched, x.Decoded, x.Columns, x.Cached = w.cost.bytes.Load(), w.cost.decoded.Load(), w.cost.columns.Load(), w.cost.cached.Load()
	return w.stats, x
}
