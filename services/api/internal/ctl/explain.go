package ctl

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// hint is something in a query that probably means something else than was meant.
type hint struct {
	Pos     int    `json:"pos"` // bytes, from 0
	Message string `json:"message"`
}

func (t *tool) hint(hints []hint) {
	for _, h := range hints {
		t.screen.Note("the query, at %d: %s", h.Pos+1, h.Message)
	}
}

// explain is what the api did for an answer.
type explain struct {
	Query      string         `json:"query"`
	Indexed    int            `json:"indexed"`
	Considered int            `json:"considered"`
	Pruned     map[string]int `json:"pruned"`
	Summed     int            `json:"summed"`
	Read       int            `json:"read"`
	Rows       int64          `json:"rows"`
	Fetched    int64          `json:"bytes_fetched"`
	Decoded    int64          `json:"bytes_decoded"`
	Columns    int64          `json:"columns"`
	Cached     int64          `json:"columns_cached"`
	Stages     []struct {
		Name string  `json:"stage"`
		MS   float64 `json:"ms"`
	} `json:"stages"`
}

// explain tells on standard error, so that the output stays what it is.
func (t *tool) explain(x *explain) {
	if x == nil {
		return
	}
	var pruned, stages []string
	for _, by := range slices.Sorted(maps.Keys(x.Pruned)) {
		pruned = append(pruned, fmt.Sprintf("%d by %s", x.Pruned[by], by))
	}
	for _, s := range x.Stages {
		stages = append(stages, fmt.Sprintf("%s %.1f ms", s.Name, s.MS))
	}
	t.screen.Note("query: %s", x.Query)
	t.screen.Note("blocks: %d known, %d considered, %d read; ruled out: %s", x.Indexed, x.Considered, x.Read, cmp.Or(strings.Join(pruned, ", "), "none"))
	t.screen.Note("read: %d rows, %d columns (%d cached), %s fetched, %s decoded", x.Rows, x.Columns, x.Cached, size(x.Fetched), size(x.Decoded))
	t.screen.Note("time: %s", strings.Join(stages, ", "))
}

// size is bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return fmt.Sprintf("%.4g %s", v, units[i])
}
