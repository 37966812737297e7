// Package blind says which rules cannot be trusted at a moment: those whose lines have not all been seen. Silence of such a rule is not OK.
//
// The alert-evaluator finds problems and writes them to MySQL (alert_problem); whoever shows rules reads them back and asks View.Of. That no
// evaluator lives is decided by the reader alone, from the age of the newest look.
package blind

import (
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
)

// Kinds of problems. The first group makes rules blind by partition, the second is of one rule.
const (
	ProcessorBehind = "processor_behind" // the processor has not come further, or does not run
	EvaluatorBehind = "evaluator_behind" // the evaluator has not come as far as the processor
	GlobalBehind    = "global_behind"    // rules over all partitions are not decided as far as the partitions are
	Gap             = "gap"              // blocks are missing on logs.enriched and in MySQL
	Lost            = "lost"             // logs.enriched does not have the stored position
	Misplaced       = "misplaced"        // lines of a service lie on a partition that is not its home
	NoEvaluator     = "no_evaluator"     // nobody watches: found by readers, never stored

	Error    = "error"    // the rule cannot be compiled and is not evaluated
	Overflow = "overflow" // the rule has more groups than it may: the rest share one
)

// StaleAfter is how old the newest look may be. Looks are made every two seconds; another replica takes over from a dead one after ten.
const StaleAfter = 15 * time.Second

// Problem is a row of alert_problem. Times are ns.
type Problem struct {
	Kind      string
	Partition int32  // -1: of no partition
	Service   string // of Misplaced
	RuleID    string // of Error and Overflow
	Since     int64
	Event     int64  // Gap, Misplaced, Overflow: of the newest line concerned; a rule is concerned until its window has left it. 0: until the problem is gone
	Detail    string // one sentence
}

// Same tells whether two are the same problem, at whatever moment.
func (p Problem) Same(q Problem) bool {
	return p.Kind == q.Kind && p.Partition == q.Partition && p.Service == q.Service && p.RuleID == q.RuleID
}

// View is all that there is to know at a moment.
type View struct {
	Partitions int32           // of the stream
	Watermarks map[int32]int64 // alert_partition.watermark_ns by part
	Problems   []Problem
	Checked    int64 // alert_watch.checked_at, ns; 0 without a row
	Now        int64 // MySQL's clock, ns
}

// Of are the problems that make a rule blind or, for Error and Overflow, that are its own. Empty: its silence means that all is well.
// A rule that is disabled has none; the caller knows.
func (v *View) Of(c *rule.Compiled) (out []Problem) {
	if p, dead := v.Unwatched(); dead {
		out = append(out, p)
	}
	for _, p := range v.Problems {
		if v.Concerns(&p, c) {
			out = append(out, p)
		}
	}
	return out
}

// State is a word for the problems of a rule: ok, blind, error or overflow (it sees all lines, but not every group apart).
func State(ps []Problem) string {
	state := "ok"
	for _, p := range ps {
		switch p.Kind {
		case Error:
			return "error"
		case Overflow:
			if state == "ok" {
				state = "overflow"
			}
		default:
			state = "blind"
		}
	}
	return state
}

// Unwatched tells whether nobody has looked for problems for too long: then the stored ones say nothing, and every rule is blind.
func (v *View) Unwatched() (p Problem, dead bool) {
	if v.Now-v.Checked <= int64(StaleAfter) {
		return Problem{}, false
	}
	since := "ever"
	if v.Checked > 0 {
		since = time.Unix(0, v.Checked).UTC().Format(time.RFC3339)
	}
	return Problem{Kind: NoEvaluator, Partition: -1, Since: v.Checked, Detail: fmt.Sprintf("no alert-evaluator has looked since %s: no rule is evaluated", since)}, true
}

// Concerns tells whether one problem is a rule's.
func (v *View) Concerns(p *Problem, c *rule.Compiled) bool {
	switch p.Kind {
	case Error, Overflow:
		return p.RuleID == c.ID && v.within(p, c)
	case GlobalBehind:
		return !c.Local
	case Misplaced: // a rule over all partitions sees the line wherever it is
		return c.Local && (!c.Pinned || c.Pin == p.Service) && v.within(p, c)
	}
	if c.Pinned && contract.Home(c.Pin, v.Partitions) != p.Partition {
		return false
	}
	return v.within(p, c)
}

// within tells whether the lines concerned can still be in a window of the rule that is to be decided.
func (v *View) within(p *Problem, c *rule.Compiled) bool {
	return p.Event == 0 || v.decided(p, c) < p.Event+int64(c.TimeWindow)
}

// decided is how far the rule is decided where the problem is, ns.
func (v *View) decided(p *Problem, c *rule.Compiled) int64 {
	if c.Pinned {
		return v.Watermarks[contract.Home(c.Pin, v.Partitions)]
	}
	if c.Local && p.Partition >= 0 {
		return v.Watermarks[p.Partition]
	}
	oldest := v.Now
	for n := range v.Partitions {
		oldest = min(oldest, v.Watermarks[n])
	}
	return oldest
}
