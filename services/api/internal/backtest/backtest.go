// Package backtest says when a rule would have fired: the evaluator's engine over the blocks that are stored.
package backtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/rule/expr"
)

// Times that a backtest can go by.
const (
	ByEvalTime  = "eval_time" // when rules saw the lines: the answer is what happened, or would have
	ByTimestamp = "timestamp" // when the lines say that they were written: for imported history, which no rule ever saw
)

// Spec is what to run.
type Spec struct {
	Rule       *rule.Compiled
	Start, End int64 // ns; alerts that begin in [Start, End)
	By         string
	Rows       int64         // read at most …
	Time       time.Duration // … for so long at most
	Step       int64         // ns: a value a step and group is wanted; 0 = none
	Newest     bool          // when there are more rows, the newest are read: Start moves
}

// Block is a stored block. Times are ns.
type Block struct {
	ID        uint64
	Stream    uint32
	Partition int32
	Day       uint32 // of block_data
	Rows      int32
	From, To  int64 // offsets
	Min       int64 // timestamp
	Checksum  uint32
	Watermark int64 // every record of later blocks of the partition has an eval_time above it
}

// Span is what to list blocks for: those with records of a time in [Start, End).
type Span struct {
	Start, End  int64
	ByTimestamp bool
	Limit       int
}

// Source gives the blocks.
type Source interface {
	// History lists a span's blocks as they are at one moment, by stream, partition and offset.
	History(ctx context.Context, s Span) ([]Block, error)
	// BlockData is a block's bytes, nil when it is gone.
	BlockData(ctx context.Context, b *Block) ([]byte, error)
	// Through is the event time up to which all partitions are stored, ns.
	Through(ctx context.Context) (int64, error)
}

// Alert is an episode that would have been.
type Alert struct {
	StartsAt    time.Time                `json:"starts_at"`
	EndsAt      *time.Time               `json:"ends_at"` // nil: still firing at the end of the range
	Labels      map[string]string        `json:"labels"`
	Value       *float64                 `json:"value"`
	Peak        *float64                 `json:"peak"`
	Reason      string                   `json:"reason"`
	Resolved    string                   `json:"resolved,omitempty"` // why it ended
	Evidence    []contract.AlertEvidence `json:"evidence"`
	Fingerprint string                   `json:"fingerprint"`
}

// Result of a backtest.
type Result struct {
	Alerts        []*Alert  `json:"alerts"`
	Values        *Values   `json:"values,omitempty"` // where a step was asked for
	Rows          int64     `json:"rows"`
	Blocks        int       `json:"blocks"`
	Partial       bool      `json:"partial"`
	PartialReason string    `json:"partial_reason,omitempty"`
	CoveredFrom   time.Time `json:"covered_from"`
	CoveredUntil  time.Time `json:"covered_until"`
	TookMS        int64     `json:"took_ms"`
}

// Progress of a run.
type Progress struct {
	Fraction     float64   `json:"fraction"` // of the rows, 0…1
	Rows         int64     `json:"rows"`
	RowsTotal    int64     `json:"rows_total"`
	Alerts       int       `json:"alerts"`
	CoveredUntil time.Time `json:"covered_until"`
}

// run is one in the making.
type run struct {
	src     Source
	spec    Spec
	eng     *engine.Engine
	order   order
	ahead   *ahead
	lines   *lines
	out     *Result
	open    map[string]*Alert
	total   int64
	covered int64
	report  func(Progress)
	values  *recorder // nil: not wanted
}

