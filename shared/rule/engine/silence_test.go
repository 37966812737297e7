package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/rule"
)

func equals(name, value string) []rule.Matcher {
	return []rule.Matcher{{Name: name, Value: value, IsEqual: true}}
}

func (s *script) command(c Command) {
	s.t.Helper()
	require.NoError(s.t, s.e.Schedule(nil, []Command{c}))
}

// silences are the marks of the events since the last call.
func (s *script) silences() (out []string) {
	for _, ev := range s.all {
		if ev.Kind != Confirmed {
			out = append(out, seconds(ev.Tick)+kinds[ev.Kind]+":"+ev.Silence)
		}
	}
	s.all, s.said = nil, nil
	return out
}

// TestSilence: what fires under a silence fires with its mark; what comes under one, or out of one, is told as an update.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := play(t, here, rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"service"}, Threshold: 1, TimeWindow: window(50 * time.Second), Severity: "high", Team: "shop"})
	s.advance(1)
	s.fold(line{at: 1.1, service: "web"}, line{at: 1.2, service: "db"})
	s.advance(2)
	require.Equal(t, []string{"1.25firing:", "1.25firing:"}, s.silences())
	s.command(Command{ID: 1, Effective: at(3), Kind: CommandSilence, Silence: "7", Matchers: equals("service", "web"), From: at(5), Until: at(20)})
	s.advance(6)
	require.Equal(t, []string{"5updated:7"}, s.silences(), "it begins when it says, and only web is told of")
	s.command(Command{ID: 2, Effective: at(7), Kind: CommandSilence, Silence: "10", Matchers: []rule.Matcher{{Name: "team", Value: "sh.p", IsRegex: true, IsEqual: true}, {Name: "zone", IsEqual: true}}, Until: at(12)})
	s.advance(8)
	require.Equal(t, []string{"7updated:10"}, s.silences(), "db; of two silences that cover web the older is told")
	s.fold(line{at: 8.1, service: "new"})
	s.advance(9)
	require.Equal(t, []string{"8.25firing:10"}, s.silences(), "born under a silence, it fires with its mark")
	s.command(Command{ID: 3, Effective: at(10), Kind: CommandExpire, Silence: "7"})
	s.advance(10)
	require.Equal(t, []string{"10updated:10"}, s.silences(), "web goes from one silence to the other")
	s.command(Command{ID: 4, Effective: at(11), Kind: CommandSilence, Silence: "10", Matchers: []rule.Matcher{{Name: "service", Value: "web"}}, Until: at(15)})
	s.advance(11)
	require.Equal(t, []string{"11updated:"}, s.silences(), "changed: all but web")
	s.advance(14)
	require.Empty(t, s.silences(), "what the silence was before does not end it")
	s.advance(30)
	require.Equal(t, []string{"15updated:", "15updated:"}, s.silences())
}

// TestSilenceOfANewSeverity: a rule's change brings its alerts out of a silence.
func TestSilenceOfANewSeverity(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 1, TimeWindow: window(50 * time.Second), Severity: "low", Labels: map[string]string{"tier": "2"}}
	s := play(t, here, r)
	s.command(Command{ID: 1, Effective: at(0.5), Kind: CommandSilence, Silence: "1", Matchers: append(equals("severity", "low"), equals("tier", "2")...), Until: at(40)})
	s.advance(1)
	s.fold(line{at: 1.1})
	s.advance(2)
	r.Labels = map[string]string{"tier": "1"}
	s.change("1", 2, 3, r)
	s.advance(4)
	r.Labels, r.Severity = map[string]string{"tier": "2"}, "critical"
	s.change("1", 3, 5, r)
	s.advance(6)
	r.Severity = "low"
	s.change("1", 4, 7, r)
	s.advance(8)
	require.Equal(t, []string{"1.25firing:1", "3updated:", "5updated:", "7updated:1"}, s.silences())
}

// TestResolvedByHandWaitsForANewBreach: whatever the rule waits for, across a restart, and after a change of the rule's threshold.
func TestResolvedByHandWaitsForANewBreach(t *testing.T) {
	t.Parallel()
	r := rule.Rule{Condition: "COUNT(*)", Filter: "service = 'web'", Threshold: 2, TimeWindow: window(5 * time.Second), For: rule.Duration(time.Second)}
	r.Name, r.Enabled = "r1", true
	r.Normalize()
	versions := []Version{{RuleID: "1", Number: 1, Effective: at(0), Rule: r}}
	r.Threshold = 1
	versions = append(versions, Version{RuleID: "1", Number: 2, Effective: at(15), Rule: r})
	commands := []Command{{ID: 1, Effective: at(10), Kind: CommandResolve, Fingerprint: rule.Fingerprint("1", map[string]string{}), Who: "ann"}}
	for name, crash := range map[string]bool{"calm": false, "crashed": true} {
		s := &script{t: t, e: New(here, t0)}
		require.NoError(t, s.e.Schedule(versions, commands))
		for sec := 6.0; sec < 20; sec++ { // two lines a second: the condition holds without a break
			s.fold(line{at: sec + 0.1}, line{at: sec + 0.2})
			s.advance(sec + 1)
			if crash {
				var err error
				s.e, err = Restore(here, s.e.Snapshot(), versions, commands)
				require.NoError(t, err)
			}
		}
		s.want("7.25 r1 firing web value=4", "10 r1 resolved manual web value=8 7.25–10 peak=8")
		s.advance(30) // quiet
		s.want()
		s.fold(line{at: 30.1})
		s.advance(40)
		s.want("31.25 r1 firing web value=1", "36 r1 resolved web value=0 31.25–36 peak=1")
		require.False(t, t.Failed(), name)
	}
}
