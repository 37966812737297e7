package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
	"github.com/logmill/logmill/compose/e2e/internal/history"
	"github.com/logmill/logmill/compose/e2e/internal/model"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

const (
	betweenBatch = 100 * time.Millisecond
	askers       = 2
	retiredFor   = 6 * time.Second // how long removed blocks stay readable, by this machine's clock
	clockSlack   = time.Second     // by which the processors' clocks may differ from ours, by this machine's clock
	gone         = 3 * time.Second // a consumer that is silent for so long is replaced
	fileGrowth   = 32 << 10        // KiB: InnoDB makes a file larger by 4 MiB at once, and there are two a day
)

// TestWeek lets DAYS days go by in LENGTH seconds, with two processors that are killed and restarted: lines are stored, merged, removed after a day and their
// disk given back, while random queries run through the api. No answer is wrong: each line once, none missing that must be there, none that
// was not asked for. In the end, what is there is what retention leaves, and the days before are gone from the disk.
func TestWeek(t *testing.T) {
	days, seconds := setting(t, "DAYS", 8), setting(t, "LENGTH", 64)
	age := 24 * time.Hour
	s := stack.New(t, 1)
	clock := history.Clock{Wall: time.Now(), Event: time.Now().Add(-time.Duration(days) * 24 * time.Hour), Speed: int64(days) * 86400 / int64(seconds)}
	r := newTrial(t, s, clock, age)
	r.start(mutant(t, "history"), clock.Env(), "LOGMILL_TEST_RETIRED="+retiredFor.String(), "RETENTION="+age.String(), "SCRUB_EVERY=24h")
	files := r.watchDisk()
	r.run(time.Until(clock.Wall.Add(time.Duration(seconds)*time.Second)), uint64(setting(t, "SEED", 1)))
	sizes := files()

	r.settle()
	require.Eventually(t, func() bool { return r.olderThan(age+24*time.Hour) == 0 }, time.Minute, time.Second, "what is a day over its time is still found")
	require.Empty(t, r.compareAll())
	r.countsAreKept()
	var dropped int
	require.NoError(t, r.db.Text.QueryRow(`SELECT COUNT(*) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'block_data' AND PARTITION_NAME < ?`,
		"p"+time.Now().Add(-age-4*24*time.Hour).UTC().Format("20060102")).Scan(&dropped))
	require.Zero(t, dropped, "days that are long gone have partitions")
	t.Logf("%d days in %d s: %s; disk of blocks and filters by ninths of the time, KiB: %v", days, seconds, r, sizes)
	require.Less(t, sizes[8], 2*sizes[4]+fileGrowth, "the disk is not bounded")
	r.enough(days * 5)
}

// TestSearchWhileBlocksAreMerged asks random queries of a real api while two processors, which come and go, store and merge: LENGTH seconds long.
// Nothing is removed, so every line that is stored must be in every answer, once.
func TestSearchWhileBlocksAreMerged(t *testing.T) {
	s := stack.New(t, 1)
	r := newTrial(t, s, history.Clock{Wall: time.Now(), Event: time.Now(), Speed: 1}, 0)
	r.start(stack.Processor)
	r.run(time.Duration(setting(t, "LENGTH", 30))*time.Second, uint64(setting(t, "SEED", 1)))
	r.settle()
	require.Empty(t, r.compareAll())
	var merged int
	require.NoError(t, r.db.Text.QueryRow(`SELECT COUNT(*) FROM block WHERE generation > 0`).Scan(&merged))
	t.Logf("%s, %d merged blocks", r, merged)
	require.NotZero(t, merged)
	require.Zero(t, r.partial.Load())
	r.enough(60)
	r.damage()
}

// trial is a running installation and the model of it.
type trial struct {
	t     *testing.T
	s     *stack.Stack
	db    *mysqlx.DB
	m     *model.Model
	clock history.Clock
	began time.Time
	age   time.Duration // of what is kept; 0 = everything is
	acked atomic.Int64  // lines, in order

	asked, partial, found atomic.Int64
}

func (r *trial) String() string {
	return fmt.Sprintf("%d lines, %d questions with %d lines in their answers, %d answered in part", r.m.Len(), r.asked.Load(), r.found.Load(), r.partial.Load())
}

func newTrial(t *testing.T, s *stack.Stack, clock history.Clock, age time.Duration) *trial {
	t.Helper()
	return &trial{t: t, s: s, db: testkit.DB(t, s.MySQL), m: model.New(1), clock: clock, began: clock.Now(), age: age}
}

