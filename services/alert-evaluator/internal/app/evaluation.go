package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/event"
	"github.com/logmill/logmill/services/alert-evaluator/internal/follow"
	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/engine"
)

const stepEvery = 250 * time.Millisecond // a watermark that nobody waits for is stored this often

// evaluation is a partition's engine and what it has decided since the last commit.
type evaluation struct {
	eng      *engine.Engine // nil until the first message says where the stream begins
	place    engine.Place
	versions []engine.Version // known before the engine was
	commands []engine.Command
	ruleSeq  int64

	begun    int64 // ns: where eng began, if it is new
	out      int64 // events so far; those up to the stored number are committed already and only counted
	events   []decided
	partials []engine.Partial
	stuck    bool // the last commit failed
	caughtUp bool // all that was committed before has been gone through

	found     findings
	save      saving
	steppedAt time.Time
	stands    standing
}

// decided is an event and where it was decided.
type decided struct {
	ev     engine.Event
	offset int64
}

// recall rebuilds a partition's engine from its snapshot. Reading begins there; what is committed already is gone through again, silently.
func (ps *partitions) recall(ctx context.Context, p store.Partition) (*evaluation, follow.Position, error) {
	e := &evaluation{place: engine.Place{Partition: p.Partition, Partitions: ps.parts}, save: newSaving(), out: p.OutSeq, found: newFindings(p.Findings)}
	snap, ok, err := ps.store.Snapshot(ctx, p.Stream, store.SourceOf(p.Partition))
	if err != nil {
		return nil, p.Position, err
	}
	versions, commands, seq, err := ps.inputs.all(ctx, ps.store)
	if err != nil {
		return nil, p.Position, err
	}
	e.ruleSeq = seq
	if !ok {
		e.versions, e.commands = versions, commands
		return e, p.Position, nil
	}
	if e.eng, err = engine.Restore(e.place, snap.State, versions, commands); err != nil {
		return nil, p.Position, fmt.Errorf("restoring partition %d: %w", p.Partition, err)
	}
	e.out = snap.OutSeq
	snap.Position.Watermark = e.eng.Watermark()
	return e, snap.Position, nil
}

// begin makes the engine at the first message: rules count from there.
func (e *evaluation) begin(h contract.Enriched, r *block.Reader) {
	if e.eng != nil {
		return
	}
	at := h.Watermark
	if r != nil {
		if times, valid, err := r.Ints("eval_time"); err == nil {
			for i, t := range times {
				if t > 0 && (valid == nil || valid[i]) {
					at = min(at, t-1)
				}
			}
		}
	}
	e.eng, e.begun = engine.New(e.place, at), at
	if err := e.eng.Schedule(e.versions, e.commands); err != nil {
		panic(err) // a fresh engine takes everything
	}
	e.versions, e.commands = nil, nil
}

// fold takes a block in (nil: none) and asks for what is certain already.
func (e *evaluation) fold(r *block.Reader, partition int32) error {
	if r == nil {
		return nil
	}
	err := errors.Join(e.eng.Fold(r, partition), e.misplace(r))
	e.keep(e.eng.Early(), -1)
	return err
}

// foldStored takes in what a stored block has of source offsets from … to, and says how many records that was. Its borders may be
// compaction's, so nothing is decided early.
func (e *evaluation) foldStored(r *block.Reader, partition int32, from, to int64) (rows int, err error) {
	offsets, _, err := r.Ints("src_offset")
	if err != nil {
		return 0, err
	}
	wanted := make([]bool, len(offsets))
	for i, at := range offsets {
		if wanted[i] = from <= at && at <= to; wanted[i] {
			rows++
		}
	}
	return rows, e.eng.Fold(some{r, wanted}, partition)
}

// some is a block of which rules see some records only.
type some struct {
	*block.Reader
	wanted []bool
}

// Ints implements expr.Source: a record without an eval_time is never seen.
func (s some) Ints(name string) (values []int64, valid []bool, err error) {
	values, valid, err = s.Reader.Ints(name)
	if name == "eval_time" {
		for i := range values {
			if !s.wanted[i] {
				values[i] = 0
			}
		}
	}
	return values, valid, err
}

func (e *evaluation) advance(watermark, offset int64) {
	events, partials := e.eng.Advance(watermark)
	e.keep(events, offset)
	for i := range e.events {
		if e.events[i].offset < 0 {
			e.events[i].offset = offset
		}
	}
	e.partials = append(e.partials, partials...)
}

func (e *evaluation) keep(events []engine.Event, offset int64) {
	for _, ev := range events {
		e.events = append(e.events, decided{ev, offset})
	}
}

// due tells whether a step should be committed now.
func (e *evaluation) due(p *partition) bool {
	if p.at.NextOffset <= p.stored.Position.NextOffset {
		return false // going through what is committed
	}
	return len(e.events) > 0 || time.Since(e.steppedAt) >= stepEvery
}

// commitLocked makes one step: everything decided since the last, in one transaction. The caller holds p.mu.
func (ps *partitions) commitLocked(ctx context.Context, p *partition) error {
	if p.claim == nil {
		return nil
	}
	if p.void {
		if err := ps.reload(p); err != nil {
			return err
		}
	}
	if p.eval.eng == nil || p.at.NextOffset <= p.stored.Position.NextOffset {
		return nil // nothing new, or a replay
	}
	for {
		st, err := ps.try(ctx, p)
		switch {
		case err == nil:
			ps.stepped(p, st)
			return nil
		case errors.Is(err, store.ErrRules):
			if err := ps.learn(ctx, p); err != nil {
				return err
			}
			continue
		}
		p.eval.stuck = true
		return ps.recover(ctx, p, st, err)
	}
}

