// Package backtest says when a rule would have fired: the evaluator's engine over the blocks that are stored.
package backtest

import (
	"context"
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Limits of one backtest: past them the answer says how far it came.
const (
	MaxRows   = 20_000_000
	MaxAlerts = 1000
	MaxTime   = 30 * time.Second
)

// Block is a stored block. Every record of later blocks of its partition has an eval_time above Watermark.
type Block struct {
	ID        uint64
	Stream    uint32
	Partition int32
	Rows      int
	Watermark int64
}

// Source gives the blocks.
type Source interface {
	History(ctx context.Context, start, end int64) ([]Block, error)
	BlockData(ctx context.Context, id uint64) ([]byte, error)
}

// Alert is an episode that would have been.
type Alert struct {
	StartsAt    time.Time         `json:"starts_at"`
	EndsAt      *time.Time        `json:"ends_at"` // nil: still firing at the end of the range
	Labels      map[string]string `json:"labels"`
	Value       *float64          `json:"value"`
	Peak        *float64          `json:"peak"`
	Reason      string            `json:"reason"`
	Evidence    []string          `json:"evidence"` // ids of log lines
	Fingerprint string            `json:"fingerprint"`
}

// Result of a backtest.
type Result struct {
	Alerts        []*Alert  `json:"alerts"`
	Rows          int64     `json:"rows"`
	Blocks        int       `json:"blocks"`
	Partial       bool      `json:"partial"`
	PartialReason string    `json:"partial_reason,omitempty"`
	CoveredUntil  time.Time `json:"covered_until"`
	TookMS        int64     `json:"took_ms"`
}

// Run runs a rule over what rules saw between start and end (ns). now is a clock for the time budget.
func Run(ctx context.Context, src Source, c *rule.Compiled, start, end int64, now func() time.Time) (*Result, error) {
	began := now()
	// So that at start the windows are whole, and what had held for long enough is firing already, rather than beginning then.
	lead := int64(c.TimeWindow) + c.Bucket() + int64(time.Second) + int64(c.For) + int64(c.KeepFiringFor)
	blocks, err := src.History(ctx, start-lead, end)
	if err != nil {
		return nil, err
	}
	r := &run{src: src, out: &Result{Alerts: []*Alert{}}, open: map[string]*Alert{}, start: start, stream: 1}
	r.eng = engine.New(engine.Place{All: true}, start-lead)
	on := c.Rule
	on.Enabled = true
	if err := r.eng.Schedule([]engine.Version{{RuleID: c.ID, Number: c.Version, Effective: start - lead, Rule: on}}, nil); err != nil {
		return nil, err
	}
	covered, err := r.blocks(ctx, blocks, end, func() bool { return now().Sub(began) > MaxTime })
	if err != nil {
		return nil, err
	}
	if covered > start-lead {
		r.take(covered)
	}
	r.out.CoveredUntil, r.out.TookMS = time.Unix(0, covered).UTC(), now().Sub(began).Milliseconds()
	return r.out, nil
}

type run struct {
	src    Source
	eng    *engine.Engine
	out    *Result
	open   map[string]*Alert
	start  int64
	stream uint32
}

// blocks folds the partitions side by side, always the one that is furthest behind, and returns how far it came.
func (r *run) blocks(ctx context.Context, blocks []Block, end int64, late func() bool) (int64, error) {
	type key struct {
		stream uint32
		part   int32
	}
	queues, order := map[key][]Block{}, []key{}
	for _, b := range blocks {
		k := key{b.Stream, b.Partition}
		if queues[k] == nil {
			order = append(order, k)
		}
		queues[k] = append(queues[k], b)
	}
	reached := map[key]int64{} // watermark of what was folded
	for {
		var next key
		behind, found := end, false
		for _, k := range order {
			if len(queues[k]) > 0 && (!found || reached[k] < behind) {
				next, behind, found = k, reached[k], true
			}
		}
		if !found || behind >= end {
			return end, nil
		}
		r.take(behind)
		if reason := r.spent(late); reason != "" {
			r.out.Partial, r.out.PartialReason = true, reason
			return behind, nil
		}
		b := queues[next][0]
		queues[next] = queues[next][1:]
		if err := r.fold(ctx, b); err != nil {
			return behind, err
		}
		reached[next] = b.Watermark
	}
}

func (r *run) spent(late func() bool) string {
	switch {
	case r.out.Rows > MaxRows:
		return fmt.Sprintf("%d lines read", r.out.Rows)
	case len(r.out.Alerts) >= MaxAlerts:
		return fmt.Sprintf("%d alerts found", len(r.out.Alerts))
	case late():
		return fmt.Sprintf("%s passed", MaxTime)
	}
	return ""
}

func (r *run) fold(ctx context.Context, b Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	data, err := r.src.BlockData(ctx, b.ID)
	if err != nil {
		return err
	}
	reader, err := block.Open(data)
	if err != nil {
		return fmt.Errorf("block %d: %w", b.ID, err)
	}
	r.out.Rows += int64(b.Rows)
	r.out.Blocks++
	r.stream = b.Stream
	return r.eng.Fold(reader, b.Partition)
}

// take closes ticks and notes what they decide.
func (r *run) take(watermark int64) {
	events, _ := r.eng.Advance(watermark)
	for i := range events {
		r.note(&events[i])
	}
}

func (r *run) note(ev *engine.Event) {
	switch ev.Kind {
	case engine.Firing:
		if r.open[ev.Fingerprint] != nil {
			return // told again
		}
		a := &Alert{StartsAt: time.Unix(0, ev.Starts).UTC(), Labels: ev.Labels, Reason: ev.Reason, Fingerprint: ev.Fingerprint, Evidence: []string{}}
		if !ev.Value.Null() {
			a.Value, a.Peak = &ev.Value.N, &ev.Peak.N
		}
		for _, id := range ev.Evidence {
			a.Evidence = append(a.Evidence, logrec.ID{Stream: r.stream, Partition: id.Partition, Offset: id.Offset, Row: id.Row}.String())
		}
		r.open[ev.Fingerprint] = a
		if ev.Starts >= r.start {
			r.out.Alerts = append(r.out.Alerts, a)
		}
	case engine.Resolved:
		if a := r.open[ev.Fingerprint]; a != nil {
			ends := time.Unix(0, ev.Ends).UTC()
			a.EndsAt = &ends
			if !ev.Peak.Null() {
				a.Peak = &ev.Peak.N
			}
			delete(r.open, ev.Fingerprint)
		}
	}
}
