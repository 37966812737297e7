// Package metrics turns window rows into the figures of dashboards. It knows neither SQL nor HTTP.
package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
)

// Window is what a service said at a level in a window.
type Window struct {
	Start int64 // s
	counts.Row
	Damaged bool // it, or its response times, could not be read: what is there counts
}

// TopError is a masked error text and how often it came.
type TopError struct {
	Message string `json:"message"`
	Service string `json:"service"`
	Count   int64  `json:"count"`
}

// Errors counts error texts by service.
type Errors map[[2]string]int64

// Add counts a service's text.
func (e Errors) Add(service, text string, n int64) { e[[2]string{service, text}] += n }

// New are the texts that known does not have, the most frequent first. OtherText, which stands for many, is never new.
func (e Errors) New(known Errors, limit int) []TopError {
	fresh := Errors{}
	for k, n := range e {
		if _, seen := known[k]; !seen && k[1] != OtherText {
			fresh[k] = n
		}
	}
	return fresh.Top(limit)
}

// OtherText stands for the texts of a minute and service past the processor's limit.
const OtherText = "(other)"

// Top are the most frequent, by count descending.
func (e Errors) Top(limit int) []TopError {
	out := make([]TopError, 0, len(e))
	for k, n := range e {
		out = append(out, TopError{Service: k[0], Message: k[1], Count: n})
	}
	slices.SortFunc(out, func(a, b TopError) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Service, b.Service))
	})
	return out[:min(limit, len(out))]
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
	Time     time.Time        `json:"time"`
	Total    int64            `json:"total"`
	Errors   int64            `json:"errors"`
	Requests int64            `json:"requests"`
	ByLevel  map[string]int64 `json:"by_level"`        // those that there are
	ByStatus map[string]int64 `json:"by_status_class"` // those that there are
	AvgMS    float64          `json:"avg_response_time_ms"`
	P50MS    float64          `json:"p50_response_time_ms"`
	P95MS    float64          `json:"p95_response_time_ms"`
	P99MS    float64          `json:"p99_response_time_ms"`
}

// ServicePoint is one step of a service's series.
type ServicePoint struct {
	Time   time.Time `json:"time"`
	Total  int64     `json:"total"`
	Errors int64     `json:"errors"`
	AvgMS  float64   `json:"avg_response_time_ms"`
}

// ServiceSeries is the series of a service.
type ServiceSeries struct {
	Service string         `json:"service"`
	Series  []ServicePoint `json:"series"`
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
	ByService     []ServiceSeries  `json:"by_service,omitempty"`       // of the top services, when asked for
	Damaged       int              `json:"damaged_sketches,omitempty"` // rows, or windows, that could not be read
}

const topServices = 20

// round keeps three decimals: more would be noise of the sketch.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

// Builder sums windows up. Add each once, then Report.
type Builder struct {
	start, end int64 // s
	step       int64 // s
	steps      []stepSum
	services   map[string]*Service
	bySteps    bool // services have series
	damaged    int
}

type stepSum struct {
	total, errors, requests int64
	levels                  [logrec.LevelFatal + 1]int64
	status                  [5]int64
	timing                  timing
}

// byLevel are the lines of each level that has any.
func (s *stepSum) byLevel() map[string]int64 {
	out := map[string]int64{}
	for _, l := range logrec.Levels {
		if n := s.levels[l]; n > 0 {
			out[l.String()] = n
		}
	}
	return out
}

// byStatus are the requests of each class of status that has any.
func (s *stepSum) byStatus() map[string]int64 {
	out := map[string]int64{}
	for i, n := range s.status {
		if n > 0 {
			out[statusClass(i)] = n
		}
	}
	return out
}

func statusClass(i int) string { return fmt.Sprintf("%dxx", i+1) }

// Service is a service's sum.
type Service struct {
	sum   TopService
	steps []serviceStep
}

type serviceStep struct {
	total, errors, count int64
	sumMS                float64
}

// ErrStep is a step that does not fit, ErrTooMuch a range with more points of services than an answer should have.
var (
	ErrStep    = errors.New("the step must be a multiple of 10 s that cuts the range into at most 2,000 points")
	ErrTooMuch = errors.New("by=service makes more than 500,000 points of all services: take a larger step or a shorter range")
)

const (
	maxPoints        = 2000
	maxServicePoints = 500_000
)

// NewBuilder makes a builder for windows with Start in [start, end), both multiples of 10 s; byService asks for series of the top services.
func NewBuilder(start, end time.Time, step time.Duration, byService bool) (*Builder, error) {
	s := int64(step.Seconds())
	if s < 10 || s%10 != 0 || end.Sub(start)/step > maxPoints {
		return nil, ErrStep
	}
	b := &Builder{start: start.Unix(), end: end.Unix(), step: s, services: map[string]*Service{}, bySteps: byService}
	b.steps = make([]stepSum, (b.end-b.start+s-1)/s)
	return b, nil
}

// Add takes in one row.
func (b *Builder) Add(w Window) error {
	if w.Damaged {
		b.damaged++
	}
	if w.Lines == 0 {
		return nil
	}
	c := w.Cell()
	b.AddTotal(w.Start, &c)
	s := b.Service(w.Service)
	b.AddService(s, w.Start, &c)
	return b.Err()
}

