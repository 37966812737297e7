package ctl

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
)

func (t *tool) context() *cobra.Command {
	var form lineForm
	before, after := 10, 10
	c := &cobra.Command{Use: "context ID", Short: "Show the lines before and after a line", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Show a line (its id is in the output of search -o json) with those before and after it, of the same service and host, in order of time.",
		Example: `  logmillctl context 1-204711-17
  logmillctl context -B 100 -A 0 1-204711-17`,
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{"id": {args[0]}, "before": {strconv.Itoa(before)}, "after": {strconv.Itoa(after)}}
			raw, err := t.api.Do(c.Context(), client.Request{Path: []string{"api", "logs", "context"}, Query: q})
			if err != nil {
				return err
			}
			return t.showContext(raw, form)
		}}
	c.Flags().IntVarP(&before, "before", "B", before, "so many lines before it")
	c.Flags().IntVarP(&after, "after", "A", after, "so many lines after it")
	c.Flags().BoolVar(&form.bare, "no-fields", false, "without the lines' fields")
	return c
}

// showContext marks the line itself.
func (t *tool) showContext(raw json.RawMessage, form lineForm) error {
	var got struct {
		Before, After []json.RawMessage
		Line          json.RawMessage
		Partial       bool
		Reason        string `json:"partial_reason"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("reading the lines: %w", err)
	}
	marked := form
	if t.output == asTable {
		form.mark, marked.mark = "  ", t.screen.Paint(screen.Bold, "> ")
	}
	if err := each(got.Before, func(l json.RawMessage) error { return t.logLine(l, form) }); err != nil {
		return err
	}
	if err := t.logLine(got.Line, marked); err != nil {
		return err
	}
	if err := each(got.After, func(l json.RawMessage) error { return t.logLine(l, form) }); err != nil {
		return err
	}
	if got.Partial {
		t.screen.Note("not all lines: %s", got.Reason)
		return errPartial
	}
	return nil
}
