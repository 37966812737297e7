package tail

import "github.com/prometheus/client_golang/prometheus"

// Metrics of a Follower.
type Metrics struct {
	records, bytes, commits, restarts, truncated, unfound, errors prometheus.Counter
	files, behind                                                 prometheus.Gauge
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "logmill_tail_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "logmill_tail_" + name, Help: help})
	}
	m := &Metrics{
		records: counter("records_total", "Records sent."), bytes: counter("bytes_total", "Bytes of their text."),
		commits: counter("commits_total", "Transactions of lines and positions."), restarts: counter("restarts_total", "Times that following began again from the stored positions."),
		truncated: counter("truncated_total", "Files that were cut or written anew."), errors: counter("file_errors_total", "Times that a file could not be read."),
		unfound: counter("copies_unfound_total", "Truncated files whose copy was not found: their last lines may not have been sent."),
		files:   gauge("files", "Files that are open."), behind: gauge("behind_bytes", "Bytes that are there and not sent."),
	}
	reg.MustRegister(m.records, m.bytes, m.commits, m.restarts, m.truncated, m.unfound, m.errors, m.files, m.behind)
	return m
}

func (m *Metrics) sent(records, bytes int, behind int64) {
	m.records.Add(float64(records))
	m.bytes.Add(float64(bytes))
	m.commits.Inc()
	m.behind.Set(float64(behind))
}
