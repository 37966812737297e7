package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	t0    = int64(1_800_000_000) * 1e9
	sec   = int64(time.Second)
	after = 30 * time.Second
)

// shop is pinned to partition 0 of 4; everyone is grouped by service; all is over everything.
func rules(t *testing.T) *Rules {
	t.Helper()
	require.EqualValues(t, 0, contract.Home("shop", 4))
	r := NewRules()
	for i, one := range []rule.Rule{
		{Name: "shop", Filter: "service = 'shop'", TimeWindow: rule.Window(time.Minute), Team: "store", Severity: "critical"},
		{Name: "everyone", GroupBy: []string{"service"}, TimeWindow: rule.Window(time.Minute)},
		{Name: "all", TimeWindow: rule.Window(5 * time.Minute)},
	} {
		one.Condition, one.Enabled = "COUNT(*)", true
		one.Normalize()
		r.Learn([]engine.Version{{RuleID: fmt.Sprint(i + 1), Number: 1, Effective: t0 - 100*sec, Rule: one}})
	}
	return r
}

// facts of four partitions, all of which are as far as they can be.
func facts(now int64) *Facts {
	f := &Facts{Now: now, Begun: t0 - 1000*sec, Global: Global{Decided: now - sec}}
	for p := range int32(4) {
		f.Partitions = append(f.Partitions, Partition{Partition: p, Stored: now - sec/2, Decided: now - sec, Lost: -1})
	}
	return f
}

func said(ps []blind.Problem) []string {
	out := []string{}
	for _, p := range ps {
		text := p.Kind
		if p.Partition >= 0 {
			text += fmt.Sprintf(" p%d", p.Partition)
		}
		out = append(out, text+strings.TrimRight(" "+p.Service+p.RuleID, " "))
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(f *Facts)
		want   []string
	}{
		"all is well":                {func(*Facts) {}, []string{}},
		"the processor stands":       {func(f *Facts) { f.Partitions[1].Stored, f.Partitions[1].Decided = t0-31*sec, t0-31*sec }, []string{"processor_behind p1"}},
		"the evaluator stands":       {func(f *Facts) { f.Partitions[1].Decided = t0 - 31*sec }, []string{"evaluator_behind p1"}},
		"a little late is not blind": {func(f *Facts) { f.Partitions[1].Stored, f.Partitions[1].Decided = t0-29*sec, t0-29*sec }, []string{}},
		"never begun":                {func(f *Facts) { f.Partitions[3] = Partition{Partition: 3, Lost: -1}; f.Global.Decided = 0 }, []string{"processor_behind p3"}},
		"not yet begun": {func(f *Facts) {
			f.Begun = t0 - sec
			f.Partitions[3] = Partition{Partition: 3, Lost: -1}
			f.Global.Decided = 0
		}, []string{}},
		"nobody decides global rules":       {func(f *Facts) { f.Global.Decided = t0 - 31*sec }, []string{"global_behind"}},
		"global rules wait for a partition": {func(f *Facts) { f.Partitions[0].Decided, f.Global.Decided = t0-31*sec, t0-31*sec }, []string{"evaluator_behind p0"}},
		"a gap":                             {func(f *Facts) { f.Partitions[2].Gap = t0 - 30*sec }, []string{"gap p2"}},
		"a gap that only long windows have": {func(f *Facts) { f.Partitions[2].Gap = t0 - 200*sec }, []string{"gap p2"}},
		"a gap that is over":                {func(f *Facts) { f.Partitions[2].Gap = t0 - 302*sec }, []string{}},
		"lost":                              {func(f *Facts) { f.Partitions[2].Lost = 7 }, []string{"lost p2"}},
		"lines astray":                      {func(f *Facts) { f.Partitions[1].Findings.Misplaced = map[string]int64{"shop": t0 - sec} }, []string{"misplaced p1 shop"}},
		"lines astray, long ago":            {func(f *Facts) { f.Partitions[1].Findings.Misplaced = map[string]int64{"shop": t0 - 62*sec} }, []string{}},
		"too many groups, in two places": {func(f *Facts) {
			o := map[string]int64{"2": t0 - sec}
			f.Partitions[0].Findings.Overflow, f.Partitions[1].Findings.Overflow = o, o
		}, []string{"overflow 2"}},
		"too many groups of a rule over all": {func(f *Facts) { f.Global.Findings.Overflow = map[string]int64{"3": t0 - sec} }, []string{"overflow 3"}},
		"a rule that is gone":                {func(f *Facts) { f.Global.Findings.Overflow = map[string]int64{"9": t0 - sec} }, []string{}},
	} {
		f := facts(t0)
		c.change(f)
		require.Equal(t, c.want, said(rules(t).Find(f, after)), name)
	}
}

