package ctl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/ctl/ruleplan"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/rule"
)

var rulesPath = []string{"api", "alert-rules"}

// ruleRow is a rule as the api answers it.
type ruleRow struct {
	ID      int64  `json:"id"`
	Version int    `json:"version"`
	State   string `json:"state"`
	rule.Rule
	raw json.RawMessage // all of it
}

// serverRules are all rules of a team, "" for all teams.
func (t *tool) serverRules(ctx context.Context, team string) (out []ruleRow, err error) {
	q := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if team != "" {
		q.Set("team", team)
	}
	for {
		raw, err := t.api.Do(ctx, client.Request{Path: rulesPath, Query: q})
		if err != nil {
			return nil, err
		}
		p, err := pageOf(raw, "rules")
		if err != nil {
			return nil, err
		}
		for _, item := range p.items {
			r := ruleRow{raw: item}
			if err := json.Unmarshal(item, &r); err != nil {
				return nil, fmt.Errorf("reading a rule: %w", err)
			}
			out = append(out, r)
		}
		if p.next == "" || p.next == q.Get("cursor") {
			return out, nil
		}
		q.Set("cursor", p.next)
	}
}

// plan compares files with the server.
func (t *tool) plan(ctx context.Context, names []string, prune bool) ([]ruleplan.Change, error) {
	files, err := t.goodRules(names)
	if err != nil {
		return nil, err
	}
	rows, err := t.serverRules(ctx, "") // of all teams: a name may be taken by another
	if err != nil {
		return nil, err
	}
	server := make([]ruleplan.Remote, len(rows))
	for i, r := range rows {
		server[i] = ruleplan.Remote{ID: r.ID, Version: r.Version, Rule: r.Rule}
	}
	return ruleplan.Make(files, server, prune), nil
}

const ownership = `A rule is found by its name and must belong to the file's team. Another team's rule of that name is never touched: it stops everything.
With --prune, rules of the file's named groups that no file has are deleted; rules of other groups and rules that were made by hand stay.`

func (t *tool) rulesDiff() *cobra.Command {
	prune := false
	c := &cobra.Command{Use: "diff FILE…", Short: "Show what apply would change", Args: cobra.MinimumNArgs(1), ValidArgsFunction: yamlFiles,
		Long: "Show what apply would change. The exit code is 1 when there is a difference.\n\n" + ownership,
		RunE: func(c *cobra.Command, names []string) error {
			plan, err := t.plan(c.Context(), names, prune)
			if err != nil {
				return err
			}
			if err := t.show(plan); err != nil || len(plan) == 0 {
				return err
			}
			return errNo
		}}
	c.Flags().BoolVar(&prune, "prune", false, "also show the rules that apply --prune would delete")
	return c
}

func (t *tool) rulesApply() *cobra.Command {
	prune, dry := false, false
	c := &cobra.Command{Use: "apply FILE…", Short: "Make the server's rules those of the files", Args: cobra.MinimumNArgs(1), ValidArgsFunction: yamlFiles,
		Long: "Create, update and, with --prune, delete rules on the server until they are those of the files. Somebody who changes a rule meanwhile wins:\nthat rule is left alone and named, and applying again goes on from there.\n\n" + ownership,
		Example: `  logmillctl rules apply --dry-run --prune rules/*.yaml
  logmillctl rules apply --prune rules/*.yaml`,
		RunE: func(c *cobra.Command, names []string) error {
			plan, err := t.plan(c.Context(), names, prune)
			if err != nil {
				return err
			}
			if dry || blocked(plan) {
				if err := t.show(plan); err != nil || !blocked(plan) {
					return err
				}
				t.screen.Note("nothing was changed: rename those rules, or let their team give them up")
				return errNo
			}
			return t.apply(c.Context(), plan)
		}}
	c.Flags().BoolVar(&prune, "prune", false, "delete rules of the files' groups that no file has")
	c.Flags().BoolVar(&dry, "dry-run", false, "change nothing, show what would be changed")
	return c
}

func blocked(plan []ruleplan.Change) bool {
	return len(plan) > 0 && plan[0].Kind == ruleplan.Blocked // they come first
}

// apply goes on after a change that the api refuses, and stops when it is away.
func (t *tool) apply(ctx context.Context, plan []ruleplan.Change) error {
	var refused error
	for _, c := range plan {
		id, err := t.change(ctx, c)
		var problem *client.Problem
		switch {
		case errors.As(err, &problem) && exitCode(ctx, err) == exitRefused:
			refused = err
			t.screen.Note("%s: %s: %v", strings.TrimSpace(c.At.String()+" "+strconv.Quote(c.Name)), c.Kind, err)
			continue
		case err != nil:
			return fmt.Errorf("%s %q: %w", c.Kind, c.Name, err)
		}
		if err := t.applied(c, id); err != nil {
			return err
		}
	}
	if refused != nil {
		return fmt.Errorf("not everything was applied: %w", refused)
	}
	if t.output != asJSON {
		return t.screen.Print("%s applied", count(len(plan), "change"))
	}
	return nil
}

