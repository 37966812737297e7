package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// t0 is second 0 of the scripts below.
const t0 = int64(1_800_000_000) * 1e9

func at(seconds float64) int64 { return t0 + int64(seconds*1e9) }

// line is one record, seen by rules at a second.
type line struct {
	at      float64
	service string
	level   string
	status  int32
	ms      float64
	attrs   string // k=v
	message string
}

func records(lines []line, partition int32) []logrec.Record {
	out := make([]logrec.Record, len(lines))
	for i, l := range lines {
		lv, _ := logrec.ParseLevel(l.level)
		if lv == logrec.LevelAbsent {
			lv = logrec.LevelInfo
		}
		out[i] = logrec.Record{Timestamp: at(l.at), Observed: at(l.at), EvalTime: at(l.at), Level: lv, Service: l.service, Message: l.message, ResponseStatus: l.status,
			ResponseTimeMS: l.ms, HasResponseTime: l.ms != 0, SrcOffset: int64(i), SrcRow: int32(partition)}
		if l.service == "" {
			out[i].Service = "web"
		}
		if k, v, ok := strings.Cut(l.attrs, "="); ok {
			out[i].Attributes = []logrec.Attr{{Key: k, Value: v}}
		}
	}
	return out
}

func blockOf(t testing.TB, rs []logrec.Record) *block.Reader {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	built, err := b.Build(rs)
	require.NoError(t, err)
	r, err := block.Open(built.Data)
	require.NoError(t, err)
	return r
}

// script drives an engine and writes down what it says.
type script struct {
	t    *testing.T
	e    *Engine
	said []string
	all  []Event
	n    int
}

func play(t *testing.T, place Place, rules ...rule.Rule) *script {
	t.Helper()
	s := &script{t: t, e: New(place, t0)}
	for _, r := range rules {
		s.n++
		s.change(fmt.Sprint(s.n), 1, 0, r)
	}
	return s
}

// change puts a version in force at a second.
func (s *script) change(id string, version int, at0 float64, r rule.Rule) {
	s.t.Helper()
	if r.Name == "" {
		r.Name = "r" + id
	}
	r.Enabled = true
	r.Normalize()
	require.NoError(s.t, r.Validate())
	require.NoError(s.t, s.e.Schedule([]Version{{RuleID: id, Number: version, Effective: at(at0), Rule: r}}, nil))
}

func (s *script) fold(lines ...line) {
	s.t.Helper()
	require.NoError(s.t, s.e.Fold(blockOf(s.t, records(lines, 0)), 0))
	s.write(s.e.Early())
}

func (s *script) advance(seconds float64) []Partial {
	events, partials := s.e.Advance(at(seconds))
	s.write(events)
	return partials
}

var kinds = map[Kind]string{Firing: "firing", Updated: "updated", Resolved: "resolved", Confirmed: "confirmed"}

func seconds(ns int64) string { return fmt.Sprintf("%g", float64(ns-t0)/1e9) }

func (s *script) write(events []Event) {
	for _, ev := range events {
		text := fmt.Sprintf("%s %s %s", seconds(ev.Tick), ev.Rule.Name, kinds[ev.Kind])
		if ev.Early {
			text += " early"
		}
		if ev.Reason != ReasonCondition {
			text += " " + ev.Reason
		}
		if g := ev.Labels["service"]; g != "" {
			text += " " + g
		}
		if ev.Value.Null() {
			text += " value=NULL"
		} else {
			text += fmt.Sprintf(" value=%g", ev.Value.N)
		}
		if ev.Kind == Resolved {
			text += fmt.Sprintf(" %s–%s peak=%g", seconds(ev.Starts), seconds(ev.Ends), ev.Peak.N)
		}
		s.said = append(s.said, text)
		s.all = append(s.all, ev)
	}
}

func (s *script) want(lines ...string) {
	s.t.Helper()
	require.Equal(s.t, strings.Join(lines, "\n"), strings.Join(s.said, "\n"))
	s.said = nil
}

func burst(from float64, n int, l line) []line {
	out := make([]line, n)
	for i := range out {
		out[i] = l
		out[i].at = from + float64(i)*0.001
	}
	return out
}