func TestFindKeepsTheBeginningAndIsOverLater(t *testing.T) {
	t.Parallel()
	r, f := rules(t), facts(t0)
	f.Partitions[1].Decided = t0 - 31*sec
	f.Known = r.Find(f, after)
	require.Equal(t, t0-31*sec, f.Known[0].Since)
	f.Partitions[1].Decided = t0 - 16*sec
	still := r.Find(f, after)
	require.Equal(t, said(f.Known), said(still), "half of it is to be made up")
	require.Equal(t, f.Known[0].Since, still[0].Since)
	require.Contains(t, still[0].Detail, "2027-01-15 07:59:44Z", "how far it is now")
	f.Partitions[1].Decided = t0 - 14*sec
	require.Empty(t, r.Find(f, after))
	f.Known, f.Partitions[1].Decided = nil, t0-3600*sec
	require.Empty(t, r.Find(f, 0), "however far")
}

func TestARuleThatCannotBeCompiled(t *testing.T) {
	t.Parallel()
	r := rules(t)
	bad := rule.Rule{Name: "bad", Condition: "NOW(", Team: "store", Operator: "=>", Severity: "low", Enabled: true}
	bad.Normalize()
	r.Learn([]engine.Version{{RuleID: "4", Number: 2, Effective: t0, Rule: bad}})
	found := r.Find(facts(t0), after)
	require.Equal(t, []string{"error 4"}, said(found))
	require.Contains(t, found[0].Detail, "rule 4 cannot be evaluated: ")
	require.NotContains(t, found[0].Detail, "\n")
	require.Equal(t, 1, r.Blind(facts(t0), found))
	r.Learn([]engine.Version{{RuleID: "4", Number: 3, Effective: t0, Deleted: true}})
	require.Empty(t, r.Find(facts(t0), after))
}

// look is one look of a script.
func look(s *State, now int64, ps ...blind.Problem) []Event {
	return s.Step(Look{Now: now, Hold: 10 * time.Second, Rules: NewRules(), Problems: ps})
}

func TestMetaAlertFiresOnceAKindAndResolves(t *testing.T) {
	t.Parallel()
	s := &State{}
	p0 := blind.Problem{Kind: blind.EvaluatorBehind, Partition: 0, Since: t0 - 40*sec, Detail: "zero"}
	p1 := blind.Problem{Kind: blind.EvaluatorBehind, Partition: 1, Since: t0 - 50*sec, Detail: "one"}
	require.Empty(t, look(s, t0, p0))
	require.Empty(t, look(s, t0+4*sec))
	require.Empty(t, look(s, t0+6*sec, p0), "gone and come again: its time begins anew")
	require.Empty(t, look(s, t0+14*sec, p0))
	fired := look(s, t0+16*sec, p0, p1)
	require.Len(t, fired, 1)
	ev := fired[0]
	require.Equal(t, []any{engine.Firing, "meta", t0 + 16*sec, t0 - 50*sec, []int32{0, 1}}, []any{ev.What, ev.Reason, ev.Starts, ev.Since, ev.Parts})
	require.InDelta(t, 66, ev.Value, 1e-9)
	require.Empty(t, look(s, t0+18*sec, p0, p1))
	require.Empty(t, look(s, t0+20*sec, p1), "the partitions concerned are told of once a minute at most")
	updated := look(s, t0+80*sec, p1)
	require.Len(t, updated, 1)
	require.Equal(t, []any{engine.Updated, []int32{1}}, []any{updated[0].What, updated[0].Parts})
	again := look(s, t0+80*sec+int64(Repeat), p1)
	require.Equal(t, []any{engine.Firing, "renotify"}, []any{again[0].What, again[0].Reason})
	over := look(s, t0+90*sec+int64(Repeat))
	require.Equal(t, []any{engine.Resolved, "meta", ev.Starts}, []any{over[0].What, over[0].Reason, over[0].Starts})
	require.Greater(t, over[0].Peak, 14000.0)
	require.Empty(t, s.Alerts)

	last := over[0].Seq
	look(s, t0+91*sec+int64(Repeat), p0)
	next := look(s, t0+102*sec+int64(Repeat), p0)
	require.Greater(t, next[0].Seq, last, "numbers go on over episodes")
}

// TestStateSurvives: the next speaker goes on from the stored state.
func TestStateSurvives(t *testing.T) {
	t.Parallel()
	s := &State{}
	p := blind.Problem{Kind: blind.Misplaced, Partition: 0, Service: "shop", Since: t0}
	look(s, t0, p)
	require.Len(t, look(s, t0+10*sec, p), 1)
	raw, err := json.Marshal(s)
	require.NoError(t, err)
	var again State
	require.NoError(t, json.Unmarshal(raw, &again))
	require.Equal(t, look(s, t0+12*sec), look(&again, t0+12*sec))
}

