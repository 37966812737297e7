package app

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/event"
	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/rule/engine"
)

// global decides the rules over all partitions, on whichever replica holds the shard. Its input are the partitions' committed cells, so it
// makes no difference who does it, nor when.
type global struct {
	ps    *partitions
	state store.Global
	mine  bool
	eval  *evaluation
}

// owned is the shard's source while it is ours.
func (g *global) owned() []string {
	g.ps.mu.Lock()
	defer g.ps.mu.Unlock()
	if g.mine {
		return []string{store.GlobalSource}
	}
	return nil
}

func (g *global) setMine(mine bool) {
	g.ps.mu.Lock()
	defer g.ps.mu.Unlock()
	g.mine = mine
}

// round takes the shard if nobody has it, and takes it as far as all partitions have come.
func (g *global) round(ctx context.Context) {
	if g.eval == nil {
		ctx, cancel := context.WithTimeout(ctx, takeTimeout)
		defer cancel()
		if err := g.take(ctx); err != nil {
			g.ps.log.Warn().Err(err).Msg("taking the shard of global rules")
			return
		}
	}
	if g.eval == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	defer g.keep(ctx, g.state)()
	if err := g.step(ctx); err != nil {
		if ctx.Err() == nil {
			g.ps.log.Warn().Err(err).Msg("a step of the global rules")
		}
		g.eval = nil // whatever happened, what is stored is right: begin again from there
		g.setMine(false)
		return
	}
	if err := g.stand(ctx); err != nil && ctx.Err() == nil {
		g.ps.log.Debug().Err(err).Msg("writing how the global rules stand")
	}
}

// keep says, until stop is called, that the shard's owner lives: what it does may take longer than the lease, and whoever took the shard from it
// would have to do it all again, and lose it in the same way.
func (g *global) keep(ctx context.Context, st store.Global) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		every(ctx, renewEvery, func(ctx context.Context) {
			if err := g.ps.store.RenewGlobal(ctx, st, g.ps.owner); err != nil && ctx.Err() == nil {
				g.ps.log.Debug().Err(err).Msg("renewing the lease of the global shard")
			}
		})
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// take restores the engine from its snapshot and goes silently through what is committed since.
func (g *global) take(ctx context.Context) error {
	st, ok, err := g.ps.store.AcquireGlobal(ctx, g.ps.stream, g.ps.owner)
	if err != nil || !ok {
		return err
	}
	defer g.keep(ctx, st)()
	e := &evaluation{place: engine.Place{Global: true}, save: newSaving(), found: newFindings(watch.Findings{})}
	versions, commands, seq, err := g.ps.inputs.all(ctx, g.ps.store)
	if err != nil {
		return err
	}
	e.ruleSeq = seq
	snap, found, err := g.ps.store.Snapshot(ctx, g.ps.stream, store.GlobalSource)
	if err != nil {
		return err
	}
	if !found {
		e.versions, e.commands = versions, commands
		g.state, g.eval = st, e
		g.setMine(true)
		return nil
	}
	if e.eng, err = engine.Restore(e.place, snap.State, versions, commands); err != nil {
		return fmt.Errorf("restoring the global shard: %w", err)
	}
	e.out = snap.OutSeq
	ps, _, _, _, err := g.ps.store.Partials(ctx, g.ps.stream, 0, snap.Position.NextOffset)
	if err != nil {
		return err
	}
	done := ps[:0]
	for _, p := range ps {
		if p.Tick <= st.Tick {
			done = append(done, p)
		}
	}
	e.eng.Merge(done)
	e.advance(st.Tick*engine.Tick, 0)
	e.skip()
	if e.out != st.OutSeq {
		g.ps.metrics.diverged.Inc()
		g.ps.log.Error().Int64("events", e.out).Int64("stored", st.OutSeq).Msg("going through the global cells again gave another number of events")
		e.out = st.OutSeq
	}
	g.state, g.eval = st, e
	g.setMine(true)
	return nil
}

func (g *global) step(ctx context.Context) error {
	e := g.eval
	since := g.state.Tick
	ps, through, begun, ok, err := g.ps.store.Partials(ctx, g.ps.stream, g.ps.parts, since)
	if err != nil {
		return err
	}
	if !ok || through <= since {
		return g.ps.store.RenewGlobal(ctx, g.state, g.ps.owner)
	}
	if e.eng == nil {
		e.eng = engine.New(e.place, begun)
		if err := e.eng.Schedule(e.versions, e.commands); err != nil {
			return err
		}
		e.versions, e.commands = nil, nil
	}
	if err := g.learn(ctx); err != nil {
		return err
	}
	began := time.Now()
	e.eng.Merge(ps)
	e.advance(through*engine.Tick, 0)
	e.save.worked(began, 0)
	st := store.Step{OutSeq: e.out, RuleSeq: e.ruleSeq, Findings: e.findings()}
	for i := range e.events {
		if e.events[i].ev.Kind != engine.Confirmed {
			st.OutSeq++
		}
		if err := g.ps.describe(ctx, &st, e.events[i].ev, event.Origin{Source: store.GlobalSource}); err != nil {
			return err
		}
	}
	if since == 0 || e.save.due(g.ps.budget()) {
		st.Snapshot = e.save.snapshot(e.eng)
	}
	if err := g.ps.store.CommitGlobal(ctx, g.state, through, st); err != nil {
		return err // a change of the rules in this very moment included: the step is done again from what is stored
	}
	g.state.Tick, g.state.OutSeq, e.out, e.events = through, st.OutSeq, st.OutSeq, nil
	if st.Snapshot != nil {
		e.save.saved()
	}
	if st.Findings != nil {
		e.found.stored = string(st.Findings)
	}
	if len(st.Out) > 0 {
		g.ps.wake()
	}
	return nil
}

// learn takes in changed rules before cells of their ticks.
func (g *global) learn(ctx context.Context) error {
	versions, commands, seq, err := g.ps.store.Inputs(ctx, g.eval.ruleSeq)
	if err != nil {
		return err
	}
	if err := g.eval.eng.Schedule(versions, commands); err != nil {
		return err
	}
	g.eval.ruleSeq = seq
	return nil
}
