package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// pageLimit is the most that the api gives at once.
const pageLimit = 1000

// Answer is all pages of an answer.
type Answer struct {
	Lines   []Found
	Total   int64
	Partial bool
	Reason  string
}

type page struct {
	Logs []struct {
		Timestamp  time.Time
		Attributes struct{ N string }
	}
	NextCursor string `json:"next_cursor"`
	Total      int64
	Partial    bool
	Reason     string `json:"partial_reason"`
}

// Ask asks an api, page after page.
func Ask(ctx context.Context, client *http.Client, base string, q Query) (a Answer, err error) {
	for cursor := ""; ; {
		p, err := get(ctx, client, base, q, url.Values{"limit": {strconv.Itoa(pageLimit)}, "cursor": {cursor}})
		if err != nil {
			return a, err
		}
		a.Partial, a.Reason = a.Partial || p.Partial, a.Reason+p.Reason
		for _, l := range p.Logs {
			n, err := strconv.Atoi(l.Attributes.N)
			if err != nil {
				return a, fmt.Errorf("a line without its number: %w", err)
			}
			a.Lines = append(a.Lines, Found{n, l.Timestamp.UnixNano()})
		}
		if cursor = p.NextCursor; cursor == "" {
			return a, nil
		}
	}
}

// Count asks an api how many there are.
func Count(ctx context.Context, client *http.Client, base string, q Query) (a Answer, err error) {
	p, err := get(ctx, client, base, q, url.Values{"limit": {"0"}, "count": {"true"}})
	return Answer{Total: p.Total, Partial: p.Partial, Reason: p.Reason}, err
}

func get(ctx context.Context, client *http.Client, base string, q Query, v url.Values) (p page, err error) {
	v.Set("q", q.Text)
	v.Set("start", strconv.FormatInt(q.Start, 10))
	v.Set("end", strconv.FormatInt(q.End, 10))
	if v.Get("cursor") == "" {
		v.Del("cursor")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/logs?"+v.Encode(), http.NoBody)
	if err != nil {
		return p, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return p, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return p, err
	}
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%s: %s", resp.Status, body)
	}
	return p, json.Unmarshal(body, &p)
}
