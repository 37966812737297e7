package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

// bench is a worker with the edges in the test's hands.
type bench struct {
	*worker
	t      *testing.T
	marked []int64
	buried []string
	offset int64
}

func newBench(t *testing.T, to Receiver, url string, client *http.Client) *bench {
	b := &bench{t: t}
	m := newMetrics(prometheus.NewRegistry())
	d := Delivery{Timeout: 5 * time.Second, Attempts: 3, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}
	b.worker = &worker{
		name: "r", file: File{Receivers: []Receiver{to}, Routes: []Route{{Receiver: "r", Severity: []string{"high", "critical"}}}}, out: to.outlet("http://logs", m.dropped.WithLabelValues("r").Inc), metrics: m, log: zerolog.Nop(),
		send: &deliverer{Delivery: d, url: url, client: client, now: time.Now, rand: func() float64 { return 1 }, retried: m.retries.WithLabelValues("r").Inc},
		mark: func(next int64) { b.marked = append(b.marked, next) },
		bury: func(ctx context.Context, it item, cause error) error {
			b.buried = append(b.buried, cause.Error())
			return ctx.Err()
		},
		rebuild: func(context.Context, func(key, value []byte)) error { return nil },
		in:      make(chan item), done: make(chan struct{}),
	}
	return b
}

func (b *bench) give(ctx context.Context, e *contract.AlertEvent) {
	b.t.Helper()
	raw, err := e.Encode()
	require.NoError(b.t, err)
	b.raw(ctx, raw)
}

func (b *bench) raw(ctx context.Context, value []byte) {
	taken := false
	b.serve(ctx, item{value: value, offset: b.offset, time: time.Now(), taken: func() { taken = true }})
	b.offset++
	require.True(b.t, taken, "whatever happens, the subscriber must not wait for it")
}

func (b *bench) count(outcome string) int {
	return int(testutil.ToFloat64(b.metrics.events.WithLabelValues("r", outcome)))
}

var hook = Receiver{Name: "r", Webhook: &Webhook{secret: "s3cret"}}

// recorder is a fake receiver that answers with the codes in turn, then 200.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	codes    []int
	requests []*http.Request
	bodies   [][]byte
}

func newRecorder(t *testing.T, codes ...int) *recorder {
	r := &recorder{codes: codes}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests, r.bodies = append(r.requests, req), append(r.bodies, body)
		if len(r.codes) > 0 {
			w.WriteHeader(r.codes[0])
			r.codes = r.codes[1:]
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func TestWebhookIsTheEventSigned(t *testing.T) {
	t.Parallel()
	srv := newRecorder(t, 500, 429)
	b := newBench(t, hook, srv.URL+"/hook?a=b", newClient())
	e := event("f", 1, "firing")
	raw, err := e.Encode()
	require.NoError(t, err)
	raw = append(raw, ' ') // the bytes as they came, not as we would write them
	b.raw(t.Context(), raw)

	require.Len(t, srv.bodies, 3)
	for i, req := range srv.requests {
		require.Equal(t, http.MethodPost, req.Method)
		require.Equal(t, "/hook?a=b", req.URL.String())
		require.Equal(t, raw, srv.bodies[i])
		require.Equal(t, contract.ContentTypeEvent, req.Header.Get("Content-Type"))
		require.Equal(t, e.ID, req.Header.Get("X-Logmill-Event-Id"))
		require.Regexp(t, `^t=\d{10},v1=[0-9a-f]{64}$`, req.Header.Get("X-Logmill-Signature"))
	}
	require.Equal(t, 2, int(testutil.ToFloat64(b.metrics.retries.WithLabelValues("r"))))
	require.Equal(t, []int64{1}, b.marked)
	require.Equal(t, 1, b.count(outcomeSent))
}

func TestWhatBecomesOfEvents(t *testing.T) {
	t.Parallel()
	srv := newRecorder(t, 200, 404, 500, 500, 500)
	b := newBench(t, hook, srv.URL, newClient())
	b.give(t.Context(), event("f", 5, "firing"))
	b.give(t.Context(), event("f", 5, "firing")) // repeat
	b.give(t.Context(), event("f", 4, "firing")) // repeat
	b.give(t.Context(), event("f", 6, "firing", severity("low")))
	b.give(t.Context(), event("f", 7, "firing", silenced))
	b.give(t.Context(), event("g", 1, "firing")) // 404
	b.give(t.Context(), event("h", 1, "firing")) // 500 three times
	b.raw(t.Context(), []byte("not an event"))
	b.give(t.Context(), event("f", 8, "resolved"))

	require.Len(t, srv.bodies, 1+1+3+1)
	require.Equal(t, map[string]int{outcomeSent: 2, outcomeRepeat: 2, outcomeUnrouted: 1, outcomeSilenced: 1, outcomeDead: 3},
		map[string]int{outcomeSent: b.count(outcomeSent), outcomeRepeat: b.count(outcomeRepeat), outcomeUnrouted: b.count(outcomeUnrouted), outcomeSilenced: b.count(outcomeSilenced), outcomeDead: b.count(outcomeDead)})
	require.Len(t, b.buried, 3)
	require.Contains(t, b.buried[0], "attempt 1 of 3: the receiver answered 404")
	require.Contains(t, b.buried[1], "attempt 3 of 3: the receiver answered 500")
	require.Contains(t, b.buried[2], "reading an alert event")
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}, b.marked)
}

