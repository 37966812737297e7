package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/store"
	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/obs"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

const (
	lookEvery = 2 * time.Second  // a fifteenth of the default of ALERT_BLIND_AFTER
	holdFor   = 10 * time.Second // a third of it: a restart that catches up at once is worth no alert
)

// watcher looks for blind rules. Every replica does, for its own metrics and health; the one that holds the watch writes down what it finds and
// tells of it.
type watcher struct {
	ps    *partitions
	after time.Duration

	rules   *watch.Rules
	ruleSeq int64
	held    *store.Watch // nil: somebody else's, or nobody's

	mu       sync.Mutex
	problems []blind.Problem
	speaks   bool
}

func newWatcher(ps *partitions, after time.Duration) *watcher {
	return &watcher{ps: ps, after: after, rules: watch.NewRules()}
}

// pace and hold follow ALERT_BLIND_AFTER where it is shorter than usual.
func (w *watcher) pace() time.Duration {
	if w.after == 0 {
		return lookEvery
	}
	return min(lookEvery, w.after/15)
}

func (w *watcher) hold() time.Duration {
	if w.after == 0 {
		return holdFor
	}
	return min(holdFor, w.after/3)
}

// owned is the source of meta alerts while we speak.
func (w *watcher) owned() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.speaks {
		return []string{watch.Source}
	}
	return nil
}

// Check is an error while partitions of ours are blind by themselves, and a warning while any rule is for whatever reason.
func (w *watcher) Check(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	ours := false
	for i := range w.problems {
		p := &w.problems[i]
		all = append(all, errors.New(p.Detail))
		switch p.Kind {
		case blind.EvaluatorBehind, blind.Gap, blind.Lost:
			ours = ours || w.ps.mine(p.Partition)
		}
	}
	switch err := errors.Join(all...); {
	case err == nil || ours:
		return err
	default:
		return &obs.Warning{Err: err}
	}
}

// round looks once.
func (w *watcher) round(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, dbTimeout)
	defer cancel()
	if err := w.look(ctx); err != nil {
		w.set(nil, w.problemsNow())
		if ctx.Err() == nil {
			w.ps.log.Warn().Err(err).Msg("looking for blind rules")
		}
	}
}

func (w *watcher) look(ctx context.Context) error {
	versions, _, seq, err := w.ps.store.Inputs(ctx, w.ruleSeq)
	if err != nil {
		return err
	}
	w.rules.Learn(versions)
	w.ruleSeq = seq
	facts, err := w.ps.store.Facts(ctx, w.ps.stream)
	if err != nil {
		return err
	}
	problems := w.rules.Find(&facts, w.after)
	held, err := w.speak(ctx, &facts, problems)
	w.set(held, problems)
	w.show(&facts, problems)
	return err
}

func (w *watcher) set(held *store.Watch, problems []blind.Problem) {
	w.held = held
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems, w.speaks = problems, held != nil
}

func (w *watcher) problemsNow() []blind.Problem {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problems
}

// show sets the metrics.
func (w *watcher) show(f *watch.Facts, problems []blind.Problem) {
	m := w.ps.metrics
	kinds, parts := map[string]float64{}, map[int32]float64{}
	for _, p := range problems {
		kinds[p.Kind]++
		if p.Partition >= 0 {
			parts[p.Partition] = 1
		}
	}
	for _, k := range watch.Kinds {
		m.problems.WithLabelValues(k).Set(kinds[k])
	}
	for _, p := range f.Partitions {
		m.blind.WithLabelValues(label(p.Partition)).Set(parts[p.Partition])
	}
	m.blindRules.Set(float64(w.rules.Blind(f, problems)))
	m.watched.Set(float64(time.Now().UnixNano()) / 1e9)
}

// speak writes down and tells what was found, if it is ours to do; it returns the right to do so again.
func (w *watcher) speak(ctx context.Context, f *watch.Facts, problems []blind.Problem) (*store.Watch, error) {
	held := w.held
	if held == nil {
		got, ok, err := w.ps.store.AcquireWatch(ctx, w.ps.stream, w.ps.owner)
		if err != nil || !ok {
			return nil, err
		}
		held = &got
	}
	events, err := w.step(ctx, held, f, problems)
	if err != nil {
		return nil, err
	}
	look := store.Look{State: held.State}
	look.Put, look.Gone = changes(f.Known, problems)
	for i := range events {
		if err := w.describe(&look, &events[i], held.OutSeq, f, problems); err != nil {
			return nil, err
		}
	}
	if err := w.ps.store.CommitWatch(ctx, *held, look); err != nil {
		if errors.Is(err, store.ErrFenced) {
			err = nil // somebody else speaks now
		}
		return nil, err
	}
	held.OutSeq += int64(len(look.Out))
	if len(look.Out) > 0 {
		w.ps.wake()
	}
	return held, nil
}

// step takes the meta alerts on. What goes wrong afterwards is put right by acquiring the stored state again.
func (w *watcher) step(ctx context.Context, held *store.Watch, f *watch.Facts, problems []blind.Problem) ([]watch.Event, error) {
	l := watch.Look{Now: f.Now, Hold: w.hold(), Rules: w.rules, Problems: problems}
	if held.State.RuleSeq < w.ruleSeq {
		_, commands, seq, err := w.ps.store.Inputs(ctx, held.State.RuleSeq)
		if err != nil {
			return nil, err
		}
		l.Commands, held.State.RuleSeq = commands, seq
	}
	return held.State.Step(l), nil
}

// describe adds an event to the outbox and the history.
func (w *watcher) describe(l *store.Look, ev *watch.Event, seq int64, f *watch.Facts, problems []blind.Problem) error {
	seq += int64(len(l.Out)) + 1
	made := w.rules.Make(ev, f, problems, w.after, seq)
	raw, err := made.Encode()
	if err != nil {
		return err
	}
	l.Out = append(l.Out, store.Out{Seq: seq, Fingerprint: made.Data.Fingerprint, Tick: ev.At, Event: raw})
	episode, err := episodeOf(ev, &made.Data)
	if err != nil {
		return err
	}
	l.Episodes = append(l.Episodes, episode)
	w.ps.metrics.events.WithLabelValues(made.Data.Status, made.Data.Reason).Inc()
	return nil
}

// episodeOf is the history's row of a meta alert; rule 0 is none.
func episodeOf(ev *watch.Event, d *contract.AlertData) (store.Episode, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return store.Episode{}, fmt.Errorf("encoding meta alert %s: %w", d.Fingerprint, err)
	}
	e := store.Episode{Fingerprint: d.Fingerprint, Starts: ev.Starts, Final: ev.Starts, Version: d.Rule.Version, Name: d.Rule.Name, Team: d.Team, Severity: d.Severity,
		Service: ev.Service, Value: d.Value, Peak: d.Peak, Reason: d.Reason, Ack: ev.Ack, Note: ev.Note, Event: raw, Opens: ev.What == engine.Firing}
	if ev.What == engine.Resolved {
		e.Ends = ev.At
	}
	return e, nil
}

// changes are the problems to write and those to delete, so that what is stored becomes what is found.
func changes(known, found []blind.Problem) (put, gone []blind.Problem) {
	for _, p := range found {
		if !slices.Contains(known, p) {
			put = append(put, p)
		}
	}
	for _, k := range known {
		if !slices.ContainsFunc(found, k.Same) {
			gone = append(gone, k)
		}
	}
	return put, gone
}
