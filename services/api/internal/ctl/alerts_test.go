package ctl

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

const (
	webPrint  = "0123456789abcdef0123456789abcdef"
	cartPrint = "0123456700000000000000000000000f"
)

// fire stores an alert as the evaluator would.
func fire(t *testing.T, db *mysqlx.DB, fingerprint, service, severity string, starts time.Time, ended bool) {
	t.Helper()
	ends := int64(0)
	if ended {
		ends = starts.Add(time.Minute).UnixNano()
	}
	event := fmt.Sprintf(`{"labels":{"service":%q,"alertname":"High error rate"},"condition":{"operator":">=","threshold":5},"evidence":[{"timestamp":"2026-11-01T11:59:58Z","service":%q,"level":"error","message":"declined\n\u001b[2J","log_id":"0-1-2"}]}`, service, service)
	_, err := db.Text.Exec(`INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, note, event, updated_at)
VALUES (?, ?, 0, ?, 1, 1, 'High error rate', 'shop', ?, ?, 9.5, 12, 'condition', '', ?, NOW())`, fingerprint, starts.UnixNano(), ends, severity, service, event)
	require.NoError(t, err)
}

// ages replaces the moments that the server chooses.
var ages = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)

// still hides moments of today, so that output can be compared.
func still(s string) string {
	return ages.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "2026-11-01T1") {
			return m
		}
		return "<moment of the run.....>"
	})
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	golden(t, "alerts-none.txt", s.ok("alerts", "list"))
	fire(t, db, webPrint, "web", "critical", noon.Add(-time.Hour), true)
	fire(t, db, webPrint, "web", "critical", noon, false)
	fire(t, db, cartPrint, "cart", "low", noon.Add(time.Second), false)

	golden(t, "alerts-list.txt", s.ok("alerts", "list"))
	require.Equal(t, 3, strings.Count(s.ok("alerts", "list", "--state", "active,resolved", "--start", "0", "-o", "json"), "\n"))
	for args, lines := range map[string]int{"--service web": 1, "--severity low,high": 1, "--team ops": 0, "--rule 1": 2, "--rule 2": 0, "--state resolved --start 0": 1, "--label service=web": 1, "--label service!=web": 1, "--silenced true": 0, "--all": 2} {
		require.Equal(t, lines, strings.Count(s.ok(append([]string{"alerts", "list", "-o", "json"}, strings.Fields(args)...)...), "\n"), args)
	}
	require.Equal(t, 2, strings.Count(s.ok("alerts", "list", "-o", "json", "--rule", "High error rate"), "\n"))
	require.Contains(t, s.fails(exitRefused, "alerts", "list", "--state", "open"), "state: \"open\" is not one of pending, active, acknowledged, resolved")
	code, out, errs := s.run("alerts", "list", "-n", "1", "-o", "json")
	require.Equal(t, []any{exitOK, 1, "logmillctl: there may be more alerts: --all shows them\n"}, []any{code, strings.Count(out, "\n"), errs})
	require.Contains(t, s.ok("alerts", "list", "-o", "raw"), `{"alerts":[{"id":`)

	golden(t, "alerts-show.txt", s.ok("alerts", "show", webPrint[:9]))
	require.Contains(t, s.fails(exitUsage, "alerts", "show", "0123"), `"0123" is the beginning of several alerts: `+cartPrint)
	require.Contains(t, s.fails(exitRefused, "alerts", "show", "ff"), `there is no alert "ff"`)
	require.Contains(t, s.ok("alerts", "show", webPrint+fmt.Sprintf("-%d", noon.Add(-time.Hour).UnixNano())), "resolved", "a whole id is that episode")

	require.Equal(t, fmt.Sprintf("acknowledged %s-%d: High error rate service=web\n", webPrint, noon.UnixNano()), s.ok("alerts", "ack", "-m", "mine", webPrint[:9]))
	require.Contains(t, s.fails(exitRefused, "alerts", "ack", webPrint[:9]), "409 Conflict")
	code, out, errs = s.run("alerts", "ack", webPrint[:9], cartPrint[:9])
	require.Equal(t, exitRefused, code)
	require.Contains(t, out, "service=cart", "the other one is acknowledged")
	require.Contains(t, errs, "logmillctl: 012345678: the api answered 409 Conflict")
	s.ok("alerts", "note", cartPrint[:9], "it is the disk")
	s.ok("alerts", "resolve", "-m", "replaced", cartPrint[:9])
	golden(t, "alerts-handled.txt", still(s.ok("alerts", "show", cartPrint[:9])))
	require.Contains(t, s.ok("alerts", "show", "-o", "json", webPrint[:9]), `"acknowledged_by":"ann"`)
}

func TestSilences(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	fire(t, db, webPrint, "web", "critical", noon, false)
	golden(t, "silence-alert.txt", still(s.ok("alerts", "silence", webPrint[:9], "--for", "90m", "-m", "known")))
	golden(t, "silence-add.txt", still(s.ok("silences", "add", `service=~"checkout|cart"`, "severity!=critical", "team=", "--start", "now+1h", "--until", "now+2h")))
	s.ok("silences", "add", "service=x")
	golden(t, "silences-list.txt", still(s.ok("silences", "list")))
	require.Equal(t, "expired silence 1\n", s.ok("silences", "expire", "1"))
	require.NotContains(t, s.ok("silences", "list"), "known")
	require.Contains(t, s.ok("silences", "list", "--state", "expired"), "known")
	require.Contains(t, s.ok("silences", "list", "--created-by", "ann", "-o", "json"), `"matchers":[{"name":"service","value":"x","isRegex":false,"isEqual":true}]`)
	require.Contains(t, s.fails(exitRefused, "silences", "expire", "1", "2"), "expired silence 2", "goes on after one that is expired already")
	require.Contains(t, s.fails(exitUsage, "silences", "expire", "x"), `"x" is not the number of a silence`)
	require.Contains(t, s.fails(exitUsage, "silences", "add", "service"), `"service" is not a matcher`)
	require.Contains(t, s.fails(exitRefused, "silences", "add", "a=~("), `matchers[0].value: "(" is not a regular expression`)
	require.Contains(t, s.fails(exitUsage, "silences", "add", "a=b", "--for", "1h", "--until", "now+1h"), "none of the others can be")
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rule.Matcher{
		"a=b":          {Name: "a", Value: "b", IsEqual: true},
		`a="b c"`:      {Name: "a", Value: "b c", IsEqual: true},
		"a!=":          {Name: "a"},
		" a =~ b.*|c":  {Name: "a", Value: " b.*|c", IsRegex: true, IsEqual: true},
		`a!~"x=~\"y"`:  {Name: "a", Value: `x=~"y`, IsRegex: true},
		"a==b":         {Name: "a", Value: "=b", IsEqual: true},
		"a=line\nline": {Name: "a", Value: "line\nline", IsEqual: true},
	} {
		got, err := matcher(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "a", "=b", "a-b=c", "a~b"} {
		_, err := matcher(text)
		require.Error(t, err, text)
	}
}
