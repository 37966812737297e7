package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

const (
	recoveryRules    = 10_000
	recoveryServices = 200
	recoveryParts    = int32(6)
	recoveryRate     = 50_000 // lines a second, over all partitions
	recoverySpan     = 60     // seconds since the snapshots
)

// manyRules are those of the engine's benchmark: 60 % of one service, 30 % grouped by service, 10 % over everything.
func manyRules(b *testing.B, db *mysqlx.DB, effective int64) {
	rng := rand.New(rand.NewPCG(1, 1))
	tx, err := db.Text.Begin()
	require.NoError(b, err)
	_, err = tx.Exec(`DELETE FROM rule_version`)
	require.NoError(b, err)
	for i := range recoveryRules {
		r := rule.Rule{Name: fmt.Sprint("r", i), Enabled: true, Threshold: 1e9, Operator: ">", TimeWindow: rule.Window([]time.Duration{time.Minute, 5 * time.Minute}[rng.IntN(2)])}
		c := 100 * (1 + rng.IntN(10))
		r.Condition = []string{fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END)", c), fmt.Sprintf("COUNT(CASE WHEN response_time_ms > %d THEN 1 END) * 100.0 / COUNT(*)", c),
			"AVG(response_time_ms)", "COUNT(CASE WHEN level = 'error' THEN 1 END)"}[rng.IntN(4)]
		switch k := rng.IntN(10); {
		case k < 6:
			r.Filter = fmt.Sprintf("service = 'svc-%d'", rng.IntN(recoveryServices))
		case k < 9:
			r.GroupBy = []string{"service"}
		}
		r.Normalize()
		raw, err := json.Marshal(r)
		require.NoError(b, err)
		_, err = tx.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, created_at) VALUES (?, ?, 1, ?, ?, NOW())`, i+1, i+1, effective, string(raw))
		require.NoError(b, err)
	}
	_, err = tx.Exec(`UPDATE rule_clock SET seq = ?`, recoveryRules)
	require.NoError(b, err)
	require.NoError(b, tx.Commit())
}

// sent is a message of logs.enriched.
type sent struct {
	h contract.Enriched
	r *block.Reader
}

// aMinute is a partition's part of a minute of lines, a block every quarter of a second.
func aMinute(b *testing.B, part int32, from int64) (out []sent) {
	rng := rand.New(rand.NewPCG(uint64(part), 2))
	var names []string
	for i := range recoveryServices {
		if n := fmt.Sprintf("svc-%d", i); contract.Home(n, recoveryParts) == part && len(names) < 4 {
			names = append(names, n)
		}
	}
	build, err := block.NewBuilder(block.Options{})
	require.NoError(b, err)
	recs := make([]logrec.Record, recoveryRate/4/recoveryParts)
	for k := range int64(recoverySpan * 4) {
		for i := range recs {
			at := from + k*250e6 + int64(i)*(250e6/int64(len(recs)))
			recs[i] = logrec.Record{Timestamp: at, EvalTime: at, Service: names[rng.IntN(len(names))], Level: []logrec.Level{logrec.LevelInfo, logrec.LevelInfo, logrec.LevelError}[rng.IntN(3)],
				Message: "request done", HasResponseTime: true, ResponseTimeMS: float64(rng.IntN(1200)), SrcOffset: k, SrcRow: int32(i)}
		}
		blk, err := build.Build(recs)
		require.NoError(b, err)
		r, err := block.Open(append([]byte(nil), blk.Data...))
		require.NoError(b, err)
		out = append(out, sent{contract.Enriched{Stream: 1, Partition: part, From: k, To: k, Prev: k - 1, Rows: len(recs), Watermark: from + (k-2)*250e6}, r})
	}
	return out
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRecovery is what a replica goes through that takes over everything: 10,000 rules, four services a partition, 50,000 lines a second. Of a
// minute of lines, stored in steps of a quarter of a second, load-s is reading and restoring the states of all partitions, replay-s going through what
// came since the snapshots (reading Kafka is not in it), worst-replay-s the most that it could have been, global-s the shard of rules over all
// partitions. busy-s is what the minute itself took, snapshots how many there were, snapshot-s what they took of it. All in seconds of processor time.
func BenchmarkRecovery(b *testing.B) {
	db := testkit.DB(b, testkit.MySQL(b))
	_, err := db.Text.Exec(`INSERT INTO stream (id, cluster_id, topic, topic_id, partitions, created_at) VALUES (1, 'c', 't', 'i', ?, NOW())`, recoveryParts)
	require.NoError(b, err)
	begin := time.Now().Add(-10 * time.Minute).Truncate(time.Minute).UnixNano()
	manyRules(b, db, begin-1e9)
	ctx := context.Background()
	fresh := func() *partitions {
		return &partitions{stream: 1, owner: "bench", store: store.New(db), metrics: newMetrics(prometheus.NewRegistry()), log: zerolog.Nop(), all: map[int32]*partition{}, lost: map[int32]int64{},
			parts: recoveryParts, wake: func() {}, bounds: func(context.Context, int32) (int64, int64, error) { return 0, 1 << 62, nil }}
	}
	ps := fresh()
	log := map[int32][]sent{}
	var all []int32
	for part := range recoveryParts {
		log[part] = aMinute(b, part, begin)
		all = append(all, part)
	}
	_, err = ps.load(ctx, contract.TopicEnriched, all)
	require.NoError(b, err)
	var busy, snapshot, worst time.Duration
	snapshots := 0
	shard := &global{ps: ps}
	since := map[int32]time.Duration{}
	for k := range recoverySpan * 4 {
		for _, part := range all {
			began := cpu()
			p := ps.get(part)
			require.NoError(b, ps.follow(p, log[part][k].h, log[part][k].r, int64(k)))
			since[part] += cpu() - began
			stepped := cpu()
			st, err := ps.step(ctx, p)
			require.NoError(b, err)
			require.NoError(b, ps.store.Commit(ctx, p.stored, st))
			p.stored.Position, p.stored.OutSeq = st.Position, st.OutSeq
			p.eval.out, p.eval.events, p.eval.partials = st.OutSeq, nil, nil
			if st.Snapshot != nil {
				p.eval.save.saved()
				snapshot += cpu() - stepped
				snapshots++
				since[part] = 0
			}
			busy += cpu() - began
		}
		shard.round(ctx)
		sum := time.Duration(0)
		for _, d := range since {
			sum += d
		}
		worst = max(worst, sum)
	}
	var load, replay, shards time.Duration
	for b.Loop() {
		again := fresh()
		began := cpu()
		next, err := again.load(ctx, contract.TopicEnriched, all)
		require.NoError(b, err)
		load += cpu() - began
		began = cpu()
		for _, part := range all {
			p := again.get(part)
			for k := next[part]; k < int64(len(log[part])); k++ {
				require.NoError(b, again.follow(p, log[part][k].h, log[part][k].r, k))
			}
			require.Equal(b, ps.get(part).at, p.at)
		}
		replay += cpu() - began
		began = cpu()
		g := &global{ps: again}
		g.ps.owner = ps.owner
		require.NoError(b, g.take(ctx))
		require.Equal(b, shard.state.Tick, g.state.Tick)
		shards += cpu() - began
	}
	n := float64(b.N)
	b.ReportMetric(load.Seconds()/n, "load-s")
	b.ReportMetric(replay.Seconds()/n, "replay-s")
	b.ReportMetric(worst.Seconds(), "worst-replay-s")
	b.ReportMetric(shards.Seconds()/n, "global-s")
	b.ReportMetric(busy.Seconds(), "busy-s")
	b.ReportMetric(float64(snapshots), "snapshots")
	b.ReportMetric(snapshot.Seconds(), "snapshot-s")
}
