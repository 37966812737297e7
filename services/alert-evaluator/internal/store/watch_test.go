package store

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/testkit"
)

// open is a store on a fresh database with a stream of two partitions.
func open(t *testing.T) (*Store, *mysqlx.DB) {
	t.Helper()
	db := testkit.DB(t, testkit.MySQL(t))
	_, err := db.Text.Exec(`INSERT INTO stream (id, cluster_id, topic, topic_id, partitions, created_at) VALUES (1, 'c', 't', 'i', 2, UTC_TIMESTAMP(6))`)
	require.NoError(t, err)
	return New(db), db
}

// TestOneSpeaker: the watch passes on when its owner is silent, and then the old owner writes nothing any more.
func TestOneSpeaker(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ctx := context.Background()
	a, ok, err := s.AcquireWatch(ctx, 1, "a")
	require.NoError(t, err)
	require.True(t, ok)
	problem := blind.Problem{Kind: blind.Misplaced, Partition: 1, Service: "shop", Since: 5, Event: 6, Detail: "astray"}
	broken := blind.Problem{Kind: blind.Error, Partition: -1, RuleID: "7", Since: 5, Detail: "broken"}
	state := watch.State{Alerts: []watch.Alert{{Kind: "gap", First: 3, Starts: 4, Parts: []int32{1}}}, RuleSeq: 9}
	first := Look{State: state, Put: []blind.Problem{problem, broken}, Out: []Out{{Seq: 1, Fingerprint: "f", Tick: 1, Event: []byte(`{}`)}}}
	require.NoError(t, s.CommitWatch(ctx, a, first))
	require.ErrorIs(t, s.CommitWatch(ctx, a, first), ErrFenced, "the same look is stored once, whatever was heard of it")

	_, ok, err = s.AcquireWatch(ctx, 1, "b")
	require.NoError(t, err)
	require.False(t, ok, "a has just looked")
	_, err = db.Text.Exec(`UPDATE alert_watch SET checked_at = checked_at - INTERVAL 11 SECOND`)
	require.NoError(t, err)
	b, ok, err := s.AcquireWatch(ctx, 1, "b")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, Watch{Stream: 1, Epoch: 2, OutSeq: 1, State: state}, b)
	a.OutSeq = 1
	require.ErrorIs(t, s.CommitWatch(ctx, a, Look{Gone: []blind.Problem{problem}}), ErrFenced)
	require.NoError(t, s.CommitWatch(ctx, b, Look{State: b.State, Gone: []blind.Problem{broken}}))
	f, err := s.Facts(ctx, 1)
	require.NoError(t, err)
	require.Equal(t, []blind.Problem{problem}, f.Known)
}

// TestFacts: what owners write down is what a look sees, and a step takes the mark of a lost position away.
func TestFacts(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	ctx := context.Background()
	_, err := db.Text.Exec(`INSERT INTO partition_progress (stream_id, part, watermark_ns, updated_at) VALUES (1, 0, 50, NOW()), (1, 7, 1, NOW())`)
	require.NoError(t, err)
	p, err := s.Acquire(ctx, 1, 0, "a")
	require.NoError(t, err)
	require.NoError(t, s.Lost(ctx, p, 40))
	require.NoError(t, s.Gap(ctx, p, 30))
	require.NoError(t, s.Gap(ctx, p, 20), "an older one changes nothing")
	f, err := s.Facts(ctx, 1)
	require.NoError(t, err)
	require.Positive(t, f.Now)
	require.Equal(t, []watch.Partition{{Partition: 0, Stored: 50, Gap: 30, Lost: 40}, {Partition: 1, Lost: -1}}, f.Partitions)

	_, _, seq, err := s.Inputs(ctx, 0)
	require.NoError(t, err)
	st := Step{RuleSeq: seq, Findings: []byte(`{"overflow": {"3": 9}, "misplaced": {"shop": 8}}`)}
	st.Position.NextOffset, st.Position.Watermark = 1, 45
	require.NoError(t, s.Commit(ctx, p, st))
	p.Position.NextOffset = 1
	st.Position.NextOffset, st.Findings = 2, nil
	require.NoError(t, s.Commit(ctx, p, st))
	f, err = s.Facts(ctx, 1)
	require.NoError(t, err)
	found := watch.Findings{Overflow: map[string]int64{"3": 9}, Misplaced: map[string]int64{"shop": 8}}
	require.Equal(t, watch.Partition{Partition: 0, Stored: 50, Decided: 45, Gap: 30, Lost: -1, Findings: found}, f.Partitions[0])
	again, err := s.Acquire(ctx, 1, 0, "b")
	require.NoError(t, err)
	require.Equal(t, found, again.Findings)
	require.NoError(t, s.Gap(ctx, p, 99), "an owner that was")
	f, err = s.Facts(ctx, 1)
	require.NoError(t, err)
	require.EqualValues(t, 30, f.Partitions[0].Gap)
}