// skip drops what a replay decided again.
func (e *evaluation) skip() {
	for _, d := range e.events {
		if d.ev.Kind != engine.Confirmed {
			e.out++
		}
	}
	e.events, e.partials = nil, nil
}

// step puts a step together.
func (ps *partitions) step(ctx context.Context, p *partition) (store.Step, error) {
	e := p.eval
	st := store.Step{Position: p.at, OutSeq: e.out, Begun: e.begun, RuleSeq: e.ruleSeq, Findings: e.findings()}
	src := store.SourceOf(p.stored.Partition)
	for i := range e.events {
		d := &e.events[i]
		if d.ev.Kind != engine.Confirmed {
			st.OutSeq++
		}
		o := event.Origin{Source: src, Partition: &p.stored.Partition, Offset: &d.offset}
		if err := ps.describe(ctx, &st, d.ev, o); err != nil {
			return st, err
		}
	}
	if len(e.partials) > 0 {
		st.Partials, st.ToTick = engine.EncodePartials(e.partials), e.partials[len(e.partials)-1].Tick
	}
	if !p.stored.Position.Begun || e.save.due(ps.budget()) {
		st.Snapshot = e.save.snapshot(e.eng)
	}
	return st, nil
}

// describe adds an event to a step's outbox and history.
func (ps *partitions) describe(ctx context.Context, st *store.Step, ev engine.Event, o event.Origin) error {
	lines, err := ps.store.Lines(ctx, ps.stream, ev.Evidence)
	if err != nil {
		ps.log.Warn().Err(err).Str("rule_id", ev.Rule.ID).Msg("an alert goes out without its evidence")
	}
	var evidence []contract.AlertEvidence
	for _, l := range lines {
		evidence = append(evidence, event.Line(l, ps.topic))
	}
	made := event.Make(&ev, o, st.OutSeq, evidence)
	episode, err := event.Episode(&ev, &made.Data)
	if err != nil {
		return err
	}
	st.Episodes = append(st.Episodes, episode)
	if ev.Kind == engine.Confirmed {
		return nil
	}
	raw, err := json.Marshal(made)
	if err != nil {
		return fmt.Errorf("encoding an event of rule %s: %w", ev.Rule.ID, err)
	}
	st.Out = append(st.Out, store.Out{Seq: st.OutSeq, Fingerprint: ev.Fingerprint, Tick: ev.Tick, Event: raw})
	ps.metrics.events.WithLabelValues(made.Data.Status, made.Data.Reason).Inc()
	return nil
}

// stepped takes note of a step that is stored.
func (ps *partitions) stepped(p *partition, st store.Step) {
	e := p.eval
	p.stored.Position, p.stored.OutSeq = st.Position, st.OutSeq
	e.out, e.events, e.partials, e.stuck, e.steppedAt = st.OutSeq, nil, nil, false, time.Now()
	if st.Snapshot != nil {
		e.save.saved()
	}
	if st.Findings != nil {
		e.found.stored = string(st.Findings)
	}
	p.claim.MarkStored(st.Position.NextOffset)
	ps.metrics.rules.WithLabelValues(label(p.stored.Partition)).Set(float64(e.eng.Rules()))
	if len(st.Out) > 0 {
		ps.wake()
	}
}

// try makes a step once.
func (ps *partitions) try(ctx context.Context, p *partition) (store.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	st, err := ps.step(ctx, p)
	if err == nil {
		err = ps.store.Commit(ctx, p.stored, st)
	}
	return st, err
}

// learn takes in rules that were changed. When one should have been obeyed already, the partition goes back to what is stored.
func (ps *partitions) learn(ctx context.Context, p *partition) error {
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	versions, commands, seq, err := ps.store.Inputs(ctx, p.eval.ruleSeq)
	if err != nil {
		return err
	}
	err = p.eval.eng.Schedule(versions, commands)
	if errors.Is(err, engine.ErrLate) {
		ps.log.Info().Err(err).Int32("partition", p.stored.Partition).Msg("a change of the rules overtook a step: it is done again")
		p.void = true
		return ps.reload(p)
	}
	p.eval.ruleSeq = seq
	return err
}

// recover finds out what became of a step that failed.
func (ps *partitions) recover(ctx context.Context, p *partition, st store.Step, err error) error {
	if !errors.Is(err, store.ErrFenced) && !mysqlx.Unanswered(err) {
		return err // nothing is stored: the next try is the same step, or a larger one
	}
	ps.metrics.fenced.Inc()
	select {
	case <-p.claim.Done():
		return err
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	again, aerr := ps.store.Acquire(ctx, ps.stream, p.stored.Partition, ps.owner)
	if aerr != nil {
		return errors.Join(err, aerr)
	}
	before := p.stored.Position
	p.stored = again
	switch again.Position {
	case st.Position: // it was stored, only the answer was lost
		ps.stepped(p, st)
		return nil
	case before: // it was not
		return err
	}
	ps.log.Warn().Err(err).Int32("partition", again.Partition).Msg("a partition was moved on by somebody else while it was ours: it is loaded again")
	p.void = true
	return ps.reload(p)
}
