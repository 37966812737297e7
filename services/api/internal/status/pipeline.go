package status

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/obs"
)

const (
	lookEvery    = 5 * time.Second
	lookTimeout  = 10 * time.Second
	oldAfter     = 3 * lookEvery    // a look that is older says nothing of now
	stoppedAfter = 30 * time.Second // heartbeats move an idle partition every 2 s; a take-over takes some seconds
)

// Pipeline is the answer of GET /api/pipeline: the way of a line from topic to topic, as it was a moment ago.
type Pipeline struct {
	MeasuredAt time.Time   `json:"measured_at"`
	Stale      bool        `json:"stale"` // it was measured too long ago to tell of now
	Errors     []string    `json:"errors"`
	Topics     []Topic     `json:"topics"` // in the order of the way
	Partitions []Partition `json:"partitions"`
	Alerting   Alerting    `json:"alerting"`
	Instances  []Instance  `json:"instances"`
}

// Topic is how much comes to a topic.
type Topic struct {
	Name string   `json:"name"`
	Kept int64    `json:"kept"`                // messages that it has
	Per  *float64 `json:"messages_per_second"` // null: not known yet
	end  int64
	at   time.Time // when it was measured
}

// Stage is how far a service is with a partition.
type Stage struct {
	Status  string     `json:"status"` // ok, late, stopped, unknown
	Owner   string     `json:"owner"`  // host/pid, "" = nobody yet
	Moved   *time.Time `json:"moved_at,omitempty"`
	Waiting *int64     `json:"waiting"` // messages of logs.raw; null = not known
	Behind  *float64   `json:"behind_seconds"`
	Why     string     `json:"why,omitempty"`
}

// Partition of logs.raw, whose number its lines keep on the whole way.
type Partition struct {
	Partition int32 `json:"partition"`
	Stored    Stage `json:"stored"`
	Evaluated Stage `json:"evaluated"`
}

// Alerting is what is not of one partition.
type Alerting struct {
	Status   string     `json:"status"`
	Checked  *time.Time `json:"checked_at,omitempty"` // when an evaluator last looked for blind rules
	Problems int        `json:"problems"`
	Unsent   int        `json:"unsent_events"`
}

// Positions is what MySQL knows of the pipeline.
type Positions interface {
	Pipeline(ctx context.Context, clusterID, topic, topicID string) (store.Pipeline, error)
}

// topics of the way, in its order.
var topics = []string{contract.TopicRaw, contract.TopicEnriched, contract.TopicAlerts, contract.TopicDead}

// Offsets is what the line asks the broker.
type Offsets interface {
	Kafka
	StartOffsets(ctx context.Context, topic string) (map[int32]int64, error)
}

// LineDeps of a Line.
type LineDeps struct {
	Kafka     func() (Offsets, error)
	Positions Positions
	Topic     string // full name of logs.raw
	Targets   []Target
	Token     string
	Now       func() time.Time // MySQL's
	Self      func(ctx context.Context) Instance
}

// Line looks at the whole pipeline every few seconds. Safe for concurrent use.
type Line struct {
	d      LineDeps
	prober prober
	mu     sync.Mutex
	last   Pipeline
	at     time.Time
}

// NewLine makes one; Run keeps it current.
func NewLine(d LineDeps) *Line {
	return &Line{d: d, prober: prober{client: &http.Client{}, token: d.Token}, last: Pipeline{Errors: []string{"nothing has been looked at yet"}, Topics: []Topic{}, Partitions: []Partition{},
		Alerting: Alerting{Status: Unknown}, Instances: []Instance{}}}
}

// Run looks until ctx ends.
func (l *Line) Run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	defer l.prober.client.CloseIdleConnections()
	for {
		l.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Now is the newest look. What it says of now when it is old is that nobody knows.
func (l *Line) Now() Pipeline {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.last
	p.Stale = time.Since(l.at) > oldAfter
	return p
}

// look asks Kafka, MySQL and the processes side by side; what fails is missing, and said.
func (l *Line) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	l.mu.Lock()
	old := l.last
	l.mu.Unlock()
	p := Pipeline{MeasuredAt: time.Now().UTC(), Errors: []string{}, Topics: []Topic{}, Partitions: []Partition{}, Alerting: Alerting{Status: Unknown}, Instances: make([]Instance, len(l.d.Targets)+1)}
	var wg sync.WaitGroup
	for i, t := range l.d.Targets {
		wg.Go(func() { p.Instances[i] = l.prober.ask(ctx, t) })
	}
	wg.Go(func() { p.Instances[len(l.d.Targets)] = l.d.Self(ctx) })
	l.positions(ctx, &p)
	wg.Wait()
	p.compare(&old)
	l.mu.Lock()
	l.last, l.at = p, time.Now()
	l.mu.Unlock()
}