// change carries one change out, on the version that the plan was made against.
func (t *tool) change(ctx context.Context, c ruleplan.Change) (id int64, err error) {
	r := client.Request{Path: append(slices.Clone(rulesPath), strconv.FormatInt(c.ID, 10)), Match: strconv.Quote(strconv.Itoa(c.Version))}
	switch c.Kind {
	case ruleplan.Create:
		r = client.Request{Method: http.MethodPost, Path: rulesPath, Body: c.Rule}
	case ruleplan.Update:
		r.Method, r.Body = http.MethodPut, c.Rule
	case ruleplan.Delete:
		r.Method = http.MethodDelete
		_, err := t.api.Do(ctx, r)
		return c.ID, err
	}
	var row ruleRow
	err = t.api.Get(ctx, r, &row)
	return row.ID, err
}

func (t *tool) applied(c ruleplan.Change, id int64) error {
	c.ID = id
	if t.output == asJSON {
		return t.json(c)
	}
	return t.screen.Print("%sd rule %d %q of %s", c.Kind, id, c.Name, groupText(c))
}

func groupText(c ruleplan.Change) string {
	s := c.Team
	if s == "" {
		s = "nobody"
	}
	if c.Group != "" {
		s += "/" + c.Group
	}
	return s
}

// show shows a plan.
func (t *tool) show(plan []ruleplan.Change) error {
	if len(plan) == 0 && t.output != asJSON {
		return t.screen.Print("no differences")
	}
	return each(plan, func(c ruleplan.Change) error {
		if t.output == asJSON {
			return t.json(c)
		}
		return t.showChange(c)
	})
}

func (t *tool) showChange(c ruleplan.Change) error {
	mark := map[ruleplan.Kind]string{ruleplan.Create: "+", ruleplan.Update: "~", ruleplan.Delete: "-", ruleplan.Blocked: "!"}[c.Kind]
	style := map[string]screen.Style{"+": screen.Green, "~": screen.Yellow, "-": screen.Red, "!": screen.Alarm}[mark]
	head := fmt.Sprintf("%s %s %q of %s", mark, c.Kind, c.Name, groupText(c))
	if c.ID != 0 {
		head += fmt.Sprintf(" (rule %d, version %d)", c.ID, c.Version)
	}
	if c.Why != "" {
		head += fmt.Sprintf(": %s; wanted at %s", c.Why, c.At)
	}
	if err := t.screen.Print("%s", t.screen.Paint(style, screen.Clean(head, false))); err != nil {
		return err
	}
	fields := c.Fields
	if c.Kind == ruleplan.Create {
		for _, f := range rulefile.Fields(*c.Rule) {
			fields = append(fields, ruleplan.Field{Name: f.Name, New: rulefile.Text(f.Value)})
		}
	}
	return each(fields, t.showField)
}

const oneLine = 60 // bytes of a field's texts that are shown side by side

func (t *tool) showField(f ruleplan.Field) error {
	old, now := screen.Clean(f.Old, true), screen.Clean(f.New, true)
	several := strings.Contains(old+now, "\n")
	switch {
	case old == "" && !several:
		return t.screen.Print("  %s: %s", f.Name, t.screen.Paint(screen.Green, now))
	case len(old)+len(now) <= oneLine && !several:
		return t.screen.Print("  %s: %s → %s", f.Name, t.screen.Paint(screen.Red, old), t.screen.Paint(screen.Green, cmp.Or(now, "(none)")))
	}
	return t.screen.Print("  %s:%s", f.Name, t.lines(textLines(old), textLines(now)))
}

func textLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(s, "\n"), "\n")
}

// lines are the lines that go and come, between those that both texts begin and end with.
func (t *tool) lines(old, now []string) string {
	first, last := 0, 0
	for first < min(len(old), len(now)) && old[first] == now[first] {
		first++
	}
	for last < min(len(old), len(now))-first && old[len(old)-1-last] == now[len(now)-1-last] {
		last++
	}
	var b strings.Builder
	add := func(style screen.Style, mark string, lines []string) {
		for _, l := range lines {
			b.WriteString("\n" + t.screen.Paint(style, "    "+mark+" "+l))
		}
	}
	add(screen.Plain, " ", old[:first])
	add(screen.Red, "-", old[first:len(old)-last])
	add(screen.Green, "+", now[first:len(now)-last])
	add(screen.Plain, " ", old[len(old)-last:])
	return b.String()
}