// Run runs a rule. now is a clock for the time budget; report hears of the progress after each block.
func Run(ctx context.Context, src Source, spec Spec, now func() time.Time, report func(Progress)) (*Result, error) {
	began := now()
	through := began.UnixNano() // an import is complete; only what is still to come must not count as absent
	if spec.By != ByTimestamp {
		var err error
		if through, err = src.Through(ctx); err != nil {
			return nil, err
		}
	}
	spec.End = min(spec.End, through)
	blocks, err := list(ctx, src, &spec)
	if err != nil {
		return nil, err
	}
	r := &run{src: src, spec: spec, order: newOrder(blocks, spec.By), out: &Result{Alerts: []*Alert{}}, open: map[string]*Alert{}, report: report}
	r.lines = &lines{src: src, parts: partsOf(blocks)}
	for i := range blocks {
		r.total += int64(blocks[i].Rows)
	}
	r.eng = engine.New(engine.Place{All: true}, spec.Start-lead(spec.Rule))
	on := spec.Rule.Rule
	on.Enabled = true
	if err := r.eng.Schedule([]engine.Version{{RuleID: spec.Rule.ID, Number: spec.Rule.Version, Effective: spec.Start - lead(spec.Rule), Rule: on}}, nil); err != nil {
		return nil, err
	}
	if spec.Step > 0 {
		r.values = newRecorder(&spec)
		r.eng.Watch(r.values.take)
	}
	reading, stop := context.WithCancel(ctx)
	r.ahead = newAhead(src, newOrder(blocks, spec.By), spec.End)
	defer r.ahead.wg.Wait()
	defer stop()
	if err := r.fold(reading, func() bool { return now().Sub(began) > spec.Time }); err != nil {
		return nil, err
	}
	r.covered = max(r.covered, spec.Start)
	r.out.Alerts = slices.DeleteFunc(r.out.Alerts, func(a *Alert) bool { return a.StartsAt.UnixNano() >= r.covered }) // whoever goes on from there finds it
	if r.values != nil {
		r.out.Values = r.values.result(r.covered, r.out.Alerts)
	}
	r.out.CoveredFrom, r.out.CoveredUntil, r.out.TookMS = at(spec.Start), at(r.covered), now().Sub(began).Milliseconds()
	return r.out, nil
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// lead is how long before the start reading begins, so that windows are whole there, and what had held for long enough is firing already, rather
// than beginning then.
func lead(c *rule.Compiled) int64 {
	return int64(c.TimeWindow) + c.Bucket() + int64(time.Second) + int64(c.For) + int64(c.KeepFiringFor)
}

// list lists the blocks, and moves the start when only the newest are wanted.
func list(ctx context.Context, src Source, spec *Spec) ([]Block, error) {
	blocks, err := src.History(ctx, Span{Start: spec.Start - lead(spec.Rule), End: spec.End, ByTimestamp: spec.By == ByTimestamp, Limit: maxBlocks + 1})
	if err != nil {
		return nil, err
	}
	if len(blocks) > maxBlocks {
		return nil, fault.Invalid("the range has too many blocks", fault.Field{Name: "start", Reason: fmt.Sprintf("more than %d blocks since then: take a shorter range", maxBlocks)})
	}
	if spec.Newest {
		from := newest(blocks, spec.Rows)
		spec.Start = max(spec.Start, from+lead(spec.Rule))
		blocks = slices.DeleteFunc(blocks, func(b Block) bool { return b.Watermark <= from })
	}
	return blocks, nil
}

// fold reads block by block and closes ticks as far as nothing can come for them any more.
func (r *run) fold(ctx context.Context, late func() bool) error {
	for {
		b, before, ok := r.order.next()
		if !ok || before >= r.spec.End {
			r.covered = r.spec.End
			return r.take(ctx, r.spec.End)
		}
		if err := r.take(ctx, before); err != nil {
			return err
		}
		r.covered = before
		if reason := r.spent(late); reason != "" {
			r.out.Partial, r.out.PartialReason = true, reason
			return nil
		}
		if err := r.block(ctx, b); err != nil {
			return err
		}
		r.order.read(b)
		r.report(Progress{Fraction: float64(r.out.Rows) / float64(max(1, r.total)), Rows: r.out.Rows, RowsTotal: r.total, Alerts: len(r.out.Alerts), CoveredUntil: at(max(r.covered, r.spec.Start))})
	}
}

func (r *run) spent(late func() bool) string {
	switch {
	case r.out.Rows > r.spec.Rows:
		return fmt.Sprintf("%d lines read", r.out.Rows)
	case len(r.out.Alerts) >= MaxAlerts:
		return fmt.Sprintf("%d alerts found", len(r.out.Alerts))
	case r.eng.OpenCells() > maxOpen:
		return "the blocks overlap too much in time"
	case late():
		return fmt.Sprintf("%s passed", r.spec.Time)
	}
	return ""
}

func (r *run) block(ctx context.Context, b *Block) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.out.Rows += int64(b.Rows)
	reader, err := r.lines.open(ctx, b, r.ahead.fetch)
	if err == nil {
		r.out.Blocks++
		var src expr.Source = reader
		if r.spec.By == ByTimestamp {
			src = byTimestamp{reader}
		}
		err = r.eng.Fold(src, r.lines.place(b))
	}
	if unreadable(err) { // the others are worth something
		r.out.Partial, r.out.PartialReason = true, err.Error()
		return nil
	}
	return err
}

func unreadable(err error) bool { return errors.Is(err, errGone) || errors.Is(err, block.ErrDamaged) }

// take closes ticks and notes what they decide.
func (r *run) take(ctx context.Context, watermark int64) error {
	events, _ := r.eng.Advance(watermark)
	for i := range events {
		if err := r.note(ctx, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) note(ctx context.Context, ev *engine.Event) (err error) {
	switch ev.Kind {
	case engine.Firing:
		if r.open[ev.Fingerprint] != nil {
			return nil // told again
		}
		a := &Alert{StartsAt: at(ev.Starts), Labels: ev.Labels, Reason: ev.Reason, Fingerprint: ev.Fingerprint, Evidence: []contract.AlertEvidence{}}
		if !ev.Value.Null() {
			a.Value, a.Peak = &ev.Value.N, &ev.Peak.N
		}
		r.open[ev.Fingerprint] = a
		if ev.Starts < r.spec.Start {
			return nil
		}
		r.out.Alerts = append(r.out.Alerts, a)
		a.Evidence, err = r.lines.texts(ctx, ev.Evidence)
	case engine.Resolved:
		if a := r.open[ev.Fingerprint]; a != nil {
			ends := at(ev.Ends)
			a.EndsAt, a.Resolved = &ends, ev.Reason
			if !ev.Peak.Null() {
				a.Peak = &ev.Peak.N
			}
			delete(r.open, ev.Fingerprint)
		}
	}
	return err
}
