package bridge

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

const patience = 40 * time.Second

// world is a broker with a producer of alert events.
type world struct {
	t     *testing.T
	kafka config.Kafka
	pub   *bus.Transactional
	reg   *prometheus.Registry // of the last run
}

func newWorld(t *testing.T, kafka config.Kafka) *world {
	t.Helper()
	w := &world{t: t, kafka: kafka}
	pub, err := bus.NewTransactional(t.Context(), w.kafka, "test", "test-relay")
	require.NoError(t, err)
	w.pub = pub
	t.Cleanup(func() { require.NoError(t, w.pub.Close()) })
	return w
}

// say publishes an event as the relay does.
func (w *world) say(e *contract.AlertEvent) {
	w.t.Helper()
	raw, err := e.Encode()
	require.NoError(w.t, err)
	var messages []bus.Message
	for _, topic := range []string{contract.TopicAlerts, contract.TopicAlertsState} {
		messages = append(messages, bus.Message{Topic: topic, Key: []byte(e.Data.Fingerprint), Value: raw, Headers: e.Headers()})
	}
	require.NoError(w.t, w.pub.Send(w.t.Context(), messages))
}

// run runs bridges until stop is called.
func (w *world) run(f File) (stop func()) {
	w.t.Helper()
	w.reg = prometheus.NewRegistry()
	set := New(w.kafka, f, Deps{testkit.BusClient(w.t, w.kafka), zerolog.New(os.Stderr).Level(zerolog.WarnLevel), w.reg})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		require.NoError(w.t, <-done)
	}
	w.t.Cleanup(stop)
	return stop
}

// done waits until a receiver has been done with n events: an answer that was given is not yet an answer that was taken note of.
func (w *world) done(receiver string, n int) {
	w.t.Helper()
	require.Eventually(w.t, func() bool {
		families, err := w.reg.Gather()
		require.NoError(w.t, err)
		sum := 0.0
		for _, f := range families {
			for _, m := range f.GetMetric() {
				if f.GetName() == "logmill_bridge_events_total" && slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == receiver }) {
					sum += m.GetCounter().GetValue()
				}
			}
		}
		return int(sum) == n
	}, patience, 10*time.Millisecond, "%s is not done with %d events", receiver, n)
}

// dead is the next n dead letters.
func (w *world) dead(n int) []*sarama.ConsumerMessage {
	w.t.Helper()
	c, err := sarama.NewConsumer(w.kafka.Brokers, nil)
	require.NoError(w.t, err)
	defer c.Close()
	pc, err := c.ConsumePartition(w.kafka.Topic(contract.TopicDead), 0, sarama.OffsetOldest)
	require.NoError(w.t, err)
	defer pc.Close()
	var out []*sarama.ConsumerMessage
	for deadline := time.After(patience); len(out) < n; {
		select {
		case m := <-pc.Messages():
			out = append(out, m)
		case <-deadline:
			require.FailNow(w.t, "no more dead letters", "have %d", len(out))
		}
	}
	return out
}

// inbox is a webhook that passes on the ids of the events it took.
type inbox struct {
	*httptest.Server
	ids  chan string
	code atomic.Int32
	// limit is how many events are taken before all others are put off.
	limit, taken atomic.Int32
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{ids: make(chan string, 1000)}
	in.code.Store(200)
	in.limit.Store(1 << 30)
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := int(in.code.Load())
		if in.taken.Add(1) > in.limit.Load() {
			code = http.StatusServiceUnavailable
		}
		w.WriteHeader(code)
		if code == 200 {
			in.ids <- r.Header.Get(headerEventID)
		}
	}))
	t.Cleanup(in.Close)
	return in
}

// await returns what came besides.
func (in *inbox) await(t *testing.T, ids ...string) (others []string) {
	t.Helper()
	return awaitPosts(t, in.ids, ids...)
}

func quick() Delivery {
	return Delivery{Timeout: 5 * time.Second, Attempts: 100, Backoff: 20 * time.Millisecond, MaxBackoff: 50 * time.Millisecond}
}

func webhookTo(name, url string, d Delivery) Receiver {
	return Receiver{Name: name, Webhook: &Webhook{URL: url, Delivery: d, secret: "s3cret"}}
}