// TestNothingIsMarkedAfterAnInterruption: the offset is the only memory of what was not delivered.
func TestNothingIsMarkedAfterAnInterruption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer srv.Close()
	b := newBench(t, hook, srv.URL, newClient())
	b.give(ctx, event("f", 1, "firing"))
	b.give(ctx, event("f", 2, "firing", severity("low"))) // needs no receiver, and must not be marked past the first
	require.Empty(t, b.marked)
	require.Empty(t, b.buried)

	ctx, cancel = context.WithCancel(t.Context())
	b = newBench(t, hook, srv.URL, newClient())
	b.bury = func(context.Context, item, error) error { return errors.New("the dead letters were not reached") }
	b.raw(ctx, []byte("not an event"))
	require.Empty(t, b.marked)
	cancel()
}

func TestLag(t *testing.T) {
	t.Parallel()
	var w worker
	require.Zero(t, w.lag(t0))
	w.since.Store(t0.UnixNano())
	require.InDelta(t, 90, w.lag(t0.Add(90*time.Second)), 0)
}

// heard is an Alertmanager inside a bubble; it tells what it was posted and when.
type heard struct {
	begin time.Time
	mu    sync.Mutex
	posts []string
	codes []int
}

func (h *heard) RoundTrip(req *http.Request) (*http.Response, error) {
	var alerts []amAlert
	if err := json.NewDecoder(req.Body).Decode(&alerts); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.posts = append(h.posts, time.Since(h.begin).String()+" "+brief(alerts))
	code := 200
	if len(h.codes) > 0 {
		code, h.codes = h.codes[0], h.codes[1:]
	}
	return &http.Response{StatusCode: code, Body: http.NoBody}, nil
}

// fail makes the next n posts fail.
func (h *heard) fail(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.codes = slices.Repeat([]int{http.StatusInternalServerError}, n)
}

func (h *heard) next() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.posts
	h.posts = nil
	return out
}

func TestAlertmanagerIsToldAgainWhileItFires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heard{begin: time.Now()}
		b := newBench(t, Receiver{Name: "r", Alertmanager: &Alertmanager{Resend: time.Minute}}, "http://am", &http.Client{Transport: h})
		b.rebuild = func(_ context.Context, f func(key, value []byte)) error {
			for _, e := range []*contract.AlertEvent{event("old", 1, "firing"), event("gone", 1, "firing"), event("quiet", 1, "firing", silenced)} {
				raw, err := e.Encode()
				require.NoError(t, err)
				f([]byte(e.Data.Fingerprint), raw)
			}
			f([]byte("gone"), nil)
			f([]byte("bad"), []byte("{"))
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		go b.run(ctx)
		offer := func(e *contract.AlertEvent) []string {
			raw, err := e.Encode()
			require.NoError(t, err)
			b.offer(item{value: raw, time: time.Now(), taken: func() {}})
			synctest.Wait()
			return h.next()
		}
		until := func(d time.Duration) []string {
			<-time.After(d - time.Since(h.begin))
			synctest.Wait()
			return h.next()
		}
		require.Equal(t, []string{"0s old:high"}, until(30*time.Second), "at once after a restart")
		require.Equal(t, []string{"30s f:high"}, offer(event("f", 1, "firing")))
		require.Equal(t, []string{"1m0s f:high old:high", "2m0s f:high old:high"}, until(150*time.Second))
		require.Equal(t, []string{"2m30s old:high!"}, offer(event("old", 2, "resolved")))
		require.Empty(t, offer(event("old", 2, "resolved")), "a repeat")
		require.Equal(t, []string{"3m0s f:high"}, until(190*time.Second))

		h.fail(3)
		require.Len(t, until(240*time.Second), 1, "posting again is tried once a turn")
		h.fail(3)
		offer(event("f", 2, "resolved"))
		<-time.After(10 * time.Millisecond) // of back-off
		synctest.Wait()
		require.Len(t, b.buried, 1)
		h.next()
		require.Equal(t, []string{"5m0s f:high!"}, until(400 * time.Second)[:1], "the end was not told: it is due until it is")
		require.Empty(t, until(500*time.Second))

		cancel()
		<-b.done
		released := false
		b.offer(item{taken: func() { released = true }})
		require.True(t, released)
	})
}