var here = Place{Partition: 0, Partitions: 1}

func window(d time.Duration) rule.Window { return rule.Window(d) }

func TestCountFiresEarlyAndResolves(t *testing.T) {
	t.Parallel()
	s := play(t, here, rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web' AND level = 'error'", Threshold: 3, TimeWindow: window(10 * time.Second)})
	s.advance(5)
	s.fold(line{at: 5.1, level: "error"}, line{at: 5.2, level: "error"})
	s.want()
	s.fold(line{at: 5.6, level: "error"}, line{at: 5.65, level: "info"})
	s.want("5.75 r1 firing early web value=3")
	s.advance(5.5)
	s.want()
	s.advance(6)
	s.want("5.75 r1 confirmed web value=3")
	ev := s.all[0]
	require.Len(t, ev.Evidence, 3)
	require.Equal(t, at(5.1), ev.Evidence[0].EvalTime)
	s.advance(30)
	s.want("16 r1 resolved web value=0 5.75–16 peak=3") // the bucket (5 s, 6 s] leaves a window of 10 s at 16 s
}

func TestRatioWaitsForItsTickAndItsWindow(t *testing.T) {
	t.Parallel()
	ratio := rule.Rule{Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)", GroupBy: []string{"service"}, Threshold: 50, TimeWindow: window(10 * time.Second)}
	s := play(t, here, ratio)
	s.fold(line{at: 1.5, level: "error"})
	s.advance(9)
	s.want() // warming: half a window is no window
	s.fold(line{at: 9.5, level: "info"}, line{at: 9.6, service: "b", level: "info"})
	s.advance(10)
	s.want()
	s.advance(11)
	s.want("11 r1 firing web value=50") // in force at 0.25 s, so counting from the bucket that begins at 1 s
	s.fold(line{at: 11.1, level: "info"})
	s.advance(11.5)
	s.want("11.25 r1 resolved web value=33.333333333333336 11–11.25 peak=50")
}

func TestForAndKeepFiring(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "AVG(response_time_ms)", Operator: ">", Threshold: 100, TimeWindow: window(2 * time.Second), For: rule.Duration(3 * time.Second), KeepFiringFor: rule.Duration(2 * time.Second)}
	s := play(t, Place{All: true}, r)
	s.advance(10)
	for i := range 5 {
		s.fold(line{at: 10.1 + float64(i), ms: 200})
		s.advance(11 + float64(i))
	}
	s.want("13.25 r1 firing value=200")
	s.advance(30)
	s.want("18.75 r1 resolved value=NULL 13.25–17 peak=200")
}

func TestNoDataAndAbsence(t *testing.T) {
	t.Parallel()
	absent := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Operator: "<", Threshold: 1, TimeWindow: window(5 * time.Second)}
	slow := rule.Rule{Condition: "AVG(response_time_ms)", Filter: "service = 'web'", Operator: ">", Threshold: 100, TimeWindow: window(5 * time.Second), NoData: rule.NoDataFiring}
	keep := slow
	keep.NoData = rule.NoDataKeep
	s := play(t, here, absent, slow, keep)
	s.fold(line{at: 0.5, ms: 500})
	s.advance(5)
	s.want()
	s.advance(5.25) // the windows are whole since 5 s (warm from 0.25 s → bucket 1 s, so 6 s)
	s.want()
	s.fold(line{at: 5.5, ms: 500})
	s.advance(7)
	s.want("6 r2 firing web value=500", "6 r3 firing web value=500")
	s.advance(20)
	s.want("11 r1 firing web value=0")
	require.Empty(t, s.all[2].Evidence)
	s.fold(line{at: 20.1, ms: 10})
	s.advance(21)
	s.want("20.25 r1 resolved web value=1 11–20.25 peak=0", "20.25 r2 resolved web value=10 6–20.25 peak=500", "20.25 r3 resolved web value=10 6–20.25 peak=500")
}

