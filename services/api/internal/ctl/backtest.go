package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

const (
	backtestWait = "5s"        // before the api makes it a job
	backtestAsk  = time.Second // how it is going on; the api gives up when nobody asks for a minute
)

// backtestJob is a backtest that takes longer. An answer without an id is the result itself.
type backtestJob struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Error    string `json:"error"`
	Progress struct {
		Fraction float64 `json:"fraction"`
		Alerts   int     `json:"alerts"`
	} `json:"progress"`
	Result json.RawMessage `json:"result"`
}

// runBacktest asks for a backtest, and for its job until that is over.
func (t *tool) runBacktest(ctx context.Context, name string, body any, q url.Values) (b backtested, err error) {
	b.Rule = name
	asked := url.Values{"wait": {backtestWait}}
	for k, v := range q {
		asked[k] = v
	}
	raw, err := t.api.Do(ctx, client.Request{Method: "POST", Path: append(slices.Clone(rulesPath), "backtest"), Query: asked, Body: body})
	if err != nil {
		return b, err
	}
	var job backtestJob
	if err := json.Unmarshal(raw, &job); err != nil {
		return b, err
	}
	if job.ID != "" {
		if raw, err = t.follow(ctx, name, job); err != nil {
			return b, err
		}
	}
	return b, json.Unmarshal(raw, &b)
}

// follow says every tenth how a job goes on, and returns its result.
func (t *tool) follow(ctx context.Context, name string, job backtestJob) (json.RawMessage, error) {
	ask := time.NewTicker(backtestAsk)
	defer ask.Stop()
	for told := 0; ; {
		switch job.State {
		case "done":
			return job.Result, nil
		case "failed", "cancelled":
			return nil, fmt.Errorf("the backtest of %q %s: %s", name, job.State, job.Error)
		}
		if tenth := int(job.Progress.Fraction * 10); tenth > told {
			told = tenth
			t.screen.Note("%q: %d %% of the lines, %s", name, tenth*10, count(job.Progress.Alerts, "alert"))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ask.C:
		}
		if err := t.api.Get(ctx, client.Request{Path: []string{"api", "backtests", job.ID}}, &job); err != nil {
			return nil, err
		}
	}
}
