package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/logmill/logmill/shared/rule"
)

// ErrLate is an input for a tick that is closed, or that records have been folded into, when it becomes known: the step has to be done again.
var ErrLate = errors.New("an input takes effect in the past")

// Version is a version of a rule, in force from Effective (ns) on.
type Version struct {
	RuleID    string
	Number    int
	Effective int64
	Rule      rule.Rule
	Deleted   bool
}

// Command is what a person does to alerts, at Effective (ns).
type Command struct {
	ID          int64
	Effective   int64
	Kind        string // resolve, acknowledge or note (of Fingerprint); silence or expire (of a silence)
	Fingerprint string
	Starts      int64 // of the episode, as announced, ns: one that began since is not meant; 0 = whichever fires
	Who, Note   string
	Silence     string // id; a silence command replaces the silence that has it already
	Matchers    []rule.Matcher
	From, Until int64 // of a silence, ns
}

// Kinds of commands.
const (
	CommandResolve     = "resolve"
	CommandAcknowledge = "acknowledge"
	CommandNote        = "note"
	CommandSilence     = "silence"
	CommandExpire      = "expire"
	commandTurn        = "turn" // of a silence: it begins or ends by itself
)

// input is a version or a command, in force from a tick on.
type input struct {
	tick    int64
	version *Version
	linked  *active
	command *Command
}

func (e *Engine) insert(in input) {
	i, _ := slices.BinarySearchFunc(e.future, in, func(a, b input) int {
		return cmp.Or(cmp.Compare(a.tick, b.tick), cmp.Compare(a.order(), b.order()), compareIDs(a.id(), b.id()), -1)
	})
	e.future = slices.Insert(e.future, i, in)
}

func (in *input) order() int {
	switch {
	case in.version != nil:
		return 0
	case in.command.Kind == commandTurn:
		return 2
	}
	return 1
}

func (in *input) id() string {
	if in.version != nil {
		return fmt.Sprintf("%s/%09d", in.version.RuleID, in.version.Number)
	}
	if in.command.Kind == commandTurn {
		return in.command.Silence
	}
	return fmt.Sprint(in.command.ID)
}

// Schedule makes versions and commands known. Each is given once. ErrLate: one takes effect where the engine has been already.
func (e *Engine) Schedule(versions []Version, commands []Command) error {
	late := func(t int64) bool { return !e.fresh && t <= max(e.last, e.folded) } // what was folded may have been decided early
	for i := range versions {
		v := &versions[i]
		t := tickOf(v.Effective)
		if late(t) {
			return fmt.Errorf("version %d of rule %s: %w", v.Number, v.RuleID, ErrLate)
		}
		e.insert(input{tick: t, version: v, linked: e.compile(v)})
	}
	for i := range commands {
		c := &commands[i]
		if late(tickOf(c.Effective)) {
			return fmt.Errorf("command %d: %w", c.ID, ErrLate)
		}
		e.insert(input{tick: tickOf(c.Effective), command: c})
	}
	return nil
}

// compile links a version's series, so that its records are collected before it is in force; nil when it needs none here.
func (e *Engine) compile(v *Version) *active {
	if v.Deleted || !v.Rule.Enabled {
		return nil
	}
	c, err := rule.Compile(v.RuleID, v.Number, v.Rule)
	if err != nil {
		e.failed[v.RuleID] = err
		return nil
	}
	delete(e.failed, v.RuleID)
	if !e.place.feeds(c) {
		return nil
	}
	return e.link(c)
}

// inputs puts in force what is due at a tick: rule versions first, then silences.
func (e *Engine) inputs(t int64) {
	for k := 0; k < len(e.future) && e.future[k].tick <= t; {
		in := e.future[k]
		if in.version == nil {
			k++
			continue
		}
		e.future = slices.Delete(e.future, k, k+1)
		e.change(in.version, in.linked, t)
	}
}

// change replaces a rule's version.
func (e *Engine) change(v *Version, next *active, t int64) {
	old := e.active[v.RuleID]
	if old == nil {
		e.begin(next, v, t)
		return
	}
	if next != nil && e.place.decides(next.c) && next.c.SameWindow(old.c) {
		e.adopt(old, next, t)
		return
	}
	reason := ReasonChanged
	switch {
	case v.Deleted:
		reason = ReasonDeleted
	case !v.Rule.Enabled:
		reason = ReasonDisabled
	}
	for _, i := range sortedInstances(old) {
		if i.alert.Phase == firing {
			e.end(i, t, t, reason)
		}
	}
	e.leave(old)
	e.begin(next, v, t)
}

// begin puts a version in force where none was. Versions that only feed the global engine stay linked until the next one.
func (e *Engine) begin(next *active, v *Version, t int64) {
	if fed := e.feeds(v.RuleID); fed != nil {
		e.unlink(fed)
		delete(e.active, feedKey(v.RuleID))
	}
	switch {
	case next == nil:
	case e.place.decides(next.c):
		e.start(next, t)
	default:
		e.active[feedKey(v.RuleID)] = next
	}
}

// feedKey keeps rules that are only fed apart from those in force.
func feedKey(id string) string { return "feed:" + id }

func (e *Engine) feeds(id string) *active { return e.active[feedKey(id)] }

// adopt goes on with the windows and alerts of the version before.
func (e *Engine) adopt(old, next *active, t int64) {
	changed := old.c.Severity != next.c.Severity
	next.since, next.warm, next.full = old.since, old.warm, old.full
	instances := sortedInstances(old)
	s := old.samples.s
	s.users = slices.DeleteFunc(s.users, func(u *active) bool { return u == old })
	for _, i := range instances {
		i.r.take(i)
		before := i.evidence
		i.a = next
		next.instances[i.r.key] = i
		i.collect()
		if before != nil { // let go of only now: else its group might be forgotten with what is in it
			old.evidence.s.release(before)
		}
		i.r.put(i, watched) // another threshold: it is looked at once
		if i.alert.Phase == firing {
			e.adapt(i, changed, t)
		}
		e.mark(i.r)
	}
	e.active[next.c.ID] = next
	next.samples.s.users = append(next.samples.s.users, next)
	next.samples.s.gen++
	e.unlink(old)
}

// adapt tells of a firing alert whose severity changed, or whose labels brought it under a silence or out of one.
func (e *Engine) adapt(i *instance, severity bool, t int64) {
	quiet := e.quietFor(i, t)
	moved := quiet != i.alert.said().Quiet
	i.alert.quiet(quiet)
	switch {
	case severity:
		e.emit(i, Updated, ReasonSeverity, t, nil)
	case moved:
		e.emit(i, Updated, ReasonManual, t, nil)
	}
}

func sortedInstances(a *active) []*instance {
	out := make([]*instance, 0, len(a.instances))
	for _, i := range a.instances {
		out = append(out, i)
	}
	slices.SortFunc(out, func(x, y *instance) int { return cmp.Compare(x.r.key, y.r.key) })
	return out
}