// TestNewGroupsFireEarly: a group that was never seen does not wait for its tick; what is not certain before the tick is over does.
func TestNewGroupsFireEarly(t *testing.T) {
	t.Parallel()
	by := []string{"service"}
	s := play(t, here, rule.Rule{Condition: "COUNT(*)", GroupBy: by, Threshold: 2, TimeWindow: window(10 * time.Second), GroupRetention: rule.Duration(time.Minute)},
		rule.Rule{Condition: "COUNT(*)", GroupBy: by, Operator: "<", Threshold: 3, TimeWindow: window(10 * time.Second)},
		rule.Rule{Condition: "COUNT(*)", GroupBy: by, Operator: ">=", Threshold: 0, TimeWindow: window(10 * time.Second)})
	s.advance(5)
	s.fold(line{at: 20.1, service: "new"})
	s.want()
	s.fold(line{at: 20.6, service: "new"}, line{at: 20.3, service: "other"})
	s.want("20.75 r1 firing early new value=2")
	s.advance(20)
	s.want() // rules whose windows are full now have no alert of these groups yet
	s.advance(21)
	s.want("20.25 r2 firing new value=1", "20.25 r3 firing new value=1", "20.5 r2 firing other value=1", "20.5 r3 firing other value=1", "20.75 r1 confirmed new value=2")
	require.Len(t, s.e.active["1"].instances, 2)
	s.advance(90)
	require.Empty(t, s.e.active["1"].instances, "both are given up, also the one that was never near its threshold")
}

func TestResolveThresholdMinSamplesAndRenotify(t *testing.T) {
	t.Parallel()
	lower, hour := 2.0, rule.Duration(5*time.Second)
	r := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 5, ResolveThreshold: &lower, TimeWindow: window(4 * time.Second), RepeatInterval: &hour}
	ratio := rule.Rule{Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END) / COUNT(*)", Filter: "service = 'web'", Threshold: 1, MinSamples: 4, TimeWindow: window(4 * time.Second)}
	s := play(t, here, r, ratio)
	s.advance(10)
	s.fold(burst(10.1, 3, line{level: "error"})...)
	s.advance(11)
	s.want()
	s.fold(burst(11.1, 2, line{level: "error"})...)
	s.want("11.25 r1 firing early web value=5")
	s.advance(12)
	s.want("11.25 r1 confirmed web value=5", "11.25 r2 firing web value=1")
	s.fold(burst(14.6, 2, line{level: "error"})...)
	s.advance(16) // 2 left: not below the lower threshold, but too few for the ratio
	s.want("16 r2 resolved web value=NULL 11.25–16 peak=1")
	s.fold(burst(16.1, 1, line{})...)
	s.advance(17)
	s.want("16.25 r1 firing renotify web value=3")
	s.advance(30)
	s.want("19 r1 resolved web value=1 11.25–19 peak=7")
}

func TestRuleChanges(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 3, TimeWindow: window(10 * time.Second), Severity: "low"}
	s := play(t, here, r)
	s.advance(1)
	s.fold(burst(1.1, 3, line{})...)
	s.advance(2)
	s.want("1.25 r1 firing early web value=3", "1.25 r1 confirmed web value=3")
	r.Severity = "critical"
	s.change("1", 2, 4, r)
	r.Threshold = 5
	s.change("1", 3, 6, r)
	s.advance(5)
	s.want("4 r1 updated severity_change web value=3")
	s.advance(7)
	s.want("6 r1 resolved web value=3 1.25–6 peak=3")
	r.Threshold = 2
	s.change("1", 4, 8, r)
	s.advance(8)
	s.want("8 r1 firing web value=3")
	r.Filter = "service = 'web' AND level = 'info'" // other windows: what was before does not count
	s.change("1", 5, 9, r)
	s.advance(10)
	s.want("9 r1 resolved rule_changed web value=3 8–9 peak=3")
	s.fold(burst(10.1, 2, line{})...)
	s.want("10.25 r1 firing early web value=2")
	require.NoError(t, s.e.Schedule([]Version{{RuleID: "1", Number: 6, Effective: at(12), Deleted: true}}, nil))
	s.advance(13)
	s.want("10.25 r1 confirmed web value=2", "12 r1 resolved rule_deleted web value=2 10.25–12 peak=2")
	require.Zero(t, s.e.Series(), "nothing is collected for a rule that is gone")
	var last int64
	for _, ev := range s.all {
		if ev.Kind != Confirmed {
			require.Greater(t, ev.Seq, last)
			last = ev.Seq
		}
	}
	require.ErrorIs(t, s.e.Schedule([]Version{{RuleID: "1", Number: 7, Effective: at(12), Rule: r}}, nil), ErrLate)
}

