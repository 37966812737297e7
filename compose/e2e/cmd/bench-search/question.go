package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// What the bench profile of loggen puts in.
const (
	trace      = "00000000000000000000000000c0ffee"
	phrase     = `"quantum flux capacitor overheated"`
	expression = `/token=zz[0-9a-f]{6}/`
	service    = "service-009" // 1.7 % of the lines
)

// question is one of the table of targets. Targets are for five million lines, warm, the median, ms.
type question struct {
	Name   string
	What   string
	Target float64
	path   string
	params url.Values
	check  func(body []byte, lines int) error // that the answer is the right one, whole
}

var questions = []question{
	{"a", "the 12 lines of one trace id", 15, "/api/logs", url.Values{"trace_id": {trace}}, hits(func(int) int { return 12 })},
	{"b", "a phrase of four words, 7 a million", 10, "/api/logs", url.Values{"q": {phrase}}, hits(func(n int) int { return min(defaultLimit, (n+phraseAfter)/phraseEvery) })},
	{"c", "errors by service by minute", 20, "/api/logs/stats", url.Values{"q": {"level:error"}, "by": {"service"}, "step": {"1m"}, "limit": {"200"}}, groups(200, share(0.08))},
	{"d", "latest 100 errors of one service", 10, "/api/logs", url.Values{"q": {"level:error service:" + service}, "limit": {"100"}}, hits(few(100))},
	{"e", "latest 100 that match a regular expression", 150, "/api/logs", url.Values{"q": {expression}, "limit": {"100"}}, hits(func(n int) int { return min(100, (n+tokenAfter)/tokenEvery) })},
	{"e3", "count of the lines that match it", 400, "/api/logs", url.Values{"q": {expression}, "limit": {"1"}, "count": {"true"}}, total(func(n int) int { return (n + tokenAfter) / tokenEvery })},
	{"f", "top 10 services by lines", 5, "/api/logs/stats", url.Values{"by": {"service"}, "limit": {"10"}}, groups(10, nil)},
}

// How often the profile puts in what is looked for: the first one after the rest of the first step.
const (
	phraseEvery  = 1_000_000 / 7
	phraseAfter  = phraseEvery - 1 - phraseEvery/3
	tokenEvery   = 6000
	tokenAfter   = tokenEvery - 1 - tokenEvery/2
	defaultLimit = 100
)

// few is a number that is there unless the corpus is tiny.
func few(n int) func(int) int { return func(int) int { return n } }

func share(part float64) func(lines int) float64 {
	return func(lines int) float64 { return part * float64(lines) }
}

// envelope is what the answers have in common.
type envelope struct {
	Logs    []json.RawMessage `json:"logs"`
	Total   *int              `json:"total"`
	Partial bool              `json:"partial"`
	Reason  string            `json:"partial_reason"`
	Source  string            `json:"source"`
	Groups  []struct {
		Count  int               `json:"count"`
		Points []json.RawMessage `json:"points"`
	} `json:"groups"`
}

func open(body []byte) (e envelope, err error) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, err
	}
	if e.Partial {
		return e, fmt.Errorf("a partial answer: %s", e.Reason)
	}
	return e, nil
}

func hits(want func(lines int) int) func([]byte, int) error {
	return func(body []byte, lines int) error {
		e, err := open(body)
		if err == nil && len(e.Logs) != want(lines) {
			err = fmt.Errorf("%d lines instead of %d", len(e.Logs), want(lines))
		}
		return err
	}
}

func total(want func(lines int) int) func([]byte, int) error {
	return func(body []byte, lines int) error {
		e, err := open(body)
		if err == nil && (e.Total == nil || *e.Total != want(lines)) {
			err = fmt.Errorf("not a total of %d", want(lines))
		}
		return err
	}
}

// groups checks their number, and within a tenth the sum of their counts.
func groups(n int, sum func(lines int) float64) func([]byte, int) error {
	return func(body []byte, lines int) error {
		e, err := open(body)
		if err != nil {
			return err
		}
		if len(e.Groups) != n {
			return fmt.Errorf("%d groups instead of %d", len(e.Groups), n)
		}
		got := 0
		for _, g := range e.Groups {
			got += g.Count
		}
		if sum != nil && (float64(got) < 0.9*sum(lines) || float64(got) > 1.1*sum(lines)) {
			return fmt.Errorf("%d lines in all groups instead of about %.0f", got, sum(lines))
		}
		return nil
	}
}

// url of a question to an api, over the whole corpus.
func (q *question) url(port int, c corpus) string {
	v := url.Values{"start": {strconv.FormatInt(c.Start.UnixNano(), 10)}, "end": {strconv.FormatInt(c.End.UnixNano(), 10)}}
	for name, values := range q.params {
		v[name] = values
	}
	return fmt.Sprintf("http://127.0.0.1:%d%s?%s", port, q.path, v.Encode())
}
