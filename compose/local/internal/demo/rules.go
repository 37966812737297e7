// Package demo switches the sample rules on for `make run`.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/logmill/logmill/shared/rule"
)

// The sample rules look back five and ten minutes, for production; an incident of the generator lasts a minute or so. Their thresholds stay.
const (
	window = time.Minute
	keep   = 15 * time.Second // so that a ratio at its threshold does not flap
)

const (
	author     = "logmill" // of the migration that brought the rules
	user       = "make run"
	maxAnswer  = 16 << 20
	callWithin = 10 * time.Second
)

// row is what we need of a rule in the api's answers. They have more fields than rules take.
type row struct {
	ID      int64 `json:"id"`
	Version int   `json:"version"`
}

// EnableRules switches on, with times for the demo, the sample rules that nobody has touched: a rule that has been changed since the migration,
// by a user or by an earlier run, is left as it is. It returns their names.
// token is one of scope admin, where the api asks for one.
func EnableRules(ctx context.Context, api, token string) (names []string, err error) {
	c := client{api, token}
	cursor := ""
	for {
		var page struct {
			Rules []row  `json:"rules"`
			Next  string `json:"next_cursor"`
		}
		if err := c.call(ctx, http.MethodGet, "/api/alert-rules?enabled=false&limit=500&cursor="+url.QueryEscape(cursor), nil, "", &page); err != nil {
			return names, err
		}
		for _, r := range page.Rules {
			if r.Version != 1 {
				continue
			}
			name, err := c.enable(ctx, r)
			if err != nil {
				return names, fmt.Errorf("enabling rule %d: %w", r.ID, err)
			}
			if name != "" {
				names = append(names, name)
			}
		}
		if cursor = page.Next; cursor == "" {
			return names, nil
		}
	}
}

type client struct{ api, token string }

// enable switches a rule on if it is a sample rule, and returns its name then.
func (c client) enable(ctx context.Context, r row) (name string, err error) {
	path := fmt.Sprintf("/api/alert-rules/%d", r.ID)
	var made struct {
		Versions []struct {
			Author string    `json:"author"`
			Rule   rule.Rule `json:"rule"`
		} `json:"versions"`
	}
	if err := c.call(ctx, http.MethodGet, path+"/versions", nil, "", &made); err != nil {
		return "", err
	}
	if len(made.Versions) != 1 || made.Versions[0].Author != author {
		return "", nil
	}
	on := made.Versions[0].Rule
	on.Enabled, on.TimeWindow, on.KeepFiringFor = true, rule.Window(window), rule.Duration(keep)
	return on.Name, c.call(ctx, http.MethodPut, path, on, `"1"`, nil)
}

// call asks the api; ifMatch is the version that must be the newest.
func (c client) call(ctx context.Context, method, path string, body any, ifMatch string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, c.api+path, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Logmill-User", user)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if ifMatch != "" {
		req.Header.Set("If-Match", ifMatch)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answers %s: %.300s", method, path, resp.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}