func acknowledged(d *contract.AlertData) { d.Annotations[acknowledgedBy] = "ann" }

func reason(r string) func(*contract.AlertData) {
	return func(d *contract.AlertData) { d.Reason = r }
}

// TestWhoWasToldHearsOfTheEnd: silences, acknowledgements and routes that changed keep nobody's incident open, and open none.
func TestWhoWasToldHearsOfTheEnd(t *testing.T) {
	t.Parallel()
	renotify := reason(reasonRenotify)
	for name, c := range map[string]struct {
		events []*contract.AlertEvent
		sent   int
		last   string
	}{
		"told, then silenced":                 {[]*contract.AlertEvent{event("f", 1, "firing"), event("f", 2, "firing", silenced), event("f", 3, "resolved", silenced)}, 2, outcomeSent},
		"never told":                          {[]*contract.AlertEvent{event("f", 1, "firing", silenced), event("f", 2, "firing", silenced, renotify), event("f", 3, "resolved", silenced)}, 0, outcomeSilenced},
		"perhaps told before we were started": {[]*contract.AlertEvent{event("f", 7, "firing", silenced, renotify), event("f", 8, "resolved", silenced)}, 1, outcomeSent},
		"only the end is heard of":            {[]*contract.AlertEvent{event("f", 8, "resolved", silenced)}, 1, outcomeSent},
		"not ours from the beginning":         {[]*contract.AlertEvent{event("f", 8, "resolved", severity("low"))}, 0, outcomeUnrouted},
		"told, then no longer ours":           {[]*contract.AlertEvent{event("f", 1, "firing"), event("f", 2, "firing", severity("low")), event("f", 3, "resolved", severity("low"))}, 2, outcomeSent},
		"another episode, silenced":           {[]*contract.AlertEvent{event("f", 1, "firing"), event("f", 2, "resolved"), event("f", 3, "firing", silenced), event("f", 4, "resolved", silenced)}, 2, outcomeSilenced},
		"the silence ends":                    {[]*contract.AlertEvent{event("f", 1, "firing", silenced), event("f", 2, "firing"), event("f", 3, "resolved")}, 2, outcomeSent},
		"acknowledged, and reminded of":       {[]*contract.AlertEvent{event("f", 1, "firing"), event("f", 2, "firing", acknowledged), event("f", 3, "firing", acknowledged, renotify)}, 2, outcomeAcknowledged},
		"reminded of":                         {[]*contract.AlertEvent{event("f", 1, "firing"), event("f", 2, "firing", renotify)}, 2, outcomeSent},
	} {
		srv := newRecorder(t)
		b := newBench(t, hook, srv.URL, newClient())
		for _, e := range c.events[:len(c.events)-1] {
			b.give(t.Context(), e)
		}
		before := b.count(c.last)
		b.give(t.Context(), c.events[len(c.events)-1])
		require.Equal(t, before+1, b.count(c.last), name)
		require.Len(t, srv.bodies, c.sent, name)
	}
}

// TestRepostingGivesWayToEvents: an Alertmanager that is away is asked once a turn, however much fires.
func TestRepostingGivesWayToEvents(t *testing.T) {
	t.Parallel()
	h := &heard{begin: time.Now()}
	b := newBench(t, Receiver{Name: "r", Alertmanager: &Alertmanager{Resend: time.Minute}}, "http://am", &http.Client{Transport: h})
	am := b.out.(alertmanagerOutlet)
	for i := range 3 * maxPost {
		am.restore(event(fmt.Sprintf("%05d", i), 1, "firing"), outcomeSent)
	}
	h.fail(1)
	b.repost(t.Context(), am)
	require.Len(t, h.next(), 1)
	h.codes = []int{http.StatusBadRequest}
	b.repost(t.Context(), am)
	require.Len(t, h.next(), 3, "one lot that it refuses says nothing of the others")
}

func TestWhatFiresIsPostedWithAnEndThatMovesOn(t *testing.T) {
	t.Parallel()
	am := alertmanagerOutlet{newActive("", func() {}), time.Minute}
	p, _ := am.next(event("f", 1, "firing"), nil, outcomeSent)
	ends := func(now time.Time) time.Time {
		var alerts []amAlert
		body, _ := p(now)
		require.NoError(t, json.Unmarshal(body, &alerts))
		return *alerts[0].EndsAt
	}
	require.Equal(t, t0.Add(4*time.Minute), ends(t0))
	require.Equal(t, t0.Add(5*time.Minute), ends(t0.Add(time.Minute)), "an attempt later")
	require.Equal(t, "f:high", due(am.active))
	require.Nil(t, am.alerts["f"].EndsAt)
}
