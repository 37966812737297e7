package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/alertlog"
	"github.com/logmill/logmill/compose/e2e/internal/history"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/testkit"
)

const (
	clockSpeed = 20              // an hour in three minutes: with more, the pipeline's own latency would look like minutes
	afterwards = 5 * time.Minute // of event time without lines, in which everything resolves
	noProgress = 5 * time.Minute // so long without any progress is a hang, on the slowest machine
)

// TestSameAlertsAlways is the promise of alerts: a seeded history with incidents (MINUTES of event time) goes through the real pipeline, with
// processors killed meanwhile. Over the logs.enriched that it left, one calm evaluator, and three that are killed with SIGKILL (KILLS times),
// stopped and woken as zombies in between, leave the same outbox and the same episodes, byte for byte; alerts.fired and alerts.state have all
// of it in order; and a backtest over the stored blocks finds the same alerts.
func TestSameAlertsAlways(t *testing.T) {
	p := newProof(t)
	evaluator, api := programs(t)
	calm := p.calm(evaluator)
	t.Logf("%d messages on logs.enriched, %d events, %d episodes", len(p.log), len(calm.outbox), len(calm.episodes))
	require.Greater(t, len(calm.outbox), 100)
	require.Empty(t, calm.relayed(), notTheSame)
	require.Empty(t, p.backtests(calm, api), notTheSame)

	got := p.chaos(evaluator)
	require.Empty(t, got.relayed(), notTheSame)
	require.Empty(t, calm.differs(got), notTheSame)
}

// notTheSame is how a failure of what is promised begins, other than one of the test's own.
const notTheSame = "NOT THE SAME ALERTS"

// programs are the evaluator and the api, with the fault in them that FAULT names.
func programs(t *testing.T) (evaluator, api string) {
	t.Helper()
	fault := os.Getenv("FAULT")
	if fault == "" {
		return "alert-evaluator", "api"
	}
	return program(t, "./services/alert-evaluator/cmd/alert-evaluator", "-tags", fault), program(t, "./services/api/cmd/api", "-tags", fault)
}

// TestMutantsOfAlerts shows that the comparison can fail. It takes minutes: MUTANTS=1 asks for it (make test-alerts-mutants).
func TestMutantsOfAlerts(t *testing.T) {
	if os.Getenv("MUTANTS") == "" {
		t.Skip("MUTANTS=1 asks for it: make test-alerts-mutants")
	}
	for fault, how := range map[string][]string{
		"mutant_nofence":  {"KILLS=2", "ZOMBIES=8"},
		"mutant_unfenced": {"KILLS=2", "ZOMBIES=12", "SLOW=1"},
		"mutant_evaltime": {},
	} {
		t.Run(fault, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestSameAlertsAlways$", "-test.timeout=20m", "-test.v")
			cmd.Env = append(append(os.Environ(), "FAULT="+fault), how...)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "%s was not found out", fault)
			require.Contains(t, string(out), notTheSame)
			t.Logf("found out: %.1200s", out[bytes.Index(out, []byte("Error Trace")):])
		})
	}
}

// proof is one history and what evaluators make of it.
type proof struct {
	t    *testing.T
	s    *stack.Stack
	from time.Time
	span time.Duration
	log  []alertlog.Message // logs.enriched as the processors left it
	end  map[int32]int64    // of each partition, the next offset
	last int64              // ns: the watermark that all partitions have come to
	high map[*mysqlx.DB]place

	session time.Duration // of consumers: a killed one is replaced so soon
}

// newProof writes the history.
func newProof(t *testing.T) *proof {
	t.Helper()
	minutes, seed := setting(t, "MINUTES", 6), uint64(setting(t, "SEED", 1))
	p := &proof{t: t, span: time.Duration(minutes) * time.Minute, end: map[int32]int64{}, high: map[*mysqlx.DB]place{}}
	p.brokers()
	p.write(seed, setting(t, "KILLS", 4)/10+1)
	var err error
	ctx, cancel := context.WithTimeout(t.Context(), noProgress)
	defer cancel()
	p.log, err = alertlog.Topic(ctx, p.s.Kafka, contract.TopicEnriched)
	require.NoError(t, err)
	p.last = 1 << 62
	for part, wm := range p.watermarks() {
		require.NotZero(t, wm, "partition %d", part)
		p.last = min(p.last, wm)
	}
	return p
}

