package ctl

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/rulefile"
	"github.com/logmill/logmill/services/api/internal/ctl/ruletest"
	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/rule"
)

func (t *tool) rules() *cobra.Command {
	c := &cobra.Command{Use: "rules", Short: "Alert rules as code: check, test, compare, apply", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(t.rulesCheck(), t.rulesTest(), t.rulesDiff(), t.rulesApply(), t.rulesExport(), t.rulesList(), t.rulesBacktest(), t.rulesSchema())
	return c
}

// showHelp is what a command does that only has sub-commands.
func showHelp(c *cobra.Command, _ []string) error { return c.Help() }

// yamlFiles completes arguments with rule files.
func yamlFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}

func (t *tool) rulesCheck() *cobra.Command {
	explain, strict := false, false
	c := &cobra.Command{Use: "check FILE…", Short: "Check rule files, without a server", Args: cobra.MinimumNArgs(1), ValidArgsFunction: yamlFiles,
		Long: `Check rule files with the parser of the api. Mistakes are named with file, line and column; with -o json each is an object. "-" is standard input.`,
		Example: `  logmillctl rules check rules/*.yaml
  logmillctl rules check --explain rules/shop.yaml`,
		RunE: func(_ *cobra.Command, names []string) error {
			files, err := t.goodRules(names)
			if err != nil {
				return err
			}
			if err := each(files, func(f *rulefile.File) error { return t.good(f, explain) }); err != nil {
				return err
			}
			return t.warn(files, strict)
		}}
	c.Flags().BoolVar(&explain, "explain", false, "say in plain words when each rule fires")
	c.Flags().BoolVar(&strict, "strict", false, "warnings are mistakes")
	return c
}

// warn tells of what is allowed and probably not meant.
func (t *tool) warn(files []*rulefile.File, strict bool) error {
	var warnings []yamldoc.Problem
	for _, f := range files {
		for _, g := range f.Groups {
			for i := range g.Rules {
				warnings = append(warnings, g.Rules[i].Warnings()...)
			}
		}
	}
	if err := t.tell(warnings); strict && len(warnings) > 0 || !errors.Is(err, errNo) {
		return err
	}
	return nil
}

func each[T any](list []T, f func(T) error) error {
	for _, x := range list {
		if err := f(x); err != nil {
			return err
		}
	}
	return nil
}

// explained is a rule and its meaning, for -o json.
type explained struct {
	Name    string `json:"name"`
	Team    string `json:"team"`
	Group   string `json:"group"`
	Explain string `json:"explain"`
}

func (t *tool) good(f *rulefile.File, explain bool) error {
	rules := rulesOf(f)
	if t.output != asJSON {
		if err := t.screen.Print("%s: %s, no mistakes", f.Name, count(len(rules), "rule")); err != nil {
			return err
		}
	}
	if !explain {
		return nil
	}
	return each(rules, func(r rule.Rule) error {
		c, err := rule.Compile("0", 0, r)
		switch {
		case err != nil:
			return fmt.Errorf("rule %q: %w", r.Name, err)
		case t.output == asJSON:
			return t.json(explained{r.Name, r.Team, r.Group, c.Explain()})
		}
		return t.screen.Print("  %s\n    %s", r.Name, c.Explain())
	})
}

func rulesOf(files ...*rulefile.File) (out []rule.Rule) {
	for _, f := range files {
		for _, g := range f.Groups {
			for i := range g.Rules {
				out = append(out, g.Rules[i].Rule)
			}
		}
	}
	return out
}

// count is "1 rule", "2 rules".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (t *tool) rulesSchema() *cobra.Command {
	schemas := map[string][]byte{"rules": rulefile.Schema, "tests": ruletest.Schema}
	return &cobra.Command{Use: "schema {rules|tests}", Short: "Print the JSON Schema of rule or test files, for editors", ValidArgs: []string{"rules", "tests"},
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		Long: `Print the JSON Schema of rule files or test files. An editor with the YAML language server uses it when the file begins with
  # yaml-language-server: $schema=rules.schema.json`,
		RunE: func(_ *cobra.Command, args []string) error {
			_, err := t.env.Out.Write(schemas[args[0]])
			return err
		}}
}