// compare makes rates of two looks. Each figure has its own time: one process that hangs holds up a look, not what was measured before.
func (p *Pipeline) compare(old *Pipeline) {
	for i := range p.Instances {
		for j := range old.Instances {
			if a, b := &p.Instances[i], &old.Instances[j]; a.Address == b.Address && a.Service == b.Service {
				a.since(b)
			}
		}
	}
	for i := range p.Topics {
		for _, before := range old.Topics {
			if t := &p.Topics[i]; t.Name == before.Name && t.end >= before.end && t.at.After(before.at) {
				per := float64(t.end-before.end) / t.at.Sub(before.at).Seconds()
				t.Per = &per
			}
		}
	}
}

// positions fills in what Kafka and MySQL know.
func (l *Line) positions(ctx context.Context, p *Pipeline) {
	k, err := l.d.Kafka()
	var ends, starts map[int32]int64
	var cluster, id string
	if err == nil {
		cluster, id, _, err = k.Identity(ctx, contract.TopicRaw)
	}
	for _, name := range topics {
		if err != nil {
			break
		}
		var s, e map[int32]int64
		if e, err = k.EndOffsets(ctx, name); err == nil {
			s, err = k.StartOffsets(ctx, name)
		}
		if err == nil {
			p.Topics = append(p.Topics, topicOf(name, s, e))
		}
		if name == contract.TopicRaw {
			starts, ends = s, e
		}
	}
	if err != nil {
		p.Errors = append(p.Errors, fmt.Sprintf("Kafka: %v", err))
	}
	if cluster == "" {
		return
	}
	known, err := l.d.Positions.Pipeline(ctx, cluster, l.d.Topic, id)
	if err != nil {
		p.Errors = append(p.Errors, fmt.Sprintf("MySQL: %v", err))
	}
	p.place(known, starts, ends, l.d.Now(), err == nil)
}

func topicOf(name string, starts, ends map[int32]int64) Topic {
	t := Topic{Name: name, at: time.Now()}
	for p, e := range ends {
		t.end += e
		t.Kept += max(0, e-starts[p])
	}
	return t
}

// place compares the ends of logs.raw with how far the services are.
func (p *Pipeline) place(known store.Pipeline, starts, ends map[int32]int64, now time.Time, readable bool) {
	for part := range int32(len(ends)) {
		out := Partition{Partition: part, Stored: Stage{Status: Unknown}, Evaluated: Stage{Status: Unknown}}
		if readable {
			out.Stored = stage(known.Processor[part], starts[part], ends[part], now)
			out.Evaluated = stage(known.Evaluator[part], starts[part], ends[part], now)
		}
		p.Partitions = append(p.Partitions, out)
	}
	if !readable {
		return
	}
	p.Alerting = Alerting{Status: OK, Problems: known.Problems, Unsent: known.Unsent}
	switch {
	case known.Checked.IsZero():
		p.Alerting.Status = Unknown
	case now.Sub(known.Checked) > stoppedAfter:
		p.Alerting.Status = Stopped
	case known.Problems > 0:
		p.Alerting.Status = Warned
	}
	if !known.Checked.IsZero() {
		p.Alerting.Checked = &known.Checked
	}
}

// stage judges one service's position.
func stage(at *store.Position, start, end int64, now time.Time) Stage {
	if at == nil {
		waiting := end - start
		s := Stage{Status: Unknown, Waiting: &waiting, Why: "nobody has begun with it"}
		if waiting > 0 {
			s.Status = Stopped
		}
		return s
	}
	waiting := max(0, end-max(at.Next, start))
	behind := max(0, (now.Sub(time.Unix(0, at.Watermark)) - time.Second).Seconds()) // by design half a second, told four times a second
	s := Stage{Status: OK, Owner: at.Owner, Moved: &at.Updated, Waiting: &waiting, Behind: &behind, Why: at.Blind}
	switch {
	case now.Sub(at.Updated) > stoppedAfter:
		s.Status = Stopped
	case behind > lagDegraded:
		s.Status = Late
	case at.Blind != "":
		s.Status = Warned
	}
	return s
}

// Self tells of the process that answers.
func Self(health *obs.Health, address string, own prometheus.Gatherer) func(ctx context.Context) Instance {
	return func(ctx context.Context) Instance {
		i := Instance{Service: "api", Address: address, Status: OK, Rates: []Rate{}}
		var ready bool
		if i.Checks, ready = health.Run(ctx); !ready {
			i.Status = Degraded
		}
		found, err := own.Gather()
		families := map[string]*dto.MetricFamily{}
		for _, f := range found {
			families[f.GetName()] = f
		}
		i.measure(families, err)
		return i
	}
}