func TestPeopleHandleMetaAlerts(t *testing.T) {
	t.Parallel()
	s := &State{}
	p := blind.Problem{Kind: blind.Gap, Partition: 1, Since: t0}
	fp := Fingerprint(&p)
	look(s, t0, p)
	look(s, t0+10*sec, p)
	people := func(now int64, commands ...engine.Command) []Event {
		return s.Step(Look{Now: now, Hold: 10 * time.Second, Rules: NewRules(), Problems: []blind.Problem{p}, Commands: commands})
	}
	events := people(t0+11*sec, engine.Command{Kind: engine.CommandAcknowledge, Fingerprint: fp, Starts: t0 + 10*sec, Who: "ann", Note: "mine"},
		engine.Command{Kind: engine.CommandAcknowledge, Fingerprint: fp, Starts: t0 - 10*sec, Who: "about another episode"}, engine.Command{Kind: engine.CommandAcknowledge, Fingerprint: "of a rule", Who: "bob"})
	require.Len(t, events, 1)
	require.Equal(t, []any{engine.Updated, "manual", "ann", "mine"}, []any{events[0].What, events[0].Reason, events[0].Ack, events[0].Note})
	silence := engine.Command{Kind: engine.CommandSilence, Silence: "1", Matchers: []rule.Matcher{{Name: "kind", Value: "g.p", IsRegex: true, IsEqual: true}, {Name: "severity", Value: "high", IsEqual: true}}, From: t0, Until: t0 + 20*sec}
	other := engine.Command{Kind: engine.CommandSilence, Silence: "2", Matchers: []rule.Matcher{{Name: "kind", Value: "lost", IsEqual: true}}, From: t0, Until: t0 + 20*sec}
	events = people(t0+12*sec, other, silence)
	require.Len(t, events, 1)
	require.Equal(t, "1", events[0].Quiet)
	require.Empty(t, people(t0+13*sec))
	events = people(t0+14*sec, engine.Command{Kind: engine.CommandExpire, Silence: "1"})
	require.Empty(t, events[0].Quiet)
	people(t0+15*sec, silence)
	events = people(t0 + 20*sec)
	require.Len(t, events, 1, "a silence that is over is told as well")
	require.Empty(t, events[0].Quiet)
	events = people(t0+21*sec, engine.Command{Kind: engine.CommandResolve, Fingerprint: fp, Who: "ann"})
	require.Len(t, events, 1)
	require.Equal(t, []any{engine.Resolved, "manual", t0 + 10*sec}, []any{events[0].What, events[0].Reason, events[0].Starts})
	require.Empty(t, look(s, t0+100*sec, p), "still the same breach")
	require.Empty(t, look(s, t0+101*sec))
	look(s, t0+102*sec, p)
	require.Len(t, look(s, t0+112*sec, p), 1)
}

func TestEventsAreByTheSchema(t *testing.T) {
	t.Parallel()
	raw, err := jsonschema.UnmarshalJSON(bytes.NewReader(contract.AlertSchema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("alert.json", raw))
	schema, err := compiler.Compile("alert.json")
	require.NoError(t, err)
	r, f := rules(t), facts(t0)
	problems := []blind.Problem{{Kind: blind.EvaluatorBehind, Partition: 0, Since: t0 - 40*sec, Detail: "behind"}, {Kind: blind.GlobalBehind, Partition: -1, Since: t0}, {Kind: blind.Gap, Partition: 1, Since: t0},
		{Kind: blind.Misplaced, Partition: 1, Service: "shop", Since: t0}, {Kind: blind.Error, Partition: -1, RuleID: "1", Since: t0}, {Kind: blind.Overflow, Partition: -1, RuleID: "2", Since: t0}, {Kind: blind.Lost, Partition: 1, Since: t0}}
	s := &State{}
	events := append(look(s, t0, problems...), look(s, t0+10*sec, problems...)...)
	events = append(events, look(s, t0+20*sec)...)
	require.Len(t, events, 2*len(problems))
	ids := map[string]bool{}
	byKind := map[string]*contract.AlertEvent{}
	for i := range events {
		e := r.Make(&events[i], f, problems, after, int64(i+1))
		require.Equal(t, e, r.Make(&events[i], f, problems, after, int64(i+1)), "the same from the same")
		text, err := e.Encode()
		require.NoError(t, err)
		var doc any
		require.NoError(t, json.Unmarshal(text, &doc))
		require.NoError(t, schema.Validate(doc), string(text))
		require.False(t, ids[e.ID])
		ids[e.ID] = true
		if e.Data.Status == "firing" {
			byKind[e.Data.Labels["kind"]] = e
		} else {
			require.Equal(t, e.Time, *e.Data.EndsAt)
		}
	}
	lag := byKind["evaluator_behind"].Data
	require.Equal(t, []string{"high", "3 of 3: shop, everyone, all", "0", "meta:evaluator_behind"}, []string{lag.Severity, lag.Annotations["rules"], lag.Annotations["partitions"], lag.Rule.ID})
	require.Equal(t, []string{"critical", "store", "shop", "/api/alert-rules/1"}, []string{byKind["error"].Data.Severity, byKind["error"].Data.Team, byKind["error"].Data.Annotations["rule"], byKind["error"].Data.Links["rule"]})
	two := Event{Alert: Alert{Kind: blind.Gap, Parts: []int32{1, 3}, Detail: "lines of partition 1 are missing"}, What: engine.Firing}
	require.Equal(t, "lines of partition 1 are missing (and 1 more)", r.annotations(&two, f, problems)["summary"])
	require.Equal(t, "low", byKind["overflow"].Data.Severity)
	require.Equal(t, "1 of 3: all", byKind["global_behind"].Data.Annotations["rules"])
}
