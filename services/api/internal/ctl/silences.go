package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/rule"
)

// silenceRow is a silence as the api answers it.
type silenceRow struct {
	ID    int64  `json:"id"`
	State string `json:"state"`
	rule.Silence
}

// silenceBody is a silence as the api takes it: the end may be relative to its clock.
type silenceBody struct {
	Matchers []rule.Matcher `json:"matchers"`
	StartsAt string         `json:"starts_at,omitempty"`
	EndsAt   string         `json:"ends_at"`
	Comment  string         `json:"comment"`
	By       string         `json:"created_by,omitempty"`
}

var silencesPath = []string{"api", "silences"}

func (t *tool) silences() *cobra.Command {
	c := &cobra.Command{Use: "silences", Short: "Silences: list, add, expire", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(t.silencesList(), t.silencesAdd(), t.silencesExpire())
	return c
}

// span is how long a silence lasts.
type span struct {
	forTime        time.Duration
	until, comment string
}

func (s *span) flags(c *cobra.Command) {
	c.Flags().DurationVar(&s.forTime, "for", 2*time.Hour, "how long")
	c.Flags().StringVar(&s.until, "until", "", "until when, instead of --for")
	c.Flags().StringVarP(&s.comment, "comment", "m", "", "why, for the others")
	c.MarkFlagsMutuallyExclusive("for", "until")
}

func (s *span) body(ms []rule.Matcher) silenceBody {
	b := silenceBody{Matchers: ms, EndsAt: s.until, Comment: s.comment}
	if b.EndsAt == "" {
		b.EndsAt = "now+" + s.forTime.String()
	}
	return b
}

func (t *tool) silencesAdd() *cobra.Command {
	var s span
	start := ""
	c := &cobra.Command{Use: "add MATCHER…", Short: "Silence the alerts that all matchers match", Args: cobra.MinimumNArgs(1),
		Long: `Silence the alerts that all matchers match. A matcher is name=value, name!=value, name=~expression or name!~expression, as in Alertmanager: names are
those of labels, and severity, team, rule_id and alertname; an expression (RE2) must match the whole value. Silenced alerts fire, and nobody is told.`,
		Example: `  logmillctl silences add 'service=~checkout|cart' severity!=critical --for 3h -m 'database move'`,
		RunE: func(c *cobra.Command, args []string) error {
			var ms []rule.Matcher
			for _, a := range args {
				m, err := matcher(a)
				if err != nil {
					return err
				}
				ms = append(ms, m)
			}
			b := s.body(ms)
			b.StartsAt = start
			return t.silence(c.Context(), b)
		}}
	s.flags(c)
	c.Flags().StringVar(&start, "start", "", "from when (now)")
	return c
}

var matcherText = regexp.MustCompile(`^\s*([a-zA-Z0-9_]+)\s*(=~|!~|!=|=)(?s:(.*))$`)

// matcher reads name=~"value"; the quotes may be left out.
func matcher(s string) (rule.Matcher, error) {
	m := matcherText.FindStringSubmatch(s)
	if m == nil {
		return rule.Matcher{}, fmt.Errorf("%q is not a matcher: name=value, name!=value, name=~expression or name!~expression", s)
	}
	value := m[3]
	if unquoted, err := strconv.Unquote(strings.TrimSpace(value)); err == nil {
		value = unquoted
	}
	return rule.Matcher{Name: m[1], Value: value, IsRegex: strings.HasSuffix(m[2], "~"), IsEqual: m[2][0] == '='}, nil
}

func (t *tool) alertsSilence() *cobra.Command {
	var s span
	c := &cobra.Command{Use: "silence ID", Short: "Silence an alert, and others with all its labels", Args: cobra.ExactArgs(1), ValidArgsFunction: t.alertIDs,
		Long: "Silence an alert for a while: a silence with all its labels as matchers. It goes on firing, and nobody is told. silences add silences more at once.",
		RunE: func(c *cobra.Command, args []string) error {
			id, err := t.alertID(c.Context(), args[0])
			if err != nil {
				return err
			}
			var a alertRow
			if err := t.api.Get(c.Context(), client.Request{Path: append(slices.Clone(alertsPath), id)}, &a); err != nil {
				return err
			}
			var ms []rule.Matcher
			for _, k := range slices.Sorted(maps.Keys(a.Labels)) {
				ms = append(ms, rule.Matcher{Name: k, Value: a.Labels[k], IsEqual: true})
			}
			return t.silence(c.Context(), s.body(ms))
		}}
	s.flags(c)
	return c
}

func (t *tool) silence(ctx context.Context, b silenceBody) error {
	raw, err := t.api.Do(ctx, client.Request{Method: http.MethodPost, Path: silencesPath, Body: b})
	if err != nil {
		return err
	}
	if t.output != asTable {
		return t.line(compact(raw))
	}
	var r silenceRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading the silence: %w", err)
	}
	return t.screen.Print("silence %d until %s: %s", r.ID, t.time(r.EndsAt), screen.Clean(matcherTexts(r.Matchers), false))
}

func matcherTexts(ms []rule.Matcher) string {
	parts := make([]string, len(ms))
	for i, m := range ms {
		parts[i] = m.String()
	}
	return strings.Join(parts, " ")
}

func (t *tool) silencesList() *cobra.Command {
	var e extent
	var states []string
	by := ""
	c := &cobra.Command{Use: "list", Short: "List silences, newest first", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		q := url.Values{}
		set(q, "state", strings.Join(states, ","))
		set(q, "created_by", by)
		table := screen.Table{Head: []string{"ID", "STATE", "STARTS", "ENDS", "BY", "MATCHERS", "COMMENT"}}
		err := t.list(c.Context(), listing{silencesPath, "silences", q, e}, func(raw json.RawMessage) error {
			if t.output == asJSON {
				return t.line(raw)
			}
			var r silenceRow
			if err := json.Unmarshal(raw, &r); err != nil {
				return err
			}
			style := map[string]screen.Style{"active": screen.Yellow, "expired": screen.Dim}[r.State]
			table.Rows = append(table.Rows, []screen.Cell{{Text: strconv.FormatInt(r.ID, 10)}, {Text: r.State, Style: style}, {Text: t.time(r.StartsAt)}, {Text: t.time(r.EndsAt)}, {Text: r.CreatedBy}, {Text: matcherTexts(r.Matchers)}, {Text: r.Comment}})
			return nil
		})
		if err != nil || t.output != asTable {
			return err
		}
		return t.screen.Write(table)
	}}
	c.Flags().StringSliceVar(&states, "state", silenceStates[:2], "pending, active, expired")
	c.Flags().StringVar(&by, "created-by", "", "only those of this person")
	complete(c, "state", silenceStates)
	e.flags(c, "silences")
	return c
}

var silenceStates = []string{"pending", "active", "expired"}

func (t *tool) silencesExpire() *cobra.Command {
	return &cobra.Command{Use: "expire ID…", Short: "End silences now", Args: cobra.MinimumNArgs(1), RunE: func(c *cobra.Command, ids []string) error {
		return t.forEach(ids, func(id string) error {
			if _, err := strconv.ParseInt(id, 10, 64); err != nil {
				return errors.New(strconv.Quote(id) + " is not the number of a silence")
			}
			if _, err := t.api.Do(c.Context(), client.Request{Method: http.MethodDelete, Path: append(slices.Clone(silencesPath), id)}); err != nil {
				return err
			}
			if t.output != asTable {
				return nil
			}
			return t.screen.Print("expired silence %s", id)
		})
	}}
}
