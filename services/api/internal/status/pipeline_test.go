package status

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/store"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/obs"
)

// world is what a line is told.
type world struct {
	kafka, mysql error
	ends         map[string]map[int32]int64
	known        store.Pipeline
}

func (w *world) Ping(context.Context) error { return w.kafka }
func (w *world) Identity(context.Context, string) (string, string, int32, error) {
	return "c", "t", 2, w.kafka
}
func (w *world) EndOffsets(_ context.Context, topic string) (map[int32]int64, error) {
	return w.ends[topic], w.kafka
}
func (w *world) StartOffsets(context.Context, string) (map[int32]int64, error) {
	return map[int32]int64{0: 10}, w.kafka
}
func (w *world) Pipeline(context.Context, string, string, string) (store.Pipeline, error) {
	return w.known, w.mysql
}

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func (w *world) line(targets ...Target) *Line {
	reg := obs.NewRegistry()
	h := &obs.Health{}
	h.SetReady(true)
	return NewLine(LineDeps{Kafka: func() (Offsets, error) { return w, w.kafka }, Positions: w, Targets: targets, Token: "secret", Now: func() time.Time { return now }, Self: Self(h, "http://me", reg)})
}

func position(next int64, ago, behind time.Duration) *store.Position {
	return &store.Position{Owner: "host/1", Next: next, Watermark: now.Add(-behind).UnixNano(), Updated: now.Add(-ago)}
}

func TestNothingThatIsNotKnownLooksWell(t *testing.T) {
	t.Parallel()
	w := &world{kafka: errors.New("away")}
	l := w.line(Target{"collector", "http://127.0.0.1:1"})
	require.True(t, l.Now().Stale, "before the first look")
	l.look(t.Context())
	p := l.Now()
	require.False(t, p.Stale)
	require.Equal(t, []string{"Kafka: away"}, p.Errors)
	require.Empty(t, p.Partitions)
	require.Equal(t, Unknown, p.Alerting.Status)
	require.Equal(t, Down, p.Instances[0].Status)
	require.Equal(t, OK, p.Instances[1].Status, "the api itself")
	require.NotNil(t, p.Instances[1].Started)

	w.kafka, w.mysql, w.ends = nil, errors.New("gone"), map[string]map[int32]int64{contract.TopicRaw: {0: 20, 1: 5}}
	l.look(t.Context())
	p = l.Now()
	require.Equal(t, []string{"MySQL: gone"}, p.Errors)
	require.Len(t, p.Partitions, 2)
	for _, part := range p.Partitions {
		require.Equal(t, Stage{Status: Unknown}, part.Stored)
		require.Equal(t, Stage{Status: Unknown}, part.Evaluated)
	}
}

func TestStages(t *testing.T) {
	t.Parallel()
	blind := position(15, time.Second, time.Second)
	blind.Blind = "lines are missing"
	for _, c := range []struct {
		at      *store.Position
		status  string
		waiting int64
	}{
		{position(20, 2*time.Second, 1500*time.Millisecond), OK, 0},
		{position(15, time.Second, 2*time.Second), OK, 5},
		{position(15, time.Second, 12*time.Second), Late, 5},
		{position(3, time.Minute, 2*time.Minute), Stopped, 10}, // what is deleted does not wait
		{position(20, time.Minute, time.Minute), Stopped, 0},
		{nil, Stopped, 10},
		{blind, Warned, 5},
	} {
		s := stage(c.at, 10, 20, now)
		require.Equal(t, c.status, s.Status, "%+v", c.at)
		require.Equal(t, c.waiting, *s.Waiting)
	}
	require.Equal(t, Unknown, stage(nil, 10, 10, now).Status, "nothing waits, nobody has begun")
}

func TestRatesOfTwoLooks(t *testing.T) {
	t.Parallel()
	var lines atomic.Int64
	reg := obs.NewRegistry()
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "logmill_processor_rows_total"}, func() float64 { return float64(lines.Load()) }))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			_, _ = fmt.Fprint(w, `{"ready":true,"checks":[{"name":"blocks","ok":true,"warning":"one is damaged"}]}`)
			return
		}
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}))
	defer srv.Close()
	w := &world{ends: map[string]map[int32]int64{contract.TopicRaw: {0: 20}}, known: store.Pipeline{Processor: map[int32]*store.Position{0: position(20, 0, 0)}, Checked: now, Problems: 1}}
	l := w.line(Target{"processor", srv.URL})
	l.look(t.Context())
	p := l.Now()
	require.Equal(t, Warned, p.Instances[0].Status)
	require.Nil(t, p.Instances[0].Rates[0].Per, "nobody knows yet")
	require.Nil(t, p.Topics[0].Per)
	require.Equal(t, Warned, p.Alerting.Status)
	lines.Store(1000)
	w.ends[contract.TopicRaw][0] = 30
	l.mu.Lock()
	ago := -10 * time.Second
	l.last.Instances[0].at, l.last.Topics[0].at = l.last.Instances[0].at.Add(ago), l.last.Topics[0].at.Add(ago)
	l.mu.Unlock()
	l.look(t.Context())
	p = l.Now()
	require.Equal(t, "lines stored", p.Instances[0].Rates[0].Name)
	require.InDelta(t, 100, *p.Instances[0].Rates[0].Per, 20)
	require.InDelta(t, 1, *p.Topics[0].Per, 0.2)
	srv.Close()
	l.look(t.Context())
	require.Equal(t, Down, l.Now().Instances[0].Status)
	l.at = l.at.Add(-oldAfter)
	require.True(t, l.Now().Stale)
}

func TestTargets(t *testing.T) {
	t.Parallel()
	got, err := ParseTargets("collector=http://127.0.0.1:4318/, processor=https://p:1,processor=http://q:2")
	require.NoError(t, err)
	require.Equal(t, []Target{{"collector", "http://127.0.0.1:4318"}, {"processor", "https://p:1"}, {"processor", "http://q:2"}}, got)
	for _, bad := range []string{"http://a:1", "a=b", "a=ftp://x:1", "=http://x:1", "a=http://me:secret@x:1"} {
		_, err := ParseTargets(bad)
		require.Error(t, err, bad)
	}
}
