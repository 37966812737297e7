package ctl

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/ruletest"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/services/api/internal/ctl/yamldoc"
	"github.com/logmill/logmill/shared/rule"
)

// maxInput is what is read of a file of log lines; what is longer is a mistake that the test reports.
const maxInput = 64 << 20

// testFlags are the flags of rules test.
type testFlags struct {
	run, junit string
	verbose    bool
}

func (t *tool) rulesTest() *cobra.Command {
	var f testFlags
	c := &cobra.Command{Use: "test FILE…", Short: "Run tests of rules, without a server", Args: cobra.MinimumNArgs(1), ValidArgsFunction: yamlFiles,
		Long: `Run tests of rules: log lines at given times go in, and the alerts at given times are compared with what is expected. It is the engine of the
alert-evaluator, in event time, so a test of hours takes milliseconds. The files are described in docs/rules-as-code.md.`,
		Example: `  logmillctl rules test rules/*_test.yaml
  logmillctl rules test --run 'declined' --junit report.xml rules/shop_test.yaml`,
		RunE: func(_ *cobra.Command, names []string) error { return t.runTests(f, names) }}
	c.Flags().StringVar(&f.run, "run", "", "only tests whose name matches this regular expression")
	c.Flags().StringVar(&f.junit, "junit", "", "also write a JUnit XML report to this file")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "name the tests that pass as well")
	return c
}

func (t *tool) runTests(f testFlags, names []string) error {
	match, err := regexp.Compile(f.run)
	if err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	var results []ruletest.Result
	var problems []yamldoc.Problem
	for _, name := range names {
		got, wrong, err := t.testFile(name, match.MatchString)
		if err != nil {
			return err
		}
		results, problems = append(results, got...), append(problems, wrong...)
	}
	switch {
	case len(problems) > 0:
		return t.tell(problems)
	case len(results) == 0:
		return fmt.Errorf("no test was run: %s", map[bool]string{true: "the files have none", false: "none has a name that matches --run"}[f.run == ""])
	}
	if f.junit != "" {
		if err := t.write(f.junit, junit(results)); err != nil {
			return err
		}
	}
	return t.report(results, f.verbose)
}

// testFile runs the tests of one file. Mistakes in it, or in the rules that it is about, are problems.
func (t *tool) testFile(name string, match func(string) bool) ([]ruletest.Result, []yamldoc.Problem, error) {
	src, err := t.read(name, yamldoc.MaxBytes)
	if err != nil {
		return nil, nil, err
	}
	f, problems := ruletest.Parse(name, src)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	beside := func(other string) string {
		if filepath.IsAbs(other) {
			return other
		}
		return filepath.Join(filepath.Dir(name), other)
	}
	var ruleFiles []string
	for _, r := range f.RuleFiles {
		ruleFiles = append(ruleFiles, beside(r))
	}
	files, problems, err := t.readRules(ruleFiles)
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	results, problems := f.Run(rulesOf(files...), func(other string) ([]byte, error) { return t.read(beside(other), maxInput) }, match)
	return results, problems, nil
}

func (t *tool) report(results []ruletest.Result, verbose bool) error {
	failed := 0
	for _, r := range results {
		if len(r.Failures) > 0 {
			failed++
		}
		var err error
		switch {
		case t.output == asJSON:
			err = t.json(r)
		case len(r.Failures) > 0:
			err = t.failure(r)
		case verbose:
			err = t.screen.Print("%s  %s: %s (%s)", t.screen.Paint(screen.Green, "ok  "), r.File, r.Name, count(r.Lines, "line"))
		}
		if err != nil {
			return err
		}
	}
	if t.output != asJSON {
		if err := t.screen.Print("%s: %d passed, %d failed", count(len(results), "test"), len(results)-failed, failed); err != nil {
			return err
		}
	}
	if failed > 0 {
		return errNo
	}
	return nil
}

func (t *tool) failure(r ruletest.Result) error {
	if err := t.screen.Print("%s  %s: %s", t.screen.Paint(screen.Red, "FAIL"), r.File, r.Name); err != nil {
		return err
	}
	return each(r.Failures, func(f ruletest.Failure) error {
		if err := t.screen.Print("      %s", where(f)); err != nil {
			return err
		}
		return each(f.Diff, func(line string) error {
			style := map[string]screen.Style{"-": screen.Red, "+": screen.Green, "~": screen.Yellow}[line[:1]]
			return t.screen.Print("        %s", t.screen.Paint(style, screen.Clean(line, false)))
		})
	})
}

func where(f ruletest.Failure) string {
	s := fmt.Sprintf("%s: after %s", f.Position, rule.Duration(f.After))
	if f.Rule != "" {
		s += ", " + strings.TrimSpace(f.Rule)
	}
	return s
}