func TestCommands(t *testing.T) {
	t.Parallel()
	s := play(t, here, rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 1, TimeWindow: window(5 * time.Second)})
	s.advance(1)
	s.fold(line{at: 1.1})
	s.advance(2)
	s.want("1.25 r1 firing early web value=1", "1.25 r1 confirmed web value=1")
	fp := s.all[0].Fingerprint
	require.NoError(t, s.e.Schedule(nil, []Command{{ID: 1, Effective: at(2.5), Kind: CommandAcknowledge, Fingerprint: fp, Who: "ann", Note: "mine"},
		{ID: 2, Effective: at(3), Kind: CommandSilence, Silence: "s1", Matchers: equals("service", "web"), Until: at(4)},
		{ID: 3, Effective: at(4.5), Kind: CommandResolve, Fingerprint: fp, Who: "bob"}}))
	s.fold(line{at: 4.1})
	s.advance(6)
	s.want("2.5 r1 updated manual web value=1", "3 r1 updated manual web value=1", "4 r1 updated manual web value=1", "4.5 r1 resolved manual web value=2 1.25–4.5 peak=2")
	require.Equal(t, []string{"ann", "s1", ""}, []string{s.all[2].Ack, s.all[3].Silence, s.all[4].Silence})
	s.fold(line{at: 7.1})
	s.advance(8)
	s.want() // still the same breach
	s.advance(20)
	require.NoError(t, s.e.Schedule(nil, []Command{{ID: 4, Effective: at(21), Kind: CommandAcknowledge, Fingerprint: fp, Starts: s.all[0].Starts, Who: "ann"},
		{ID: 5, Effective: at(22), Kind: CommandNote, Fingerprint: fp, Starts: at(20.25), Note: "again"}}))
	s.fold(line{at: 20.1})
	s.want("20.25 r1 firing early web value=1")
	s.advance(22)
	s.want("20.25 r1 confirmed web value=1", "22 r1 updated manual web value=1") // the first was meant for the episode before
}

func TestGroupsAreBornAndForgotten(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"service"}, Operator: "<", Threshold: 1, TimeWindow: window(5 * time.Second), GroupRetention: rule.Duration(time.Minute)}
	s := play(t, here, r)
	s.advance(10)
	s.fold(line{at: 10.1, service: "a"}, line{at: 12, service: "b"})
	s.advance(16.5)
	s.want("16 r1 firing a value=0")
	s.fold(line{at: 17, service: "a"})
	s.advance(200)
	s.want("17 r1 firing b value=0", "17 r1 resolved a value=1 16–17 peak=0", "22 r1 firing a value=0",
		"72 r1 resolved stale_group b value=0 17–72 peak=0", "77 r1 resolved stale_group a value=0 22–77 peak=0")
	for _, series := range s.e.order {
		require.Empty(t, series.groups)
	}
}

// TestOrderDoesNotMatter: a rule over all partitions gives the same whatever the blocks' borders and the partitions, through partials.
func TestGlobalRulesOverPartials(t *testing.T) {
	t.Parallel()
	rules := []rule.Rule{
		{Condition: "COUNT(DISTINCT service)", Threshold: 3, TimeWindow: window(10 * time.Second)},
		{Condition: "P50(response_time_ms)", Operator: ">", Threshold: 100, TimeWindow: window(5 * time.Second)},
		{Condition: "SUM(response_time_ms)", GroupBy: []string{"attributes['zone']"}, Operator: ">", Threshold: 1000, TimeWindow: window(5 * time.Second)},
	}
	lines := []line{{at: 12.1, service: "a", ms: 90}, {at: 12.2, service: "b", ms: 2000, attrs: "zone=x"}, {at: 12.3, service: "c", ms: 200, attrs: "zone=y"}, {at: 13, service: "a", ms: 90, attrs: "zone=y"}}
	alone := play(t, Place{All: true}, rules...)
	alone.advance(12)
	alone.fold(lines...)
	alone.advance(30)
	require.NotEmpty(t, alone.said)

	global := play(t, Place{Global: true}, rules...)
	parts := []*script{play(t, Place{Partition: 0, Partitions: 2}, rules...), play(t, Place{Partition: 1, Partitions: 2}, rules...)}
	var ps []Partial
	for k, p := range parts {
		ps = append(ps, p.advance(12)...)
		for i, l := range lines {
			if i%2 == k {
				p.fold(l)
			}
		}
		ps = append(ps, p.advance(30)...)
		p.want()
	}
	global.advance(12)
	coded, err := DecodePartials(EncodePartials(ps))
	require.NoError(t, err)
	global.e.Merge(coded)
	global.advance(30)
	require.Equal(t, strings.Join(alone.said, "\n"), strings.Join(global.said, "\n"))
	require.Equal(t, alone.all[0].Fingerprint, global.all[0].Fingerprint)
}