// brokers starts a real Kafka, or (SLOW=1) the development broker behind a slow network: between what a relay reads of the outbox and what it
// sends is time enough to stop it.
func (p *proof) brokers() {
	p.t.Helper()
	if os.Getenv("SLOW") == "" {
		p.s, p.session = stack.New(p.t, 1), 3*time.Second
		return
	}
	p.s, p.session = stack.NewOn(p.t, program(p.t, "./compose/e2e/cmd/slowbroker")), 6*time.Second // the least that it takes
}

// watermarks are the newest on logs.enriched; on the way, its offsets are checked to be without holes.
func (p *proof) watermarks() map[int32]int64 {
	out := map[int32]int64{}
	for i := range p.log {
		m := &p.log[i]
		require.Equal(p.t, p.end[m.Partition], m.Offset)
		p.end[m.Partition]++
		out[m.Partition] = max(out[m.Partition], headerOf(p.t, m).Watermark)
	}
	return out
}

func headerOf(t *testing.T, m *alertlog.Message) contract.Enriched {
	t.Helper()
	hs := map[string]string{}
	for _, h := range m.Headers {
		hs[h.Key] = h.Value
	}
	e, err := contract.ParseEnriched(hs)
	require.NoError(t, err)
	return e
}

// write sends the history through a collector and two processors, which are killed in turn.
func (p *proof) write(seed uint64, kills int) {
	p.t.Helper()
	s, names := p.s, []string{"processor-1", "processor-2"}
	clock := history.Clock{Wall: time.Now(), Event: time.Now().Add(-p.span - time.Hour), Speed: clockSpeed}
	s.Start("collector", "collector", fmt.Sprintf("COLLECTOR_PORT=%d", s.Port("collector")), "COLLECTOR_LINGER=5ms")
	historian := mutant(p.t, "history")
	for _, n := range names {
		s.Start(n, historian, fmt.Sprintf("PROCESSOR_PORT=%d", s.Port(n)), "KAFKA_SESSION_TIMEOUT="+p.session.String(), clock.Env())
		s.AwaitReady(n)
	}
	s.AwaitReady("collector")
	p.settled(0, clock.Now()) // every partition has an owner: all begin before the first line
	p.from = clock.Now().Truncate(time.Second)
	sent := make(chan int, 1)
	go func() {
		n, err := history.Send(p.t.Context(), s.URL("collector")+"/v1/logs", history.NewLines(seed, p.span), clock, p.from)
		if err != nil {
			p.t.Error(err)
		}
		sent <- n
	}()
	for k := range kills {
		pause(p.span / clockSpeed / time.Duration(kills+1))
		require.NoError(p.t, s.Kill(names[k%2]))
		require.NoError(p.t, s.Restart(names[k%2]))
	}
	lines := <-sent
	p.settled(lines, p.from.Add(p.span+afterwards))
	for _, n := range append(names, "collector") {
		require.NoError(p.t, s.Kill(n))
	}
	p.t.Logf("%s of event time, %d lines, %d kills of processors", p.span, lines, kills)
}

// settled waits until all lines are stored and every partition has come to a moment.
func (p *proof) settled(lines int, at time.Time) {
	p.t.Helper()
	db := testkit.DB(p.t, p.s.MySQL)
	p.await("the history", func() (progress string, done bool) {
		var rows, parts int64
		require.NoError(p.t, db.Text.QueryRow(`SELECT COALESCE(SUM(row_count), 0) FROM block WHERE retired_seq IS NULL`).Scan(&rows))
		require.NoError(p.t, db.Text.QueryRow(`SELECT COUNT(*) FROM partition_progress WHERE watermark_ns >= ?`, at.UnixNano()).Scan(&parts))
		return fmt.Sprint(rows, parts, time.Now().Unix()/60), rows == int64(lines) && int32(parts) == p.s.Kafka.Partitions
	})
}

// await asks again and again until done, and fails when the progress stands still.
func (p *proof) await(what string, look func() (progress string, done bool)) {
	p.t.Helper()
	last, at := "", time.Now()
	for {
		progress, done := look()
		if done {
			return
		}
		if progress != last {
			last, at = progress, time.Now()
		}
		require.Less(p.t, time.Since(at), noProgress, "%s hangs at %s", what, progress) // which is no proof of anything else
		pause(20 * time.Millisecond)
	}
}

// world is a database as the processors left it, with rules, for evaluators of its own.
func (p *proof) world(name string) (my config.MySQL, db *mysqlx.DB) {
	p.t.Helper()
	my = p.s.Database(name)
	db = testkit.DB(p.t, my)
	for _, table := range []string{"rule_version", "alert_rule"} { // the samples
		_, err := db.Text.Exec(`DELETE FROM ` + table)
		require.NoError(p.t, err)
	}
	for _, table := range []string{"stream", "block", "block_data"} {
		_, err := db.Text.Exec(`INSERT INTO ` + table + ` SELECT * FROM ` + p.s.MySQL.Database + `.` + table)
		require.NoError(p.t, err)
	}
	p.addRules(db)
	return my, db
}

