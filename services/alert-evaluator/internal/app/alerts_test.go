package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// addRule writes a rule as the api does.
func (w *world) addRule(id int, effective time.Time, r rule.Rule) {
	w.t.Helper()
	r.Enabled = true
	r.Normalize()
	require.NoError(w.t, r.Validate())
	raw, err := json.Marshal(r)
	require.NoError(w.t, err)
	for _, q := range []string{"UPDATE rule_clock SET seq = seq + 1"} {
		_, err = w.db.Text.Exec(q)
		require.NoError(w.t, err)
	}
	_, err = w.db.Text.Exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, created_at) SELECT seq, ?, 1, ?, ?, NOW() FROM rule_clock`, id, effective.UnixNano(), string(raw))
	require.NoError(w.t, err)
}

// lines stores and publishes a block of error lines of a service at a moment.
func (w *world) lines(partition int32, offset int64, at, watermark time.Time, service string, n int) {
	w.t.Helper()
	recs := make([]logrec.Record, n)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: at.UnixNano(), EvalTime: at.UnixNano() + int64(i), Service: service, Level: logrec.LevelError, Message: "it broke"}
	}
	w.block(partition, offset, watermark, recs)
}

// many is lines whose messages all differ.
func (w *world) many(partition int32, offset int64, at time.Time, service string, n int) {
	w.t.Helper()
	recs := make([]logrec.Record, n)
	for i := range recs {
		recs[i] = logrec.Record{Timestamp: at.UnixNano(), EvalTime: at.UnixNano() + int64(i), Service: service, Level: logrec.LevelError, Message: fmt.Sprint("it broke ", i)}
	}
	w.block(partition, offset, at.Add(-time.Second), recs)
}

// block stores and publishes records as the one block of an offset.
func (w *world) block(partition int32, offset int64, watermark time.Time, recs []logrec.Record) {
	w.t.Helper()
	for i := range recs {
		recs[i].SrcOffset, recs[i].SrcRow = offset, int32(i)
	}
	n := len(recs)
	blk := w.store(partition, offset, offset, offset-1, recs)
	h := contract.Enriched{Stream: 1, Partition: partition, From: offset, To: offset, Prev: offset - 1, Rows: n, Watermark: watermark.UnixNano(), Checksum: blk.Meta.Checksum}
	require.NoError(w.t, w.pub.Publish(context.Background(), contract.TopicEnriched, partition, nil, blk.Data, h.Headers()))
}

// heartbeat moves a partition's watermark.
func (w *world) heartbeat(partition int32, next int64, watermark time.Time) {
	w.t.Helper()
	h := contract.Enriched{Stream: 1, Partition: partition, From: next, To: next - 1, Prev: next - 1, Watermark: watermark.UnixNano()}
	require.NoError(w.t, w.pub.Publish(context.Background(), contract.TopicEnriched, partition, nil, nil, h.Headers()))
}

// fired reads the committed events of a topic until f has had enough.
func (w *world) fired(topic string, f func([]*contract.AlertEvent) bool) []*contract.AlertEvent {
	w.t.Helper()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(contract.AlertSchema))
	require.NoError(w.t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(w.t, compiler.AddResource("alert.json", raw))
	schema, err := compiler.Compile("alert.json")
	require.NoError(w.t, err)
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	conf.Consumer.IsolationLevel = sarama.ReadCommitted
	c, err := sarama.NewConsumer(w.kafka.Brokers, conf)
	require.NoError(w.t, err)
	defer c.Close()
	all := make(chan *sarama.ConsumerMessage)
	for p := range w.kafka.Partitions {
		pc, err := c.ConsumePartition(w.kafka.Topic(topic), p, sarama.OffsetOldest)
		require.NoError(w.t, err)
		defer pc.Close()
		go func() {
			for m := range pc.Messages() {
				all <- m
			}
		}()
	}
	var got []*contract.AlertEvent
	deadline := time.After(2 * time.Minute)
	for !f(got) {
		select {
		case m := <-all:
			e, err := contract.ParseAlert(m.Value)
			require.NoError(w.t, err)
			require.Equal(w.t, e.Data.Fingerprint, string(m.Key))
			var doc any
			require.NoError(w.t, json.Unmarshal(m.Value, &doc))
			require.NoError(w.t, schema.Validate(doc))
			got = append(got, e)
		case <-deadline:
			require.FailNow(w.t, "no more events", "have %d", len(got))
		}
	}
	return got
}

// TestAlertsReachTheTopic: a rule of one service and one over all partitions fire and resolve, with evidence, across a restart.
func TestAlertsReachTheTopic(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		t0 := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
		home := contract.Home("checkout", cfg.Partitions)
		w.addRule(1, t0, rule.Rule{Name: "errors", Team: "shop", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", Filter: "service = 'checkout'", Threshold: 3, TimeWindow: rule.Window(2 * time.Second), Severity: "high"})
		w.addRule(2, t0, rule.Rule{Name: "everywhere", Condition: "COUNT(DISTINCT service)", Threshold: 2, TimeWindow: rule.Window(2 * time.Second)})
		_, stop := w.run()
		for p := range cfg.Partitions {
			w.heartbeat(p, 0, t0)
		}
		w.lines(home, 0, t0.Add(5*time.Second), t0.Add(4*time.Second), "checkout", 4)
		got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 1 })
		e := got[0]
		require.Equal(t, contract.AlertFiring, e.Type)
		require.True(t, e.Data.Early, "told before its tick is closed")
		require.InDelta(t, 4, *e.Data.Value, 0)
		require.Len(t, e.Data.Evidence, 4)
		require.Equal(t, "it broke", e.Data.Evidence[0].Message)
		require.Equal(t, t0.Add(5250*time.Millisecond), e.Data.StartsAt)
		stop()

		_, stop = w.run()
		defer stop()
		other := (home + 1) % cfg.Partitions
		name := "other"
		for contract.Home(name, cfg.Partitions) != other {
			name += "x"
		}
		w.lines(other, 0, t0.Add(5500*time.Millisecond), t0.Add(5*time.Second), name, 1)
		for p := range cfg.Partitions {
			w.heartbeat(p, map[bool]int64{true: 1, false: 0}[p == home || p == other], t0.Add(20*time.Second))
		}
		got = w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 4 })
		byRule := map[string][]string{}
		for _, e := range got {
			byRule[e.Data.Rule.Name] = append(byRule[e.Data.Rule.Name], e.Data.Status)
		}
		require.Equal(t, map[string][]string{"errors": {"firing", "resolved"}, "everywhere": {"firing", "resolved"}}, byRule)
		state := w.fired(contract.TopicAlertsState, func(es []*contract.AlertEvent) bool { return len(es) >= 4 })
		require.Len(t, state, 4)
		var rows, ends int
		require.NoError(t, w.db.Text.QueryRow(`SELECT COUNT(*), SUM(ends_ns > 0) FROM alert_instance`).Scan(&rows, &ends))
		require.Equal(t, []int{2, 2}, []int{rows, ends})
	})
}

// TestAGapIsFilledFromAMergedBlock: rules see each line once, though the block that fills the gap holds those around it as well.
func TestAGapIsFilledFromAMergedBlock(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	w := newWorld(t, cfg)
	t0 := time.Now().Add(-30 * time.Second).Truncate(time.Second).UTC()
	home := contract.Home("checkout", cfg.Partitions)
	for id, threshold := range []float64{15, 16} {
		w.addRule(1+id, t0, rule.Rule{Name: fmt.Sprint("at least ", threshold), Condition: "COUNT(*)", Filter: "service = 'checkout'", Threshold: threshold, TimeWindow: rule.Window(10 * time.Second)})
	}
	_, stop := w.run()
	defer stop()
	moment := t0.Add(12 * time.Second)
	parts := [][]logrec.Record{at(0, moment, "checkout", 5), at(1, moment, "checkout", 7), at(2, moment, "checkout", 3)}
	w.heartbeat(home, 0, t0)
	w.store(home, 0, 2, -1, slices.Concat(parts...))
	for _, offset := range []int64{0, 2} {
		b, err := block.NewBuilder(block.Options{})
		require.NoError(t, err)
		blk, err := b.Build(parts[offset])
		require.NoError(t, err)
		h := contract.Enriched{Stream: 1, Partition: home, From: offset, To: offset, Prev: offset - 1, Rows: len(parts[offset]), Watermark: t0.Add(11 * time.Second).UnixNano(), Checksum: blk.Meta.Checksum}
		require.NoError(t, w.pub.Publish(t.Context(), contract.TopicEnriched, home, nil, blk.Data, h.Headers()))
	}
	w.heartbeat(home, 3, t0.Add(28*time.Second))
	got := w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) == 2 })
	for _, e := range got {
		require.Equal(t, "at least 15", e.Data.Rule.Name)
	}
	require.InDelta(t, 15, *got[0].Data.Value, 0)
	require.Equal(t, contract.AlertResolved, got[1].Type)
	require.Len(t, got[0].Data.Evidence, 5)
}
