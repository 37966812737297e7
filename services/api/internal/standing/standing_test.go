package standing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

func TestOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const parts = 3
	home := contract.Home("web", parts)
	source := []string{"p0", "p1", "p2"}
	pinned := rule.Rule{Filter: "service = 'web'"}
	grouped := rule.Rule{GroupBy: []string{"service"}}
	global := rule.Rule{}
	status := func(s engine.Standing) engine.Status {
		return engine.Status{Rules: map[string]engine.Standing{"7": s}}
	}
	for name, c := range map[string]struct {
		rule     rule.Rule
		sources  map[string]engine.Status
		problems []blind.Problem
		firing   int
		disabled bool
		age      time.Duration
		want     string
	}{
		"nobody says anything else":          {rule: pinned, want: OK},
		"disabled, whatever fires":           {rule: pinned, disabled: true, firing: 1, want: Disabled},
		"firing":                             {rule: pinned, firing: 2, want: Firing},
		"firing and blind":                   {rule: pinned, firing: 1, problems: []blind.Problem{{Kind: blind.Lost, Partition: home}}, want: Firing},
		"error":                              {rule: pinned, firing: 1, problems: []blind.Problem{{Kind: blind.Error, RuleID: "7"}}, want: Error},
		"another's error":                    {rule: pinned, problems: []blind.Problem{{Kind: blind.Error, RuleID: "8"}}, want: OK},
		"blind":                              {rule: pinned, problems: []blind.Problem{{Kind: blind.Lost, Partition: home}}, sources: map[string]engine.Status{source[home]: status(engine.Standing{Pending: 1})}, want: Blind},
		"pending":                            {rule: pinned, sources: map[string]engine.Status{source[home]: status(engine.Standing{Pending: 1})}, want: Pending},
		"pending elsewhere is not of it":     {rule: pinned, sources: map[string]engine.Status{source[(home+1)%parts]: status(engine.Standing{Pending: 1})}, want: OK},
		"pending in one partition":           {rule: grouped, sources: map[string]engine.Status{"p1": status(engine.Standing{OK: 3, Pending: 1})}, want: Pending},
		"global":                             {rule: global, sources: map[string]engine.Status{"g": status(engine.Standing{Warming: 1}), "p0": status(engine.Standing{Pending: 1})}, want: Warming},
		"overflow":                           {rule: grouped, problems: []blind.Problem{{Kind: blind.Overflow, RuleID: "7"}}, want: Overflow},
		"no data":                            {rule: pinned, sources: map[string]engine.Status{source[home]: status(engine.Standing{NoData: 1})}, want: NoData},
		"no data in some groups":             {rule: grouped, sources: map[string]engine.Status{"p0": status(engine.Standing{NoData: 1}), "p1": status(engine.Standing{}), "p2": status(engine.Standing{OK: 1, NoData: 1})}, want: OK},
		"no data, or no groups, anywhere":    {rule: grouped, sources: map[string]engine.Status{"p0": status(engine.Standing{NoData: 1}), "p1": status(engine.Standing{}), "p2": status(engine.Standing{})}, want: NoData},
		"ok where nothing is said":           {rule: grouped, sources: map[string]engine.Status{"p0": status(engine.Standing{NoData: 1})}, want: OK},
		"just changed":                       {rule: pinned, age: time.Second, want: Warming},
		"just changed, with no evaluator":    {rule: pinned, age: time.Second, problems: []blind.Problem{{Kind: blind.ProcessorBehind, Partition: home}}, want: Blind},
		"overflow does not hide that it has": {rule: grouped, firing: 1, problems: []blind.Problem{{Kind: blind.Overflow, RuleID: "7"}}, want: Firing},
	} {
		c.rule.Name, c.rule.Condition, c.rule.Enabled = "r", "COUNT(*)", !c.disabled
		c.rule.Normalize()
		compiled, err := rule.Compile("7", 1, c.rule)
		require.NoError(t, err)
		if c.age == 0 {
			c.age = time.Hour
		}
		f := Facts{View: blind.View{Partitions: parts, Watermarks: map[int32]int64{0: now.UnixNano(), 1: now.UnixNano(), 2: now.UnixNano()}, Problems: c.problems, Checked: now.UnixNano(), Now: now.UnixNano()},
			Sources: c.sources, Firing: map[int64]int{7: c.firing}}
		got := f.Of(compiled, 7, now.Add(-c.age))
		require.Equal(t, c.want, got.State, name)
		if !c.disabled {
			require.Equal(t, c.firing, got.Groups.Firing, name)
		}
	}
}

// TestBeforeTheFirstProcessor: rules can be written, and read, before anything runs.
func TestBeforeTheFirstProcessor(t *testing.T) {
	t.Parallel()
	for _, r := range []rule.Rule{{Filter: "service = 'web'"}, {GroupBy: []string{"service"}}} {
		r.Name, r.Condition, r.Threshold, r.Enabled = "r", "COUNT(*)", 1, true
		r.Normalize()
		c, err := rule.Compile("7", 1, r)
		require.NoError(t, err)
		require.Equal(t, Blind, (&Facts{View: blind.View{Now: int64(time.Hour)}}).Of(c, 7, time.Unix(0, 0)).State)
	}
}
