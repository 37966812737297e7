// Package metrics turns window rows into the figures of dashboards. It knows neither SQL nor HTTP.
package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"google.golang.org/protobuf/proto"

	"github.com/logmill/logmill/shared/logrec"
)

// Window is one row of log_window.
type Window struct {
	Start   int64 // s
	Service string
	Level   logrec.Level
	Lines   int64
	Status  [5]int64 // 1xx … 5xx
	Count   int64    // of response times
	SumMS   float64
	MaxMS   float64
	Sketch  []byte
}

// TopError is a masked error text and how often it came.
type TopError struct {
	Message string `json:"message"`
	Service string `json:"service"`
	Count   int64  `json:"count"`
}

// TopService is a service and its lines.
type TopService struct {
	Service string `json:"service"`
	Count   int64  `json:"count"`
	Errors  int64  `json:"errors"`
}

// ResponseTime sums up response times, ms. All zero without any.
type ResponseTime struct {
	Count int64   `json:"count"`
	Avg   float64 `json:"avg"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Point is one step of the series.
type Point struct {
	Time   time.Time `json:"time"`
	Total  int64     `json:"total"`
	Errors int64     `json:"errors"`
	AvgMS  float64   `json:"avg_response_time_ms"`
	P95MS  float64   `json:"p95_response_time_ms"`
}

// Report is the answer of GET /api/metrics.
type Report struct {
	Start         time.Time        `json:"start"`
	End           time.Time        `json:"end"`
	Total         int64            `json:"total_logs"`
	ByLevel       map[string]int64 `json:"by_level"`
	ErrorRate     float64          `json:"error_rate"` // per cent of lines with level error or fatal
	LogsPerMinute float64          `json:"logs_per_minute"`
	RequestsPM    float64          `json:"requests_per_minute"`
	ResponseTime  ResponseTime     `json:"response_time_ms"`
	ByStatus      map[string]int64 `json:"by_status_class"`
	TopServices   []TopService     `json:"top_services"`
	TopErrors     []TopError       `json:"top_errors"`
	Series        []Point          `json:"series"`
}

const topServices = 20

// timing collects response times.
type timing struct {
	count  int64
	sum    float64
	max    float64
	sketch *ddsketch.DDSketch
}

func (t *timing) add(w Window) error {
	if w.Count == 0 {
		return nil
	}
	t.count, t.sum, t.max = t.count+w.Count, t.sum+w.SumMS, max(t.max, w.MaxMS)
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(w.Sketch, &pb); err != nil {
		return fmt.Errorf("reading a sketch of %s: %w", w.Service, err)
	}
	s, err := ddsketch.FromProtoWithStoreProvider(&pb, store.BufferedPaginatedStoreConstructor)
	if err != nil {
		return fmt.Errorf("reading a sketch of %s: %w", w.Service, err)
	}
	if t.sketch == nil {
		t.sketch = s
		return nil
	}
	return t.sketch.MergeWith(s)
}

func (t *timing) quantile(q float64) float64 {
	if t.sketch == nil || t.sketch.IsEmpty() {
		return 0
	}
	v, err := t.sketch.GetValueAtQuantile(q)
	if err != nil {
		return 0
	}
	return round(math.Min(v, t.max))
}

func (t *timing) avg() float64 {
	if t.count == 0 {
		return 0
	}
	return round(t.sum / float64(t.count))
}

// round keeps three decimals: more would be noise of the sketch.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// Builder sums windows up. Add each once, then Report.
type Builder struct {
	start, end int64 // s
	step       int64 // s
	report     Report
	requests   int64
	errors     int64
	all        timing
	steps      map[int64]*stepSum
	services   map[string]*TopService
}

type stepSum struct {
	total, errors int64
	timing        timing
}

// ErrStep is a step that does not fit.
var ErrStep = errors.New("the step must be a multiple of 10 s that cuts the range into at most 2,000 points")

const maxPoints = 2000

// NewBuilder makes a builder for windows with Start in [start, end), both multiples of 10 s.
func NewBuilder(start, end time.Time, step time.Duration) (*Builder, error) {
	s := int64(step.Seconds())
	if s < 10 || s%10 != 0 || end.Sub(start)/step > maxPoints {
		return nil, ErrStep
	}
	b := &Builder{start: start.Unix(), end: end.Unix(), step: s, steps: map[int64]*stepSum{}, services: map[string]*TopService{}}
	b.report = Report{Start: start, End: end, ByLevel: map[string]int64{}, ByStatus: map[string]int64{}, TopErrors: []TopError{}}
	for _, l := range logrec.Levels {
		b.report.ByLevel[l.String()] = 0
	}
	return b, nil
}

// Add takes in one window.
func (b *Builder) Add(w Window) error {
	failed := int64(0)
	if w.Level >= logrec.LevelError {
		failed = w.Lines
	}
	b.report.Total += w.Lines
	b.report.ByLevel[w.Level.String()] += w.Lines
	b.errors += failed
	for i, n := range w.Status {
		b.report.ByStatus[fmt.Sprintf("%dxx", i+1)] += n
		b.requests += n
	}
	svc := b.services[w.Service]
	if svc == nil {
		svc = &TopService{Service: w.Service}
		b.services[w.Service] = svc
	}
	svc.Count, svc.Errors = svc.Count+w.Lines, svc.Errors+failed
	at := w.Start - (w.Start-b.start)%b.step
	st := b.steps[at]
	if st == nil {
		st = &stepSum{}
		b.steps[at] = st
	}
	st.total, st.errors = st.total+w.Lines, st.errors+failed
	return errors.Join(b.all.add(w), st.timing.add(w))
}

// Report is the sum. topErrors are the error texts of the range, by count descending.
func (b *Builder) Report(topErrors []TopError) Report {
	r := b.report
	minutes := float64(b.end-b.start) / 60
	if r.Total > 0 {
		r.ErrorRate = round(float64(b.errors) * 100 / float64(r.Total))
	}
	r.LogsPerMinute, r.RequestsPM = round(float64(r.Total)/minutes), round(float64(b.requests)/minutes)
	r.ResponseTime = ResponseTime{b.all.count, b.all.avg(), b.all.quantile(.5), b.all.quantile(.95), b.all.quantile(.99), round(b.all.max)}
	r.TopServices = []TopService{}
	for s := range maps.Values(b.services) {
		r.TopServices = append(r.TopServices, *s)
	}
	slices.SortFunc(r.TopServices, func(x, y TopService) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), cmp.Compare(x.Service, y.Service))
	})
	r.TopServices = r.TopServices[:min(len(r.TopServices), topServices)]
	if topErrors != nil {
		r.TopErrors = topErrors
	}
	r.Series = b.series()
	return r
}

// series has a point for every step, empty ones too: a gap must not look like a line between two points.
func (b *Builder) series() []Point {
	out := []Point{}
	for at := b.start; at < b.end; at += b.step {
		p := Point{Time: time.Unix(at, 0).UTC()}
		if s := b.steps[at]; s != nil {
			p.Total, p.Errors, p.AvgMS, p.P95MS = s.total, s.errors, s.timing.avg(), s.timing.quantile(.95)
		}
		out = append(out, p)
	}
	return out
}