// TestBridgesGoOnAfterARestart: what was delivered is not delivered again, what was not is, and a receiver that is stuck holds up no other.
func TestBridgesGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		w := newWorld(t, kafka)
		good, stuck := newInbox(t), newInbox(t)
		stuck.code.Store(503)
		f := File{Receivers: []Receiver{webhookTo("good", good.URL, quick()), webhookTo("stuck", stuck.URL, Delivery{Timeout: time.Second, Attempts: 100, Backoff: time.Minute, MaxBackoff: time.Minute})},
			Routes: []Route{{Receiver: "good"}, {Receiver: "stuck"}}}
		first := []*contract.AlertEvent{event("a", 1, "firing"), event("b", 1, "firing"), event("c", 1, "firing")}
		w.say(first[0]) // before the bridges ever ran, but only just
		stop := w.run(f)
		w.say(first[1])
		w.say(first[2])
		good.await(t, first[0].ID, first[1].ID, first[2].ID)
		w.done("good", 3)
		stop() // in the middle: the stuck one is waiting to try again

		second := []*contract.AlertEvent{event("a", 2, "resolved"), event("d", 1, "firing")}
		w.say(second[0]) // while nobody runs
		stuck.code.Store(200)
		stop = w.run(f)
		w.say(second[1])
		require.Empty(t, good.await(t, second[0].ID, second[1].ID), "nothing that was delivered comes again after a clean stop")
		stuck.await(t, first[0].ID, first[1].ID, first[2].ID, second[0].ID, second[1].ID)
		stop()
	})
}

func TestWhatIsRefusedGoesToTheDeadLetters(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		w := newWorld(t, kafka)
		in := newInbox(t)
		in.code.Store(410)
		stop := w.run(File{Receivers: []Receiver{webhookTo("gone", in.URL, quick())}, Routes: []Route{{Receiver: "gone"}}})
		e := event("a", 1, "firing")
		w.say(e)
		m := w.dead(1)[0]
		headers := map[string]string{}
		for _, h := range m.Headers {
			headers[string(h.Key)] = string(h.Value)
		}
		d, err := contract.ParseDead(headers)
		require.NoError(t, err)
		require.Equal(t, contract.Dead{Error: `attempt 1 of 100: the receiver answered 410: ""`, Component: "bridge-gone", Kind: contract.DeadUndelivered, Topic: contract.TopicAlerts, Partition: contract.Home("a", w.kafka.Partitions)}, d)
		require.Equal(t, e.ID, headers["original-ce_id"])
		require.Equal(t, "a", string(m.Key))
		back, err := contract.ParseAlert(m.Value)
		require.NoError(t, err)
		require.Equal(t, e, back)
		w.done("gone", 1)
		stop()

		in.code.Store(200)
		w.run(File{Receivers: []Receiver{webhookTo("gone", in.URL, quick())}, Routes: []Route{{Receiver: "gone"}}})
		w.say(event("a", 2, "firing"))
		require.Empty(t, in.await(t, event("a", 2, "firing").ID), "a dead letter is done with")
	})
}

// TestAlertmanagerIsToldOfWhatFiresAfterARestart: its offsets are past the alert, so only alerts.state knows of it.
func TestAlertmanagerIsToldOfWhatFiresAfterARestart(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		w := newWorld(t, kafka)
		posts := make(chan string, 1000)
		am := httptest.NewServer(amHandler(posts))
		t.Cleanup(am.Close)
		f := File{Receivers: []Receiver{{Name: "pager", Alertmanager: &Alertmanager{URL: am.URL + "/", Resend: time.Minute, Delivery: quick()}}}, Routes: []Route{{Receiver: "pager"}}}
		stop := w.run(f)
		w.say(event("a", 1, "firing"))
		w.say(event("b", 1, "firing"))
		awaitPosts(t, posts, "a:high", "b:high")
		w.say(event("b", 2, "resolved"))
		awaitPosts(t, posts, "b:high!")
		stop()
		w.run(f)
		awaitPosts(t, posts, "a:high")
		w.say(event("c", 1, "firing"))
		awaitPosts(t, posts, "c:high")
		require.Empty(t, posts)
	})
}

func amHandler(posts chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var alerts []amAlert
		if r.URL.Path != alertsPath || r.Header.Get("Content-Type") != contentTypeJSON || json.NewDecoder(r.Body).Decode(&alerts) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, a := range alerts {
			posts <- brief([]amAlert{a})
		}
	})
}

// awaitPosts waits until all of want were posted, in any order: they come by partition. It returns what came besides.
func awaitPosts(t *testing.T, posts <-chan string, want ...string) (others []string) {
	t.Helper()
	missing := slices.Clone(want)
	for deadline := time.After(patience); len(missing) > 0; {
		select {
		case p := <-posts:
			if i := slices.Index(missing, p); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			} else {
				others = append(others, p)
			}
		case <-deadline:
			require.FailNow(t, "alerts were not posted", "%v of %v", missing, want)
		}
	}
	return others
}
