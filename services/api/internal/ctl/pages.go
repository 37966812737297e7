package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

const pageSize = 1000 // what the api gives at most

// extent is how much of a list is wanted.
type extent struct {
	limit int
	all   bool
}

const defaultLimit = 100

func (e *extent) flags(c *cobra.Command, what string) {
	c.Flags().IntVarP(&e.limit, "limit", "n", defaultLimit, "at most so many "+what)
	c.Flags().BoolVar(&e.all, "all", false, "all of them, however many")
	c.MarkFlagsMutuallyExclusive("limit", "all")
}

// page is an answer that is a part of a list.
type page struct {
	raw     json.RawMessage
	items   []json.RawMessage
	next    string // "" at the end
	partial bool
	reason  string
	lag     float64 // s that storing is behind receiving
	hints   []hint
	explain *explain
}

func pageOf(raw json.RawMessage, what string) (p page, err error) {
	p.raw = raw
	var fields map[string]json.RawMessage
	var lag struct {
		Seconds float64 `json:"seconds"`
	}
	err = json.Unmarshal(raw, &fields)
	for name, into := range map[string]any{what: &p.items, "next_cursor": &p.next, "partial": &p.partial, "partial_reason": &p.reason, "lag": &lag, "hints": &p.hints, "explain": &p.explain} {
		if err == nil && fields[name] != nil {
			err = json.Unmarshal(fields[name], into)
		}
	}
	if err == nil && p.items == nil {
		err = errors.New("is this an api of Logmill?")
	}
	if err != nil {
		return p, fmt.Errorf("reading a page of %s: %w", what, err)
	}
	p.lag = lag.Seconds
	return p, nil
}

// listing is a list of the api. What names the field of its pages that has the elements.
type listing struct {
	path  []string
	what  string
	query url.Values
	extent
}

// pages asks for pages until there are enough elements, and calls f with each. It tells of what is not shown; errPartial: the api could not
// give everything.
func (t *tool) pages(ctx context.Context, l listing, f func(page) error) error {
	if l.limit < 1 && !l.all {
		return errors.New("--limit must be at least 1")
	}
	q, left, seen := cloned(l.query), l.limit, progress{t: t, what: l.what}
	defer seen.end()
	var gaps []string
	for {
		q.Set("limit", strconv.Itoa(l.size(left)))
		raw, err := t.api.Do(ctx, client.Request{Path: l.path, Query: q})
		if err != nil {
			return err
		}
		p, err := pageOf(raw, l.what)
		if err != nil {
			return err
		}
		if q.Get("cursor") == "" {
			t.hint(p.hints)
		}
		if err := f(p); err != nil {
			return err
		}
		t.explain(p.explain)
		left -= len(p.items)
		seen.add(len(p.items))
		stuck := p.next == "" || p.next == q.Get("cursor")
		if p.partial && (stuck || !l.all || !continues(p.reason)) {
			gaps = append(gaps, p.reason)
		}
		switch {
		case stuck, len(gaps) > 0 && !l.all:
			return t.ended(l, p, gaps)
		case left <= 0 && !l.all:
			t.screen.Note("there may be more %s: --all shows them", l.what)
			return nil
		}
		q.Set("cursor", p.next)
	}
}

// size is the limit of the next page.
func (e extent) size(left int) int {
	if e.all {
		return pageSize
	}
	return min(pageSize, left)
}

func cloned(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = append([]string(nil), v...)
	}
	return out
}

// continues tells whether a partial page is whole together with the pages that follow: then only a budget of the api was at its end, and not a
// block damaged.
func continues(reason string) bool {
	for r := range strings.SplitSeq(reason, "; ") {
		if !strings.HasSuffix(r, " is reached") {
			return false
		}
	}
	return true
}

// ended tells of what is missing at the end.
func (t *tool) ended(l listing, p page, gaps []string) error {
	if p.lag >= toldLag {
		t.screen.Note("storing is %.0f s behind receiving: the newest %s may be missing", p.lag, l.what)
	}
	if len(gaps) == 0 {
		return nil
	}
	hint := ""
	if !l.all && p.next != "" && continues(p.reason) {
		hint = "; --all goes on from there, a narrower question is quicker"
	}
	t.screen.Note("not all %s: %s%s", l.what, strings.Join(gaps, "; "), hint)
	return errPartial
}

// toldLag is from when on people are told that storing is behind: longer than a batch takes, s.
const toldLag = 5

// list is pages for lists whose elements are shown one by one; with -o raw the pages are written as they came instead.
func (t *tool) list(ctx context.Context, l listing, f func(json.RawMessage) error) error {
	return t.pages(ctx, l, func(p page) error {
		if t.output == asRaw {
			return t.line(p.raw)
		}
		return each(p.items, f)
	})
}
