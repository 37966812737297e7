package ctl

import (
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/rule"
)

// ruleChoice chooses rules of the server.
type ruleChoice struct{ team, group string }

func (s *ruleChoice) flags(t *tool, c *cobra.Command) {
	c.Flags().StringVar(&s.team, "team", "", "only rules of this team")
	c.Flags().StringVar(&s.group, "group", "", "only rules of this group")
	completeBy(c, "team", t.teams)
}

func (t *tool) chosen(c *cobra.Command, s ruleChoice) ([]ruleRow, error) {
	rows, err := t.serverRules(c.Context(), s.team)
	if err != nil || s.group == "" {
		return rows, err
	}
	var out []ruleRow
	for _, r := range rows {
		if r.Group == s.group {
			out = append(out, r)
		}
	}
	return out, nil
}

func (t *tool) rulesExport() *cobra.Command {
	var s ruleChoice
	c := &cobra.Command{Use: "export [FILE]", Short: "Write the server's rules as a rule file", Args: cobra.MaximumNArgs(1), ValidArgsFunction: yamlFiles,
		Long: `Write the server's rules as a rule file, to standard output unless a file is named. Applying it changes nothing. What has its default is left out.
Rules that were made by hand are in groups without a name; name the groups to have them managed by the file.`,
		Example: `  logmillctl rules export --team shop rules/shop.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			rows, err := t.chosen(c, s)
			if err != nil {
				return err
			}
			rules := make([]rule.Rule, len(rows))
			for i := range rows {
				rules[i] = rows[i].Rule
			}
			out, err := rulefile.Write(rulefile.ByGroup(rules))
			if err != nil {
				return err
			}
			return t.write(append(args, "-")[0], out)
		}}
	s.flags(t, c)
	return c
}

func (t *tool) rulesList() *cobra.Command {
	var s ruleChoice
	c := &cobra.Command{Use: "list", Short: "List the server's rules", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		rows, err := t.chosen(c, s)
		if err != nil {
			return err
		}
		if t.output != asTable {
			return each(rows, func(r ruleRow) error { return t.line(r.raw) })
		}
		table := screen.Table{Head: []string{"ID", "NAME", "TEAM", "GROUP", "SEVERITY", "STATE", "WINDOW", "CONDITION"}}
		for _, r := range rows {
			cell := func(text string) screen.Cell { return screen.Cell{Text: text} }
			table.Rows = append(table.Rows, []screen.Cell{cell(strconv.FormatInt(r.ID, 10)), cell(r.Name), cell(r.Team), cell(r.Group), {Text: r.Severity, Style: severityStyle(r.Severity)},
				{Text: r.State, Style: ruleStyle(r.State)}, cell(rule.Duration(r.TimeWindow).String()), cell(r.Condition + " " + r.Operator + " " + strconv.FormatFloat(r.Threshold, 'g', -1, 64))})
		}
		return t.screen.Write(table)
	}}
	s.flags(t, c)
	return c
}

// backtested is what a rule would have done.
type backtested struct {
	Rule   string `json:"rule"`
	Alerts []struct {
		StartsAt time.Time         `json:"starts_at"`
		EndsAt   *time.Time        `json:"ends_at"`
		Labels   map[string]string `json:"labels"`
		Value    *float64          `json:"value"`
		Peak     *float64          `json:"peak"`
		Reason   string            `json:"reason"`
		Evidence []evidenceRow     `json:"evidence"`
	} `json:"alerts"`
	Rows         int64     `json:"rows"`
	Partial      bool      `json:"partial"`
	Reason       string    `json:"partial_reason,omitempty"`
	CoveredUntil time.Time `json:"covered_until"`
	TookMS       int64     `json:"took_ms"`
}

func (t *tool) rulesBacktest() *cobra.Command {
	name, q := "", url.Values{}
	var start, end string
	c := &cobra.Command{Use: "backtest FILE…", Short: "Ask the server when rules would have fired", Args: cobra.MinimumNArgs(1), ValidArgsFunction: yamlFiles,
		Long:    "Run the rules of files over the lines that the server has stored, with the evaluator's engine. Nothing is changed on the server.",
		Example: `  logmillctl rules backtest --start now-7d --rule 'checkout errors' rules/shop.yaml`,
		RunE: func(c *cobra.Command, files []string) error {
			set(q, "start", moment(start))
			set(q, "end", moment(end))
			return t.backtest(c, files, name, q)
		}}
	c.Flags().StringVar(&name, "rule", "", "only the rule of this name")
	c.Flags().StringVar(&start, "start", "now-24h", "from when")
	c.Flags().StringVar(&end, "end", "", "until when (now)")
	return c
}

// set sets a parameter that was given.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func (t *tool) backtest(c *cobra.Command, names []string, only string, q url.Values) error {
	files, err := t.goodRules(names)
	if err != nil {
		return err
	}
	partial, found := false, false
	for _, r := range rulesOf(files...) {
		if only != "" && r.Name != only {
			continue
		}
		found = true
		b, err := t.runBacktest(c.Context(), r.Name, r, q)
		if err != nil {
			return err
		}
		if err := t.showBacktest(b); err != nil {
			return err
		}
		if b.Partial {
			partial = true
			t.screen.Note("%q: only until %s: %s", r.Name, t.time(b.CoveredUntil), b.Reason)
		}
	}
	switch {
	case !found:
		t.screen.Note("the files have no rule %q", only)
		return errNo
	case partial:
		return errPartial
	}
	return nil
}

func (t *tool) showBacktest(b backtested) error {
	if t.output != asTable {
		return t.json(b)
	}
	if err := t.screen.Print("%s: %s in %s", t.screen.Paint(screen.Bold, screen.Clean(b.Rule, false)), count(len(b.Alerts), "alert"), count(int(b.Rows), "line")); err != nil || len(b.Alerts) == 0 {
		return err
	}
	table := screen.Table{Head: []string{"STARTS", "ENDS", "VALUE", "PEAK", "LABELS"}}
	for _, a := range b.Alerts {
		ends := "still firing"
		if a.EndsAt != nil {
			ends = t.time(*a.EndsAt)
		}
		table.Rows = append(table.Rows, []screen.Cell{{Text: t.time(a.StartsAt)}, {Text: ends}, {Text: number(a.Value)}, {Text: number(a.Peak)}, {Text: labelText(a.Labels)}})
	}
	return t.screen.Write(table)
}