// startEvaluator starts a replica on a database. Nothing is too old to be sent: the relay's clock makes no difference.
func (p *proof) startEvaluator(name, program string, my config.MySQL) {
	p.t.Helper()
	p.s.Start(name, program, "MYSQL_DATABASE="+my.Database, fmt.Sprintf("ALERT_EVALUATOR_PORT=%d", p.s.Port(name)), "KAFKA_SESSION_TIMEOUT="+p.session.String(), "ALERT_MAX_AGE=87600h")
}

// calm lets one evaluator go through the log.
func (p *proof) calm(program string) result {
	p.t.Helper()
	my, db := p.world("calm")
	p.startEvaluator("calm", program, my)
	p.evaluated(db, func() {})
	require.NoError(p.t, p.s.Kill("calm"))
	return p.result(db)
}

// evaluated waits until all partitions and the global shard have come to the end of the log, and all events are sent.
func (p *proof) evaluated(db *mysqlx.DB, meanwhile func()) {
	p.t.Helper()
	p.await("the evaluation", func() (string, bool) {
		meanwhile()
		at := p.positions(db)
		done := int32(len(at.next)) == p.s.Kafka.Partitions && at.unsent == 0 && at.tick >= p.last/engine.Tick
		for part, end := range p.end {
			done = done && at.next[part] >= end
		}
		return fmt.Sprint(at), done
	})
}

// place is how far evaluators have come.
type place struct {
	next   map[int32]int64
	owners map[string]bool
	tick   int64
	unsent int
}

func (a place) sum() (n int64) {
	for _, v := range a.next {
		n += v
	}
	return n
}

// positions are those in a database now. Nothing that was decided is ever taken back.
func (p *proof) positions(db *mysqlx.DB) place {
	p.t.Helper()
	at, before := positions(p.t, db), p.high[db]
	for part, next := range before.next {
		require.GreaterOrEqual(p.t, at.next[part], next, notTheSame+": partition %d went back", part)
	}
	require.GreaterOrEqual(p.t, at.tick, before.tick, notTheSame+": the global shard went back")
	p.high[db] = at
	return at
}

func positions(t *testing.T, db *mysqlx.DB) place {
	t.Helper()
	at := place{next: map[int32]int64{}, owners: map[string]bool{}}
	rows, err := db.Text.Query(`SELECT part, next_offset, owner FROM alert_partition`)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var part int32
		var next int64
		var owner string
		require.NoError(t, rows.Scan(&part, &next, &owner))
		at.next[part] = next
		at.owners[owner] = true
	}
	require.NoError(t, rows.Err())
	var owner string
	_ = db.Text.QueryRow(`SELECT tick, owner FROM alert_global`).Scan(&at.tick, &owner) // no row yet: 0
	if owner != "" {
		at.owners[owner] = true
	}
	require.NoError(t, db.Text.QueryRow(`SELECT COUNT(*) FROM alert_outbox WHERE sent = 0`).Scan(&at.unsent))
	return at
}

// result is what evaluators have left.
type result struct {
	outbox       []alertlog.Row
	episodes     []alertlog.Episode
	fired, state []*contract.AlertEvent
}

func (p *proof) result(db *mysqlx.DB) (r result) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), noProgress)
	defer cancel()
	var err error
	r.outbox, err = alertlog.Outbox(ctx, db.Text)
	require.NoError(p.t, err)
	r.episodes, err = alertlog.Episodes(ctx, db.Text)
	require.NoError(p.t, err)
	for topic, into := range map[string]*[]*contract.AlertEvent{contract.TopicAlerts: &r.fired, contract.TopicAlertsState: &r.state} {
		ms, err := alertlog.Topic(ctx, p.s.Kafka, topic)
		require.NoError(p.t, err)
		*into, err = alertlog.Events(ms)
		require.NoError(p.t, err)
	}
	return r
}

// relayed says what is wrong with the topics.
func (r result) relayed() string {
	return alertlog.Relayed(r.outbox, r.fired) + alertlog.Relayed(r.outbox, r.state)
}

// differs is the first difference.
func (r result) differs(o result) string {
	if d := alertlog.Differs("event", r.outbox, o.outbox); d != "" {
		return d
	}
	return alertlog.Differs("episode", r.episodes, o.episodes)
}