func TestOverflowGroup(t *testing.T) {
	t.Parallel()
	s := play(t, Place{All: true}, rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"attributes['u']"}, Threshold: 50, TimeWindow: window(10 * time.Second)})
	s.advance(1)
	lines := make([]line, MaxGroups+60)
	for i := range lines {
		lines[i] = line{at: 1.1 + float64(i)/1e6, attrs: fmt.Sprintf("u=%d", i)}
	}
	s.fold(lines...)
	s.advance(2)
	require.Len(t, s.all, 1)
	require.Equal(t, Overflow, s.all[0].Labels["u"])
	require.EqualValues(t, 60, s.all[0].Value.N)
	require.Positive(t, s.e.Overflows())
	require.Equal(t, map[string]int64{"1": at(1.25)}, s.e.Overflowing())
	s.advance(2 * 24 * 3600)
	require.Empty(t, s.e.Overflowing(), "forgotten with the groups")
}

// TestOverflowOfAPinnedRule: a service's many groups do not cost other rules theirs, nor more than they may.
func TestOverflowOfAPinnedRule(t *testing.T) {
	t.Parallel()
	pinned := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", GroupBy: []string{"attributes['u']"}, Threshold: 50, TimeWindow: window(10 * time.Second)}
	other := pinned
	other.Filter, other.Threshold = "service = 'b'", 1
	s := play(t, Place{All: true}, pinned, other)
	s.advance(1)
	lines := make([]line, MaxGroups+60)
	for i := range lines {
		lines[i] = line{at: 1.1 + float64(i)/1e6, attrs: fmt.Sprintf("u=%d", i)}
	}
	s.fold(append(lines, line{at: 1.2, service: "b", attrs: "u=1"})...)
	s.advance(2)
	require.Equal(t, map[string]int64{"1": at(1.25)}, s.e.Overflowing())
	fired := map[string]Event{}
	for _, ev := range s.all {
		if ev.Kind == Firing {
			fired[ev.Rule.ID] = ev
		}
	}
	require.Equal(t, Overflow, fired["1"].Labels["u"])
	require.EqualValues(t, 60, fired["1"].Value.N)
	require.Equal(t, "1", fired["2"].Labels["u"])
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := play(t, here, rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"service"}, Threshold: 2, TimeWindow: window(10 * time.Second), For: rule.Duration(2 * time.Second)})
	s.advance(5)
	s.fold(line{at: 5.1}, line{at: 5.2}, line{at: 5.3, service: "b"})
	s.advance(6)
	got := s.e.States()
	require.Len(t, got, 1, "b is below the threshold")
	require.Equal(t, []any{false, at(5.25), int64(0), 2.0, "web"}, []any{got[0].Firing, got[0].Pending, got[0].Starts, got[0].Value.N, got[0].Labels["service"]})
	s.fold(line{at: 7}, line{at: 7})
	s.advance(8)
	got = s.e.States()
	require.Len(t, got, 1)
	require.Equal(t, []any{true, at(5.25), at(7.25), 4.0, 4.0, s.all[0].Fingerprint}, []any{got[0].Firing, got[0].Pending, got[0].Starts, got[0].Value.N, got[0].Peak.N, got[0].Fingerprint})
	s.advance(40)
	require.Empty(t, s.e.States())
}
