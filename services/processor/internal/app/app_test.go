package app

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// system is a broker, a database, and what was sent.
type system struct {
	kafka config.Kafka
	mysql config.MySQL // as the processors see it
	db    *mysqlx.DB
	out   *bus.Publisher
	sent  int
	tune  func(*Config) // nil = nothing
}

func newSystem(t *testing.T, kafka config.Kafka) *system {
	t.Helper()
	my := testkit.MySQL(t)
	s := &system{kafka: kafka, mysql: my, db: testkit.DB(t, my), out: bus.NewPublisher(kafka, "test", false, zerolog.Nop())}
	t.Cleanup(func() { _ = s.out.Close() })
	return s
}

// start runs a processor until stop; stop waits.
func (s *system) start(t *testing.T) (a *App, stop func()) {
	t.Helper()
	cfg := Config{MySQL: s.mysql, Kafka: s.kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxLate: 5 * time.Minute, Env: "test", CompactAfter: 50 * time.Millisecond, RawTrim: s.kafka.Embedded}
	if s.tune != nil {
		s.tune(&cfg)
	}
	a, err := New(t.Context(), cfg, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && ctx.Err() == nil {
				t.Errorf("processor: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return a, stop
}

// send produces n messages of a few lines each, some of them poison, to random partitions.
func (s *system) send(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	var enc contract.Encoder
	for range n {
		enc.Reset()
		for range 1 + r.IntN(20) {
			now := time.Now().UnixNano()
			enc.Add(&logrec.Record{Service: fmt.Sprintf("s%d", r.IntN(3)), Level: logrec.LevelError, Message: fmt.Sprintf("m-%d", s.sent), Timestamp: now, Observed: now})
			s.sent++
		}
		s.publish(t, int32(r.IntN(int(s.kafka.Partitions))), contract.ContentTypeOTLP, enc.AppendTo(nil))
	}
	s.publish(t, 0, contract.ContentTypeOTLP, []byte("\xff\xff garbage"))
}

func (s *system) publish(t *testing.T, p int32, contentType string, value []byte) {
	t.Helper()
	require.Eventually(t, func() bool {
		return s.out.Publish(t.Context(), contract.TopicRaw, p, nil, value, []contract.Header{{Key: contract.HeaderContentType, Value: contentType}}) == nil
	}, 30*time.Second, 50*time.Millisecond)
}

func (s *system) number(t *testing.T, query string) (n int) {
	t.Helper()
	require.NoError(t, s.db.Text.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func (s *system) allStored(t *testing.T) func() bool {
	return func() bool {
		return s.number(t, "SELECT COALESCE(SUM(row_count),0) FROM block WHERE retired_seq IS NULL") >= s.sent &&
			s.number(t, "SELECT COALESCE(SUM(line_count),0) FROM window_data") >= s.sent
	}
}

// requireExact waits until all is stored and then compares: stored = sent, windows = stored, logs.enriched without repeats = stored.
func (s *system) requireExact(t *testing.T) {
	t.Helper()
	require.Eventually(t, s.allStored(t), 60*time.Second, 100*time.Millisecond, "sent %d", s.sent)
	stored := s.storedMessages(t)
	require.Len(t, stored, s.sent)
	for m, n := range stored {
		require.Equal(t, 1, n, m)
	}
	require.Equal(t, s.sent, s.number(t, "SELECT SUM(line_count) FROM window_data"))
	require.Equal(t, s.sent, s.number(t, "SELECT SUM(line_count) FROM error_data"))
	require.Equal(t, stored, s.enrichedMessages(t))
}

func (s *system) storedMessages(t *testing.T) map[string]int {
	t.Helper()
	rows, err := s.db.Blob.QueryContext(t.Context(), "SELECT d.data FROM block b JOIN block_data d ON d.block_id = b.id AND d.day = b.day WHERE b.retired_seq IS NULL")
	require.NoError(t, err)
	defer rows.Close()
	n := map[string]int{}
	for rows.Next() {
		var data []byte
		require.NoError(t, rows.Scan(&data))
		count(t, n, data)
	}
	require.NoError(t, rows.Err())
	return n
}

func count(t *testing.T, n map[string]int, data []byte) {
	t.Helper()
	recs, err := worker.DecodeBlock(data)
	require.NoError(t, err)
	for _, r := range recs {
		n[r.Message]++
	}
}

// enrichedMessages reads logs.enriched from its start as a reader does: what it has is dropped, a gap is an error.
func (s *system) enrichedMessages(t *testing.T) map[string]int {
	t.Helper()
	sub, err := bus.NewSubscriber(s.kafka, "reader", bus.Hook{
		Load: func(_ context.Context, _ string, parts []int32) (map[int32]int64, error) {
			next := map[int32]int64{}
			for _, p := range parts {
				next[p] = 0
			}
			return next, nil
		},
		Assigned: func(*bus.Claim) {}, Revoked: func(*bus.Claim) {}, Lost: func(string, int32, int64) {}}, zerolog.Nop())
	require.NoError(t, err)
	defer sub.Close()
	messages, err := sub.Subscribe(t.Context(), contract.TopicEnriched)
	require.NoError(t, err)
	n, total, have := map[string]int{}, 0, map[int32]int64{}
	timeout := time.After(40 * time.Second)
	for total < s.sent {
		select {
		case msg := <-messages:
			h, err := contract.ParseEnriched(msg.Metadata)
			require.NoError(t, err)
			require.Equal(t, bus.InfoOf(msg).Partition, h.Partition)
			if last := have[h.Partition] - 1; h.Rows > 0 && h.To > last {
				require.Equal(t, last, h.Prev, "a gap in partition %d before %d", h.Partition, h.From)
				have[h.Partition] = h.To + 1
				count(t, n, msg.Payload)
				total += h.Rows
			}
			msg.Ack()
		case <-timeout:
			t.Fatalf("logs.enriched: %d of %d lines", total, s.sent)
		}
	}
	return n
}

// TestExactlyOnce: processors come and go at random moments while lines arrive and blocks are merged.
func TestExactlyOnce(t *testing.T) {
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		r := rand.New(rand.NewPCG(7, 7))
		s := newSystem(t, kafka)
		_, stopA := s.start(t)
		for range 3 {
			s.send(t, r, 40)
			_, stopB := s.start(t)
			s.send(t, r, 40)
			stopA()
			stopA = stopB
		}
		s.send(t, r, 40)
		s.requireExact(t)
		for n := 0; s.number(t, "SELECT COUNT(*) FROM block WHERE generation > 0") == 0; n++ {
			require.Less(t, n, 300, "nothing is merged")
			s.send(t, r, 2)
			require.Eventually(t, s.allStored(t), 60*time.Second, 20*time.Millisecond)
		}
		s.requireExact(t)
		stopA()
		require.Equal(t, s.sent, s.number(t, "SELECT SUM(row_count) FROM block WHERE retired_seq IS NULL"))
	})
}

// TestMySQLGoesAway: connections are cut in the middle of everything, twice, and come back.
func TestMySQLGoesAway(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 8))
	s := newSystem(t, testkit.Kafka(t))
	proxy := newProxy(t, s.mysql.Addr())
	s.mysql.Host, s.mysql.Port = "127.0.0.1", proxy.port()
	a, stop := s.start(t)
	for range 2 {
		s.send(t, r, 30)
		proxy.cut()
		s.send(t, r, 30)
		require.Eventually(t, func() bool { return readyz(t, a) == http.StatusServiceUnavailable }, 20*time.Second, 50*time.Millisecond)
		proxy.restore()
	}
	s.requireExact(t)
	require.Eventually(t, func() bool { return readyz(t, a) == http.StatusOK }, 20*time.Second, 50*time.Millisecond)
	stop()
}

// readyz is the status code of /readyz, 0 without an answer: it is asked again.
func readyz(t *testing.T, a *App) int {
	t.Helper()
	resp, err := http.Get("http://" + a.Addr() + "/readyz")
	if err != nil {
		t.Logf("readyz: %v", err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// proxy stands between a processor and MySQL and can cut all connections.
type proxy struct {
	ln     net.Listener
	target string
	mu     sync.Mutex
	off    bool
	conns  []net.Conn
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{ln: ln, target: target}
	t.Cleanup(func() { _ = ln.Close(); p.cut() })
	go p.serve()
	return p
}

func (p *proxy) port() int { return p.ln.Addr().(*net.TCPAddr).Port }

func (p *proxy) serve() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", p.target)
		p.mu.Lock()
		if err != nil || p.off {
			_ = c.Close()
			if up != nil {
				_ = up.Close()
			}
		} else {
			p.conns = append(p.conns, c, up)
			go func() { _, _ = io.Copy(up, c) }()
			go func() { _, _ = io.Copy(c, up) }()
		}
		p.mu.Unlock()
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}
