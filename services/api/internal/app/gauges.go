package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/logmill/logmill/services/api/internal/index"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/services/api/internal/windows"
)

// gauges shows what searches keep in memory.
func gauges(reg *prometheus.Registry, x *index.Index, e *search.Engine, w *windows.Resident) {
	for name, g := range map[string]struct {
		help string
		f    func() float64
	}{
		"index_blocks":    {"blocks that are known in memory", func() float64 { return float64(x.Current().Stats().Blocks) }},
		"index_filters":   {"of these, whose token filter is in memory", func() float64 { return float64(x.Current().Stats().Filtered) }},
		"index_lines":     {"lines in these blocks", func() float64 { return float64(x.Current().Stats().Rows) }},
		"index_bytes":     {"memory that this takes", func() float64 { return float64(x.Current().Stats().Bytes) }},
		"cache_bytes":     {"memory of blocks and columns that were read", func() float64 { return float64(e.CacheStats().Bytes) }},
		"cache_hits":      {"columns, footers and rows found in memory", func() float64 { return float64(e.CacheStats().Hits) }},
		"cache_misses":    {"those that were read", func() float64 { return float64(e.CacheStats().Misses) }},
		"windows_minutes": {"minutes of windows that are in memory, of all partitions", func() float64 { return float64(w.Current().Stats().Minutes) }},
		"windows_bytes":   {"memory that they take", func() float64 { return float64(w.Current().Stats().Bytes) }},
	} {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "logmill_api_" + name, Help: g.help}, g.f))
	}
}
