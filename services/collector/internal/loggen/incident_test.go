package loggen

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

// The sample rules' as `make run` enables them.
const (
	window = time.Minute
	keep   = 15 * time.Second
)

// sampleRules are those of the migration, with the demo's times.
func sampleRules(t *testing.T) (out []rule.Rule) {
	t.Helper()
	sql, err := os.ReadFile("../../../../migrations/sql/00003_sample_rules.sql")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`'(\{"name".*\})'`).FindAllSubmatch(sql, -1) {
		var r rule.Rule
		require.NoError(t, json.Unmarshal(bytes.ReplaceAll(m[1], []byte("''"), []byte("'")), &r))
		r.TimeWindow, r.KeepFiringFor, r.Enabled = rule.Window(window), rule.Duration(keep), true
		r.Normalize()
		out = append(out, r)
	}
	require.Len(t, out, 8)
	return out
}

// episode is an alert of a run; times are since its start.
type episode struct {
	rule, service string
	from, to      time.Duration // to = 0: it fires still
}

// watch runs a profile through the rules, as the processor and the evaluator would.
func watch(t *testing.T, p Profile, rate int, length time.Duration) []*episode {
	t.Helper()
	t0 := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	eng := engine.New(engine.Place{All: true}, t0.UnixNano())
	var versions []engine.Version
	for i, r := range sampleRules(t) {
		versions = append(versions, engine.Version{RuleID: fmt.Sprint(i + 1), Number: 1, Effective: t0.UnixNano(), Rule: r})
	}
	require.NoError(t, eng.Schedule(versions, nil))
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	var all []*episode
	open := map[string]*episode{}
	for second := range int(length / time.Second) {
		blk, err := b.Build(records(t, p, t0.Add(time.Duration(second)*time.Second), rate))
		require.NoError(t, err)
		r, err := block.Open(blk.Data)
		require.NoError(t, err)
		require.NoError(t, eng.Fold(r, 0))
		events, _ := eng.Advance(t0.Add(time.Duration(second)*time.Second + time.Second).UnixNano())
		for _, ev := range events {
			switch at := time.Duration(ev.Tick - t0.UnixNano()); ev.Kind {
			case engine.Firing:
				open[ev.Fingerprint] = &episode{rule: ev.Rule.Name, service: ev.Labels["service"], from: at}
				all = append(all, open[ev.Fingerprint])
			case engine.Resolved:
				open[ev.Fingerprint].to = at
			}
		}
	}
	return all
}

// records are a second's lines as the processor stores them.
func records(t *testing.T, p Profile, from time.Time, n int) []logrec.Record {
	t.Helper()
	var parser logrec.Parser
	recs := make([]logrec.Record, n)
	for i := range recs {
		at := from.Add(time.Duration(i) * time.Second / time.Duration(n))
		line := p.Append(nil, at)
		require.NoError(t, parser.ParseObject(bytes.TrimSpace(line), &recs[i]))
		if recs[i].SrcRow = int32(i); at.UnixNano()-recs[i].Timestamp < int64(5*time.Minute) { // MAX_LATE
			recs[i].EvalTime = at.UnixNano() + 1
		}
	}
	return recs
}

// TestEachIncidentIsSeenByItsRules: in one cycle of the script each of the eight sample rules fires and resolves, in its incidents and nowhere else.
func TestEachIncidentIsSeenByItsRules(t *testing.T) {
	t.Parallel()
	want := []string{
		"error-burst: High error rate", "error-burst: Low success rate",
		"fatal: Fatal logs inventory",
		"network-partition: Few services", "network-partition: Service is silent",
		"outage: Critical error rate", "outage: High error rate", "outage: Low success rate",
		"silent-service: Service is silent shipping",
		"slow-dependency: Slow responses",
		"timeouts: Slow responses", "timeouts: Very slow responses",
	}
	for seed := range uint64(3) {
		for _, rate := range []int{50, 200} {
			var got []string
			for _, e := range watch(t, newDemo(seed), rate, cycle+30*time.Second) {
				n, _ := slices.BinarySearchFunc(script, e.from, func(i *incident, at time.Duration) int { return cmp.Compare(i.from, at+1) })
				i := script[n-1] // the one that began last
				require.Less(t, e.from, i.to+time.Second, "%s of %s", e.rule, e.service)
				require.NotZero(t, e.to, "%s of %s must resolve", e.rule, e.service)
				require.LessOrEqual(t, e.to, i.to+window+keep+time.Second, "%s of %s", e.rule, e.service)
				name := i.Name + ": " + e.rule
				if e.service != "" && i.Name != "network-partition" {
					name += " " + e.service
				}
				got = append(got, name)
			}
			slices.Sort(got)
			require.Equal(t, want, slices.Compact(got), "seed %d, %d lines a second", seed, rate)
		}
	}
}

func TestASeedGivesTheSameLines(t *testing.T) {
	t.Parallel()
	for name, profile := range Profiles {
		a, b := profile(7), profile(7)
		at := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
		for range 2000 {
			at = at.Add(500 * time.Millisecond) // through the whole script
			require.Equal(t, string(a.Append(nil, at)), string(b.Append(nil, at)), name)
		}
	}
}

// TestIncidentsByHand: one that is begun by hand lasts as long as in the script, over whatever the run has, and can be ended.
func TestIncidentsByHand(t *testing.T) {
	t.Parallel()
	d := newDemo(1)
	require.NoError(t, d.Play(Calm))
	require.Nil(t, d.current(90*time.Second), "the script has a burst here")
	require.NoError(t, d.Cue("fatal"))
	require.Equal(t, "fatal", d.current(100*time.Second).Name)
	require.Equal(t, "fatal", d.current(129*time.Second).Name)
	require.Nil(t, d.current(130*time.Second))
	require.NoError(t, d.Cue("outage"))
	require.Equal(t, "outage", d.current(140*time.Second).Name)
	require.NoError(t, d.Cue(Calm))
	require.Nil(t, d.current(141*time.Second))
	require.NoError(t, d.Play("timeouts"))
	require.Equal(t, "timeouts", d.current(time.Hour).Name)
	require.ErrorContains(t, d.Cue("timeout"), "there are\n  error-burst")
	require.Error(t, d.Play(""))
}

func TestObeyingAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "incident")
	require.NoError(t, Steer(path, "fatal"))
	d := newDemo(1)
	go Obey(t.Context(), path, d, io.Discard)
	awaits := func(name string) {
		t.Helper()
		require.Eventually(t, func() bool {
			cue := d.cue.Load()
			return cue != nil && *cue == name || Steer(path, name) != nil // again and again: it may not have looked at the file before the first time
		}, 30*time.Second, 2*steerEvery)
	}
	awaits("outage")
	require.Error(t, Steer(path, "nonsense"), "whoever asks is told, not the generator")
	awaits(Calm)
}