// start starts a collector, an api and two processors.
func (r *trial) start(processor string, env ...string) {
	r.t.Helper()
	s := r.s
	s.Start("collector", "collector", fmt.Sprintf("COLLECTOR_PORT=%d", s.Port("collector")))
	s.Start("api", "api", fmt.Sprintf("API_PORT=%d", s.Port("api")))
	for _, n := range []string{"processor-1", "processor-2"} {
		s.Start(n, processor, append(env, fmt.Sprintf("PROCESSOR_PORT=%d", s.Port(n)), "KAFKA_SESSION_TIMEOUT="+gone.String())...)
	}
	for _, n := range []string{"collector", "api", "processor-1", "processor-2"} {
		s.AwaitReady(n)
	}
}

// now is the processors' clock: in a hurry, until it has caught up.
func (r *trial) now() time.Time {
	if now := time.Now(); r.clock.Speed > 1 && r.clock.Now().After(now) {
		return now
	}
	return r.clock.Now()
}

// run sends and asks for as long, and has processors killed and restarted meanwhile.
func (r *trial) run(length time.Duration, seed uint64) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.send(ctx) })
	wg.Go(func() { r.confirm(ctx) })
	for i := range askers {
		wg.Go(func() { r.ask(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	wg.Go(func() {
		pause(length / 3)
		r.note(r.s.Kill("processor-1"))
		r.note(r.s.Restart("processor-1"))
		pause(length / 3)
		r.note(r.s.Signal("processor-2", syscall.SIGTERM))
		for r.s.Alive("processor-2") {
			pause(50 * time.Millisecond)
		}
		r.note(r.s.Restart("processor-2"))
	})
	wg.Wait()
}

func (r *trial) note(err error) {
	if err != nil {
		r.t.Error(err)
	}
}

// send sends batches one after the other, each until it is acknowledged.
func (r *trial) send(ctx context.Context) {
	size := setting(r.t, "BATCH", 20)
	for n := 0; ctx.Err() == nil; n++ {
		lines := r.m.Make(size, r.now())
		body := model.Body(lines)
		for !r.post(body, fmt.Sprintf("batch-%d", n)) {
			if ctx.Err() != nil {
				return
			}
			pause(betweenBatch)
		}
		r.m.Acked(lines, r.now())
		r.acked.Add(int64(len(lines)))
		pause(betweenBatch)
	}
}

func (r *trial) post(body []byte, key string) bool {
	req, err := http.NewRequest(http.MethodPost, r.s.URL("collector")+"/api/logs", bytes.NewReader(body))
	if err != nil {
		r.t.Error(err)
		return true
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Idempotency-Key", key)
	resp, err := r.s.Client().Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}

// confirm tells the model what is stored.
func (r *trial) confirm(ctx context.Context) {
	client, err := bus.NewClient(r.s.Kafka, "trial")
	if err != nil {
		r.t.Error(err)
		return
	}
	defer func() { _ = client.Close() }()
	for ctx.Err() == nil {
		n := int(r.acked.Load())
		ends, err := client.EndOffsets(ctx, contract.TopicRaw)
		if err != nil {
			continue
		}
		for ctx.Err() == nil && !r.reached(ctx, ends) {
			pause(50 * time.Millisecond)
		}
		if ctx.Err() == nil {
			r.m.Stored(n)
		}
	}
}

func (r *trial) reached(ctx context.Context, ends map[int32]int64) bool {
	for part, end := range ends {
		var next int64
		if err := r.db.Text.QueryRowContext(ctx, `SELECT next_offset FROM partition_progress WHERE part = ?`, part).Scan(&next); err != nil || next < end {
			return false
		}
	}
	return true
}

// ask asks random questions and compares.
func (r *trial) ask(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		q := model.Random(rng, r.began, r.now())
		if wrong := r.compare(ctx, q, rng.IntN(3) == 0); wrong != "" && ctx.Err() == nil {
			r.t.Errorf("%s from %s to %s, at %s: %s", q.Text, time.Unix(0, q.Start).UTC(), time.Unix(0, q.End).UTC(), r.now().UTC(), wrong)
			return
		}
		r.asked.Add(1)
	}
}

// compare asks one question, for the lines or for their number.
func (r *trial) compare(ctx context.Context, q model.Query, count bool) (wrong string) {
	known := r.m.Known()
	ask := model.Ask
	if count {
		ask = model.Count
	}
	a, err := ask(ctx, r.s.Client(), r.s.URL("api"), q)
	if err != nil {
		return err.Error()
	}
	r.found.Add(int64(len(a.Lines)))
	kept := r.kept()
	if a.Partial { // says that lines may be missing
		r.partial.Add(1)
		r.t.Logf("in part: %s", a.Reason)
		kept = math.MaxInt64
	}
	if !count {
		return r.m.Compare(q, a.Lines, known, kept, true)
	}
	if least, most := r.m.Counts(q, known, kept); int(a.Total) < least || int(a.Total) > most {
		return fmt.Sprintf("counted %d, not %d to %d", a.Total, least, most)
	}
	return ""
}

// kept is the moment from which on lines must be there, ns.
func (r *trial) kept() int64 {
	if r.age == 0 {
		return math.MinInt64
	}
	return r.now().Add(-r.age + clockSlack*time.Duration(r.clock.Speed)).UnixNano()
}

func (r *trial) enough(questions int) {
	r.t.Helper()
	require.GreaterOrEqual(r.t, int(r.asked.Load()), questions, "too few questions: this run has shown nothing")
	require.NotZero(r.t, r.found.Load())
	require.LessOrEqual(r.t, r.partial.Load(), r.asked.Load()/10)
}

// countsAreKept compares what dashboards count, of the lines that are gone too, with all that was sent.
func (r *trial) countsAreKept() {
	r.t.Helper()
	q := r.everything()
	var got struct {
		Total   int  `json:"total_logs"`
		Partial bool `json:"partial"`
	}
	url := fmt.Sprintf("%s/api/metrics?start=%d&end=%d&step=24h", r.s.URL("api"), q.End-int64(30*24*time.Hour), q.End) // a month is the most
	last := ""
	enough := func() bool { // the last batch may not have been answered
		resp, err := r.s.Client().Get(url)
		require.NoError(r.t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(r.t, err)
		require.Equal(r.t, http.StatusOK, resp.StatusCode, string(body))
		last = fmt.Sprintf("%.200s", body)
		require.NoError(r.t, json.Unmarshal(body, &got))
		return got.Total >= int(r.acked.Load()) && got.Total <= r.m.Len()
	}
	for range 60 {
		if enough() {
			break
		}
		pause(500 * time.Millisecond)
	}
	require.True(r.t, enough(), "%d to %d lines were sent, %d are counted: %s", r.acked.Load(), r.m.Len(), got.Total, last)
	require.False(r.t, got.Partial)
}

// damage changes a byte of a stored block: a fresh api leaves it out, and says so.
func (r *trial) damage() {
	r.t.Helper()
	before, err := model.Ask(r.t.Context(), r.s.Client(), r.s.URL("api"), r.everything())
	require.NoError(r.t, err)
	var id uint64
	var rows int
	require.NoError(r.t, r.db.Text.QueryRow(`SELECT id, row_count FROM block WHERE retired_seq IS NULL ORDER BY row_count DESC LIMIT 1`).Scan(&id, &rows))
	_, err = r.db.Blob.Exec(`UPDATE block_data SET data = INSERT(data, LENGTH(data) DIV 2, 1, CHAR(ASCII(SUBSTRING(data, LENGTH(data) DIV 2, 1)) ^ 1)) WHERE block_id = ?`, id)
	require.NoError(r.t, err)
	require.NoError(r.t, r.s.Kill("api"))
	require.NoError(r.t, r.s.Restart("api"))
	r.s.AwaitReady("api")
	a, err := model.Ask(r.t.Context(), r.s.Client(), r.s.URL("api"), r.everything())
	require.NoError(r.t, err)
	require.True(r.t, a.Partial)
	require.Contains(r.t, a.Reason, fmt.Sprintf("block %d is left out", id))
	require.Len(r.t, a.Lines, len(before.Lines)-rows)
	require.Empty(r.t, r.m.Compare(r.everything(), a.Lines, 0, 0, true))
}

// settle waits until all is stored.
func (r *trial) settle() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 3*time.Minute)
	defer cancel()
	pause(time.Second)
	require.NoError(r.t, audit.AwaitStored(ctx, r.s.MySQL, r.s.Kafka))
	r.m.Stored(int(r.acked.Load()))
}

func (r *trial) everything() model.Query {
	return model.All(r.began.Add(-30*24*time.Hour), time.Now().Add(time.Hour))
}

func (r *trial) compareAll() string { return r.compare(r.t.Context(), r.everything(), false) }

// olderThan is how many lines are found that were received so long ago.
func (r *trial) olderThan(age time.Duration) int {
	a, err := model.Ask(r.t.Context(), r.s.Client(), r.s.URL("api"), r.everything())
	require.NoError(r.t, err)
	return r.m.Older(a.Lines, time.Now().Add(-age).UnixNano())
}

// watchDisk measures the files of blocks and filters until its result is called, which gives ten sizes, evenly over the time, KiB.
func (r *trial) watchDisk() func() []int {
	ctx, cancel := context.WithCancel(r.t.Context())
	var sizes []int
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			var kib int
			if err := r.db.Text.QueryRowContext(ctx, `SELECT CAST(SUM(FILE_SIZE) / 1024 AS SIGNED) FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE 'logmill/block\_%#%'`).Scan(&kib); err == nil {
				sizes = append(sizes, kib)
			}
			pause(500 * time.Millisecond)
		}
	})
	return func() (tenths []int) {
		cancel()
		wg.Wait()
		for i := range 10 {
			tenths = append(tenths, sizes[i*(len(sizes)-1)/9])
		}
		return tenths
	}
}
