package blind

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
)

const now = int64(1_800_000_000) * 1e9

func compiled(t *testing.T, id string, r rule.Rule) *rule.Compiled {
	t.Helper()
	r.Name, r.Condition, r.Enabled = "r", "COUNT(*)", true
	r.Normalize()
	c, err := rule.Compile(id, 1, r)
	require.NoError(t, err)
	return c
}

func kinds(ps []Problem) []string {
	out := []string{}
	for _, p := range ps {
		out = append(out, p.Kind)
	}
	return out
}

func TestWhichRulesAreBlind(t *testing.T) {
	t.Parallel()
	const parts = 4
	home := contract.Home("shop", parts)
	other := (home + 1) % parts
	pinned := compiled(t, "1", rule.Rule{Filter: "service = 'shop'", TimeWindow: rule.Window(time.Minute)})
	grouped := compiled(t, "2", rule.Rule{GroupBy: []string{"service"}, TimeWindow: rule.Window(time.Minute)})
	global := compiled(t, "3", rule.Rule{TimeWindow: rule.Window(10 * time.Minute)})
	minute := int64(time.Minute)
	for name, c := range map[string]struct {
		p                       Problem
		pinned, grouped, global bool
	}{
		"the service's partition":            {Problem{Kind: ProcessorBehind, Partition: home}, true, true, true},
		"another partition":                  {Problem{Kind: EvaluatorBehind, Partition: other}, false, true, true},
		"lost":                               {Problem{Kind: Lost, Partition: home}, true, true, true},
		"the shard of global rules":          {Problem{Kind: GlobalBehind, Partition: -1}, false, false, true},
		"a gap in every window":              {Problem{Kind: Gap, Partition: home, Event: now - minute/2}, true, true, true},
		"a gap that short windows have left": {Problem{Kind: Gap, Partition: home, Event: now - 2*minute}, false, false, true},
		"a gap that all windows have left":   {Problem{Kind: Gap, Partition: home, Event: now - 11*minute}, false, false, false},
		"the service, elsewhere":             {Problem{Kind: Misplaced, Partition: other, Service: "shop", Event: now - minute/2}, true, true, false},
		"another service, elsewhere":         {Problem{Kind: Misplaced, Partition: other, Service: "cart", Event: now - minute/2}, false, true, false},
		"no longer elsewhere":                {Problem{Kind: Misplaced, Partition: other, Service: "shop", Event: now - 2*minute}, false, false, false},
		"a rule's own":                       {Problem{Kind: Error, Partition: -1, RuleID: "3"}, false, false, true},
		"too many groups":                    {Problem{Kind: Overflow, Partition: -1, RuleID: "2", Event: now}, false, true, false},
	} {
		v := View{Partitions: parts, Watermarks: map[int32]int64{0: now, 1: now, 2: now, 3: now}, Problems: []Problem{c.p}, Checked: now - 1e9, Now: now}
		require.Equal(t, []bool{c.pinned, c.grouped, c.global}, []bool{len(v.Of(pinned)) > 0, len(v.Of(grouped)) > 0, len(v.Of(global)) > 0}, name)
	}
}

// TestAGapLastsAsLongAsItIsUndecided: a partition that stands still keeps the gap in its windows, however much time passes.
func TestAGapLastsAsLongAsItIsUndecided(t *testing.T) {
	t.Parallel()
	c := compiled(t, "1", rule.Rule{Filter: "service = 'shop'", TimeWindow: rule.Window(time.Minute)})
	home := contract.Home("shop", 4)
	v := View{Partitions: 4, Watermarks: map[int32]int64{home: now - int64(time.Hour)}, Problems: []Problem{{Kind: Gap, Partition: home, Event: now - int64(time.Hour)}}, Checked: now, Now: now}
	require.Equal(t, []string{Gap}, kinds(v.Of(c)))
}

func TestNobodyWatches(t *testing.T) {
	t.Parallel()
	c := compiled(t, "1", rule.Rule{})
	v := View{Partitions: 1, Watermarks: map[int32]int64{0: now}, Checked: now - int64(StaleAfter) - 1, Now: now}
	require.Equal(t, []string{NoEvaluator}, kinds(v.Of(c)))
	require.Contains(t, v.Of(c)[0].Detail, "2027-01-15T07:59:44Z")
	v.Checked = 0
	require.Contains(t, v.Of(c)[0].Detail, "ever")
	v.Checked = now
	require.Empty(t, v.Of(c))
}

func TestState(t *testing.T) {
	t.Parallel()
	for want, ps := range map[string][]Problem{"ok": nil, "overflow": {{Kind: Overflow}}, "blind": {{Kind: Gap}, {Kind: Overflow}}, "error": {{Kind: Lost}, {Kind: Error}}} {
		require.Equal(t, want, State(ps))
	}
}
