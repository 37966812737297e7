package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/alertlog"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
)

// found is an alert as history and backtest both have it.
type found struct {
	Labels map[string]string
	Starts time.Time
	Ends   time.Time
	Value  *float64
	Peak   *float64
}

func (f found) String() string {
	b, _ := json.Marshal(f) // plain values
	return string(b)
}

// backtests compares the episodes of each version of each rule with a backtest of it over the stored blocks, by labels, final times, final value and
// peak. It returns the first difference. Left out is what a backtest cannot know: the time in which the windows of a new version fill, and
// what people did.
func (p *proof) backtests(r result, program string) string {
	p.t.Helper()
	p.s.Start("api", program, "MYSQL_DATABASE=calm", fmt.Sprintf("API_PORT=%d", p.s.Port("api")))
	p.s.AwaitReady("api")
	compared := 0
	for i, versions := range proofRules() {
		for n, v := range versions {
			if v.deleted {
				continue
			}
			warm := time.Duration(v.rule.TimeWindow) + time.Duration(v.rule.For) + time.Duration(v.rule.KeepFiringFor) + 5*time.Second
			start, end := p.at(v.from).Add(warm), p.from.Add(p.span+afterwards)
			if n+1 < len(versions) {
				end = p.at(versions[n+1].from)
			}
			const whole = 10 * time.Second // the api takes windows of this length
			start, end = start.Add(whole-1).Truncate(whole), end.Truncate(whole)
			if !start.Before(end) {
				continue // a short history has no time for it
			}
			history := p.history(r.episodes, int64(i+1), n+1, start, end)
			tested := p.backtest(i+1, v.rule, start, end, p.known(r.episodes, int64(i+1), start))
			if only, other := without(history, tested), without(tested, history); len(only)+len(other) > 0 {
				return fmt.Sprintf("rule %d, version %d, from %s to %s: only in the history:\n%s\nonly in the backtest:\n%s", i+1, n+1, start, end, strings.Join(only, "\n"), strings.Join(other, "\n"))
			}
			compared += len(history)
		}
	}
	require.Greater(p.t, compared, 20)
	p.t.Logf("%d alerts are the same in a backtest", compared)
	return ""
}

func without(all, some []string) (out []string) {
	for _, s := range all {
		if !slices.Contains(some, s) {
			out = append(out, s)
		}
	}
	return out
}

func (p *proof) at(part float64) time.Time {
	return p.from.Add(time.Duration(part * float64(p.span)))
}

// history are the episodes of a version that began and ended within a time, as texts.
func (p *proof) history(episodes []alertlog.Episode, id int64, number int, start, end time.Time) (out []string) {
	p.t.Helper()
	for _, e := range episodes {
		f := found{Starts: time.Unix(0, e.Final).UTC(), Ends: time.Unix(0, e.Ends).UTC()}
		if e.Rule != id || e.Version != number || e.Reason == "manual" || e.Ends == 0 || f.Starts.Before(start) || !f.Ends.Before(end) {
			continue
		}
		var data contract.AlertData
		require.NoError(p.t, json.Unmarshal([]byte(e.Event), &data))
		f.Labels = data.Labels
		if e.Value.Valid {
			f.Value = &e.Value.Float64
		}
		if e.Peak.Valid {
			f.Peak = &e.Peak.Float64
		}
		out = append(out, f.String())
	}
	slices.Sort(out)
	return out
}

// known says, by fingerprint, until when a backtest from start on cannot know what happened: until the end of an episode that was going on
// at start, or was ended by hand.
func (p *proof) known(episodes []alertlog.Episode, id int64, start time.Time) map[string][]interval {
	out := map[string][]interval{}
	for _, e := range episodes {
		if e.Rule == id && (e.Reason == "manual" || e.Final < start.UnixNano()) {
			out[e.Fingerprint] = append(out[e.Fingerprint], interval{e.Final, e.Ends})
		}
	}
	return out
}

type interval struct{ from, to int64 } // ns

func (i interval) has(t time.Time) bool { return i.from <= t.UnixNano() && t.UnixNano() < i.to }

// backtest asks the api.
func (p *proof) backtest(id int, r rule.Rule, start, end time.Time, known map[string][]interval) (out []string) {
	p.t.Helper()
	q := url.Values{"start": {strconv.FormatInt(start.UnixNano(), 10)}, "end": {strconv.FormatInt(end.UnixNano(), 10)}, "wait": {"1m"}}
	resp, err := http.Post(p.s.URL("api")+"/api/alert-rules/backtest?"+q.Encode(), "application/json", bytes.NewReader([]byte(p.definition(id, r))))
	require.NoError(p.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, resp.StatusCode, string(body))
	var answer struct {
		Alerts []struct {
			StartsAt time.Time         `json:"starts_at"`
			EndsAt   *time.Time        `json:"ends_at"`
			Labels   map[string]string `json:"labels"`
			Value    *float64          `json:"value"`
			Peak     *float64          `json:"peak"`
		} `json:"alerts"`
		Partial bool `json:"partial"`
	}
	require.NoError(p.t, json.Unmarshal(body, &answer))
	require.False(p.t, answer.Partial, string(body[max(0, len(body)-300):]))
	for _, a := range answer.Alerts {
		group := map[string]string{}
		for k, v := range a.Labels {
			if k != "alertname" && len(r.GroupBy) > 0 {
				group[k] = v
			}
		}
		if a.EndsAt == nil || !a.EndsAt.Before(end) || slices.ContainsFunc(known[rule.Fingerprint(strconv.Itoa(id), group)], func(i interval) bool { return i.has(a.StartsAt) }) {
			continue
		}
		out = append(out, found{a.Labels, a.StartsAt.UTC(), a.EndsAt.UTC(), a.Value, a.Peak}.String())
	}
	slices.Sort(out)
	return out
}
