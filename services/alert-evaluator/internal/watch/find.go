package watch

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/rule/blind"
)

// Find returns the problems there are, in a fixed order. after is how far the watermark may be behind the clock, 0 = however far. Problems that are
// known already keep their beginning, and lag is over when half of it is made up.
func (r *Rules) Find(f *Facts, after time.Duration) []blind.Problem {
	var out []blind.Problem
	for _, p := range f.Partitions {
		out = append(out, f.behind(p, int64(after))...)
		if p.Lost >= 0 {
			out = append(out, blind.Problem{Kind: blind.Lost, Partition: p.Partition, Since: f.Now,
				Detail: fmt.Sprintf("logs.enriched does not have offset %d of partition %d, where reading stands: the partition is not read", p.Lost, p.Partition)})
		}
	}
	out = append(out, f.globalBehind(int64(after))...)
	for _, p := range append(f.gaps(), append(f.misplaced(), f.overflows()...)...) {
		if r.concerned(f.view(nil), &p) {
			out = append(out, p)
		}
	}
	out = append(out, r.broken()...)
	for i := range out {
		if k := f.known(&out[i]); k != nil {
			out[i].Since = k.Since
		}
		out[i].Detail = clip(out[i].Detail)
	}
	slices.SortFunc(out, compare)
	return out
}

// compare orders by what names a problem.
func compare(a, b blind.Problem) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Service, b.Service))
}

// known is the stored problem of the same name, nil for none.
func (f *Facts) known(p *blind.Problem) *blind.Problem {
	for i := range f.Known {
		if f.Known[i].Same(*p) {
			return &f.Known[i]
		}
	}
	return nil
}

// late tells whether a watermark is too far behind; p says for which problem that is asked.
func (f *Facts) late(p blind.Problem, watermark, after int64) bool {
	if after > 0 && f.known(&p) != nil {
		after /= 2
	}
	return after > 0 && f.Now-f.since(watermark) > after
}

// behind blames the processor when it is behind itself, else the evaluator.
func (f *Facts) behind(p Partition, after int64) []blind.Problem {
	processor := blind.Problem{Kind: blind.ProcessorBehind, Partition: p.Partition, Since: f.since(p.Stored)}
	evaluator := blind.Problem{Kind: blind.EvaluatorBehind, Partition: p.Partition, Since: f.since(p.Decided)}
	switch {
	case !f.late(processor, p.Decided, after) && !f.late(evaluator, p.Decided, after):
	case f.late(processor, p.Stored, after):
		processor.Detail = fmt.Sprintf("the processor has got no further than %s in partition %d: it is behind, or does not run", clock(processor.Since), p.Partition)
		return []blind.Problem{processor}
	case f.late(evaluator, p.Decided, after):
		evaluator.Detail = fmt.Sprintf("rules are decided no further than %s in partition %d: the alert-evaluator is behind, or does not read it", clock(evaluator.Since), p.Partition)
		return []blind.Problem{evaluator}
	}
	return nil
}

// globalBehind is when the partitions are there and the shard of global rules is not.
func (f *Facts) globalBehind(after int64) []blind.Problem {
	p := blind.Problem{Kind: blind.GlobalBehind, Partition: -1, Since: f.since(f.Global.Decided)}
	oldest := f.oldest()
	if oldest == 0 || !f.late(p, f.Global.Decided, after) || f.late(p, oldest, after) {
		return nil
	}
	p.Detail = fmt.Sprintf("rules over all partitions are decided no further than %s: no alert-evaluator decides them, or it cannot", clock(p.Since))
	return []blind.Problem{p}
}

func (f *Facts) gaps() (out []blind.Problem) {
	for _, p := range f.Partitions {
		if p.Gap > 0 {
			out = append(out, blind.Problem{Kind: blind.Gap, Partition: p.Partition, Since: f.Now, Event: p.Gap,
				Detail: fmt.Sprintf("lines of partition %d before %s are missing, on logs.enriched and in MySQL", p.Partition, clock(p.Gap))})
		}
	}
	return out
}

func (f *Facts) misplaced() (out []blind.Problem) {
	for _, p := range f.Partitions {
		for service, at := range p.Findings.Misplaced {
			out = append(out, blind.Problem{Kind: blind.Misplaced, Partition: p.Partition, Service: service, Since: at, Event: at,
				Detail: fmt.Sprintf("lines of service %q lie on partition %d, which is not its home: their producer must key by service (murmur2)", service, p.Partition)})
		}
	}
	return out
}

// overflows are one a rule: the newest of all partitions counts.
func (f *Facts) overflows() (out []blind.Problem) {
	newest := map[string]int64{}
	take := func(s Findings) {
		for id, at := range s.Overflow {
			newest[id] = max(newest[id], at)
		}
	}
	take(f.Global.Findings)
	for _, p := range f.Partitions {
		take(p.Findings)
	}
	for id, at := range newest {
		out = append(out, blind.Problem{Kind: blind.Overflow, Partition: -1, RuleID: id, Since: at, Event: at,
			Detail: fmt.Sprintf("rule %s has more groups than a rule may: those above share the group __overflow__", id)})
	}
	return out
}

// broken are the rules that are not evaluated at all.
func (r *Rules) broken() (out []blind.Problem) {
	for id, k := range r.byID {
		if k.err != nil {
			out = append(out, blind.Problem{Kind: blind.Error, Partition: -1, RuleID: id, Since: k.version.Effective, Detail: fmt.Sprintf("rule %s cannot be evaluated: %s", id, strings.ReplaceAll(k.err.Error(), "\n", "; "))})
		}
	}
	return out
}

// clip keeps whole characters.
func clip(s string) string {
	if len(s) <= detailBytes {
		return s
	}
	n := detailBytes - len("…")
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