// AddDamaged counts rows that were added as cells and have damaged sketches.
func (b *Builder) AddDamaged(rows int) { b.damaged += rows }

// Err is ErrTooMuch when there are too many services for the series that were asked for.
func (b *Builder) Err() error {
	if b.bySteps && len(b.services)*len(b.steps) > maxServicePoints {
		return ErrTooMuch
	}
	return nil
}

// AddTotal takes in all services' sum of a window that begins at start, s; AddService takes in the services of it.
func (b *Builder) AddTotal(start int64, c *Cell) {
	st := &b.steps[(start-b.start)/b.step]
	for i, n := range c.Levels {
		st.levels[i] += int64(n)
	}
	for i, n := range c.Status {
		st.status[i] += int64(n)
	}
	st.total, st.errors, st.requests = st.total+c.Lines(), st.errors+c.Errors(), st.requests+c.Requests()
	st.timing.add(c)
}

// Service is the sum of a service, for AddService.
func (b *Builder) Service(name string) *Service {
	s := b.services[name]
	if s == nil {
		s = &Service{sum: TopService{Service: name}}
		if b.bySteps && (len(b.services)+1)*len(b.steps) <= maxServicePoints {
			s.steps = make([]serviceStep, len(b.steps))
		}
		b.services[name] = s
	}
	return s
}

// AddService takes in a service's part of a window that begins at start, s.
func (b *Builder) AddService(s *Service, start int64, c *Cell) {
	lines, failed := c.Lines(), c.Errors()
	s.sum.Count, s.sum.Errors = s.sum.Count+lines, s.sum.Errors+failed
	if s.steps != nil {
		st := &s.steps[(start-b.start)/b.step]
		st.total, st.errors, st.count, st.sumMS = st.total+lines, st.errors+failed, st.count+int64(c.Count), st.sumMS+c.SumMS
	}
}

// Report is the sum. topErrors are the error texts of the range, by count descending.
func (b *Builder) Report(topErrors []TopError) Report {
	r := Report{Start: time.Unix(b.start, 0).UTC(), End: time.Unix(b.end, 0).UTC(), ByLevel: map[string]int64{}, ByStatus: map[string]int64{},
		TopErrors: append([]TopError{}, topErrors...), Damaged: b.damaged}
	var all timing
	failed, requests := int64(0), int64(0)
	for i := range b.steps {
		st := &b.steps[i]
		r.Total, failed, requests = r.Total+st.total, failed+st.errors, requests+st.requests
		all.merge(&st.timing)
		for _, l := range logrec.Levels {
			r.ByLevel[l.String()] += st.levels[l]
		}
		for k, n := range st.status {
			r.ByStatus[statusClass(k)] += n
		}
	}
	if r.Total > 0 {
		r.ErrorRate = round(float64(failed) * 100 / float64(r.Total))
	}
	minutes := float64(b.end-b.start) / 60
	r.LogsPerMinute, r.RequestsPM = round(float64(r.Total)/minutes), round(float64(requests)/minutes)
	r.ResponseTime = ResponseTime{all.count, all.avg(), all.quantile(.5), all.quantile(.95), all.quantile(.99), round(all.max)}
	r.Series = b.series()
	b.top(&r)
	return r
}

// top lists the services with most lines, and their series.
func (b *Builder) top(r *Report) {
	list := make([]*Service, 0, len(b.services))
	for _, s := range b.services {
		list = append(list, s)
	}
	slices.SortFunc(list, func(x, y *Service) int {
		return cmp.Or(cmp.Compare(y.sum.Count, x.sum.Count), cmp.Compare(x.sum.Service, y.sum.Service))
	})
	r.TopServices = []TopService{}
	for _, s := range list[:min(len(list), topServices)] {
		r.TopServices = append(r.TopServices, s.sum)
		if b.bySteps {
			r.ByService = append(r.ByService, ServiceSeries{s.sum.Service, b.serviceSeries(s)})
		}
	}
}

func (b *Builder) serviceSeries(s *Service) []ServicePoint {
	out := make([]ServicePoint, len(s.steps))
	for i, st := range s.steps {
		out[i] = ServicePoint{Time: b.time(i), Total: st.total, Errors: st.errors}
		if st.count > 0 {
			out[i].AvgMS = round(st.sumMS / float64(st.count))
		}
	}
	return out
}

func (b *Builder) time(step int) time.Time { return time.Unix(b.start+int64(step)*b.step, 0).UTC() }

// series has a point for every step, empty ones too: a gap must not look like a line between two points.
func (b *Builder) series() []Point {
	out := make([]Point, len(b.steps))
	for i := range b.steps {
		st := &b.steps[i]
		out[i] = Point{Time: b.time(i), Total: st.total, Errors: st.errors, Requests: st.requests, ByLevel: st.byLevel(), ByStatus: st.byStatus(),
			AvgMS: st.timing.avg(), P50MS: st.timing.quantile(.5), P95MS: st.timing.quantile(.95), P99MS: st.timing.quantile(.99)}
	}
	return out
}
