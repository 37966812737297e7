package ctl

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

const backtestFile = "groups:\n  - name: g\n    team: shop\n    rules:\n      - name: errors\n        condition: COUNT(*)\n        threshold: 1\n"

// TestBacktestThatTakesLong: the api answers with a job; its progress is told, and its result is the answer.
func TestBacktestThatTakesLong(t *testing.T) {
	t.Parallel()
	asked, state := 0, "done"
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const job = `{"id":"j1","state":%q,"error":%q,"progress":{"fraction":%g,"alerts":1}`
		switch {
		case r.Method == "POST":
			w.WriteHeader(http.StatusAccepted)
			_, _ = fmt.Fprintf(w, job+`}`, "queued", "", 0.0)
		case r.URL.Path != "/api/backtests/j1":
			w.WriteHeader(http.StatusNotFound)
		case asked == 0:
			asked++
			_, _ = fmt.Fprintf(w, job+`}`, "running", "", 0.55)
		default:
			_, _ = fmt.Fprintf(w, job+`,"result":{"alerts":[{"starts_at":"2026-11-01T12:00:00Z","labels":{"service":"web"},"value":3,"peak":4,"evidence":[{"message":"it broke","log_id":"0-1-2"}]}],"rows":77}}`, state, "it broke", 1.0)
		}
	}))
	t.Cleanup(api.Close)
	s := newShell(t, api.URL)
	s.file("rules.yaml", backtestFile)
	code, out, errs := s.run("rules", "backtest", "rules.yaml")
	require.Zero(t, code, errs)
	require.Contains(t, out, "errors: 1 alert in 77 lines")
	require.Equal(t, "logmillctl: \"errors\": 50 % of the lines, 1 alert\n", errs)
	_, out, _ = s.run("rules", "backtest", "-o", "json", "rules.yaml")
	require.Contains(t, out, `"it broke"`, "evidence is texts")
	state = "failed"
	code, _, errs = s.run("rules", "backtest", "rules.yaml")
	require.NotZero(t, code)
	require.Contains(t, errs, `the backtest of "errors" failed: it broke`)
}
