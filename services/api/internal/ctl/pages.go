package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

// extent is how much of a list is wanted.
type extent struct {
	limit int
	all   bool
}

const defaultLimit = 100

func (e *extent) flags(c *cobra.Command, what string) {
	c.Flags().IntVarP(&e.limit, "limit", "n", defaultLimit, "at most so many "+what)
	c.Flags().BoolVar(&e.all, "all", false, "all of them, however many")
}

// list asks for the pages of a list until there are enough, and calls f with each element; with -o raw the pages are written as they came
// instead. The list is in the field named after what.
func (t *tool) list(ctx context.Context, path []string, what string, q url.Values, e extent, f func(json.RawMessage) error) error {
	if e.limit < 1 && !e.all {
		return fmt.Errorf("--limit must be at least 1")
	}
	for left := e.limit; ; {
		size := pageSize
		if !e.all {
			size = min(size, left)
		}
		q.Set("limit", strconv.Itoa(size))
		raw, err := t.api.Do(ctx, client.Request{Path: path, Query: q})
		if err != nil {
			return err
		}
		items, next, err := page(raw, what)
		if err != nil {
			return err
		}
		if t.output == asRaw {
			err = t.line(raw)
		} else {
			err = each(items, f)
		}
		if err != nil {
			return err
		}
		left -= len(items)
		switch {
		case next == "" || next == q.Get("cursor"):
			return nil
		case left <= 0 && !e.all:
			t.screen.Note("there may be more %s: --all shows them", what)
			return nil
		}
		q.Set("cursor", next)
	}
}

func page(raw json.RawMessage, what string) (items []json.RawMessage, next string, err error) {
	var fields map[string]json.RawMessage
	if err = json.Unmarshal(raw, &fields); err == nil {
		err = json.Unmarshal(fields[what], &items)
	}
	if err == nil && fields["next_cursor"] != nil {
		err = json.Unmarshal(fields["next_cursor"], &next)
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading a page of %s: %w", what, err)
	}
	return items, next, nil
}
