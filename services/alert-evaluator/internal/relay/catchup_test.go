package relay

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

// past is the outbox of an evaluator in the middle of what it has missed: what it has decided so far is withheld, and one alert of it fires.
type past struct {
	decided time.Time
	still   []store.Pending
	told    []int64
}

func (p *past) Unsent(context.Context, uint32, string, int) ([]store.Pending, error) { return nil, nil }
func (p *past) StillFiring(context.Context, uint32, string) ([]store.Pending, error) {
	return p.still, nil
}
func (p *past) DecidedThrough(context.Context, uint32, string) (int64, error) {
	return p.decided.UnixNano(), nil
}
func (p *past) Mark(context.Context, uint32, string, int64, []int64) error { return nil }
func (p *past) MarkOne(_ context.Context, _ uint32, _ string, seq int64) error {
	p.told = append(p.told, seq)
	return nil
}

type quietSender struct{}

func (quietSender) Send(context.Context, []bus.Message) error { return nil }
func (quietSender) Close() error                              { return nil }

// TestCatchUpWaitsForThePresent: an empty outbox says nothing of how far the evaluator has come.
func TestCatchUpWaitsForThePresent(t *testing.T) {
	t.Parallel()
	now := time.Now()
	e := contract.AlertEvent{SpecVersion: "1.0", ID: "1", Type: contract.AlertFiring, Time: now, Sequence: "0000000001", Data: contract.AlertData{Fingerprint: "f"}}
	raw, err := e.Encode()
	require.NoError(t, err)
	box := &past{decided: now.Add(-90 * time.Minute), still: []store.Pending{{Seq: 1, Tick: now.Add(-2 * time.Hour).UnixNano(), Event: raw}}}
	r := New(Deps{Outbox: box, Stream: 1, MaxAge: time.Hour, Now: func() time.Time { return now }, Log: zerolog.Nop(), Owned: func() []string { return []string{"p0"} },
		Open: func(context.Context, string) (Sender, error) { return quietSender{}, nil }}, prometheus.NewRegistry())
	r.round(t.Context())
	require.Empty(t, box.told, "the evaluator may be about to find it resolved")
	box.decided = now.Add(-time.Second)
	r.round(t.Context())
	require.Equal(t, []int64{1}, box.told)
	r.round(t.Context())
	require.Len(t, box.told, 1)
}
