package backtest

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/logmill/logmill/shared/rule/engine"
)

// Values is what a condition came to over the range, a point a step and group.
type Values struct {
	Start  time.Time     `json:"start"` // of the first step
	StepS  float64       `json:"step_s"`
	Known  int           `json:"groups_total"` // groups, shown or not
	Groups []GroupValues `json:"groups"`       // those with alerts first, then those that came nearest
}

// GroupValues are those of one group.
type GroupValues struct {
	Labels      map[string]string `json:"labels"`
	Fingerprint string            `json:"fingerprint"`
	Values      []Point           `json:"values"` // of each step the one that was nearest to firing: a step is longer than a tick
}

// Point is a value; NaN is none, and null in JSON.
type Point float64

// MarshalJSON writes a number or null.
func (p Point) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(p)) || math.IsInf(float64(p), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(p), 'g', -1, 64), nil
}

// recorder takes down what the engine reads. A value holds until the next one, so quiet groups cost what their steps cost, whatever their number of ticks.
type recorder struct {
	operator    string
	threshold   float64
	start, step int64
	steps       int
	tracks      map[[16]byte]*track
}

// track is a group.
type track struct {
	GroupValues
	last  Point
	since int64 // ns: of last
}

func newRecorder(s *Spec) *recorder {
	return &recorder{operator: s.Rule.Operator, threshold: s.Rule.Threshold, start: s.Start, step: s.Step, tracks: map[[16]byte]*track{},
		steps: int(max(0, s.End-s.Start+s.Step-1) / s.Step)}
}

func (r *recorder) take(v engine.Reading) {
	t := r.tracks[v.Key()]
	if t == nil {
		t = &track{GroupValues: GroupValues{Labels: v.Labels(), Fingerprint: v.Fingerprint(), Values: slices.Repeat([]Point{Point(math.NaN())}, r.steps)}, last: Point(math.NaN())}
		r.tracks[v.Key()] = t
	}
	r.hold(t, v.Tick)
	t.since, t.last = v.Tick, Point(math.NaN())
	if !v.Null() {
		t.last = Point(v.N)
	}
}

// hold puts the newest value of a group into the steps that it was true in, up to a moment.
func (r *recorder) hold(t *track, until int64) {
	first, end := max(t.since, r.start)-r.start, until-r.start
	if end <= first {
		return
	}
	for k := first / r.step; k*r.step < end && int(k) < r.steps; k++ {
		if p := &t.Values[k]; math.IsNaN(float64(*p)) || r.nearer(float64(t.last), float64(*p)) {
			*p = t.last
		}
	}
}

// nearer tells whether a is nearer to firing than b.
func (r *recorder) nearer(a, b float64) bool {
	switch r.operator {
	case ">", ">=":
		return a > b
	case "<", "<=":
		return a < b
	case "=":
		return math.Abs(a-r.threshold) < math.Abs(b-r.threshold)
	}
	return math.Abs(a-r.threshold) > math.Abs(b-r.threshold)
}

// result is what was recorded up to a moment.
func (r *recorder) result(covered int64, alerts []*Alert) *Values {
	fired := map[string]bool{}
	for _, a := range alerts {
		fired[a.Fingerprint] = true
	}
	out := &Values{Start: at(r.start), StepS: float64(r.step) / 1e9, Known: len(r.tracks), Groups: []GroupValues{}}
	for _, t := range r.tracks {
		r.hold(t, covered)
		t.Values = t.Values[:min(r.steps, int((covered-r.start+r.step-1)/r.step))]
		t.last = r.nearest(t.Values)
	}
	tracks := make([]*track, 0, len(r.tracks))
	for _, t := range r.tracks {
		tracks = append(tracks, t)
	}
	slices.SortFunc(tracks, func(a, b *track) int {
		return cmp.Or(-compareBools(fired[a.Fingerprint], fired[b.Fingerprint]), -compareBools(r.ahead(a, b), r.ahead(b, a)), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	for _, t := range tracks[:min(maxGroups, len(tracks))] {
		out.Groups = append(out.Groups, t.GroupValues)
	}
	return out
}

func (r *recorder) nearest(values []Point) Point {
	best := Point(math.NaN())
	for _, v := range values {
		if math.IsNaN(float64(best)) || r.nearer(float64(v), float64(best)) {
			best = v
		}
	}
	return best
}

// ahead tells whether a came nearer to firing than b ever did.
func (r *recorder) ahead(a, b *track) bool {
	return !math.IsNaN(float64(a.last)) && (math.IsNaN(float64(b.last)) || r.nearer(float64(a.last), float64(b.last)))
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
