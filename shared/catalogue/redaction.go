package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Redaction is what must not be stored.
type Redaction struct {
	Builtin []string `yaml:"builtin"` // Builtins, for every service
	Rules   []Rule   `yaml:"rules"`
}

// Rule replaces what a regular expression finds in texts (message, path, user, attributes), or the whole value of a field.
type Rule struct {
	Name     string   `yaml:"name"`
	Regex    string   `yaml:"regex"`    // RE2
	Field    string   `yaml:"field"`    // message, user_id, request_path or attributes.NAME; alone: its value goes whatever it is
	Replace  string   `yaml:"replace"`  // default: [NAME]; with groups of the regular expression as $1
	Services []string `yaml:"services"` // names, which may end in a star; none: every service
}

// Builtins are redactions that everybody needs.
var Builtins = []string{"card", "email", "token"}

const maxRules = 100 // each is a pass over every text

func (r Redaction) check() (problems []error) {
	for _, b := range r.Builtin {
		if !slices.Contains(Builtins, b) {
			problems = append(problems, fmt.Errorf("redaction %q is not one of %s", b, strings.Join(Builtins, ", ")))
		}
	}
	if len(r.Rules) > maxRules {
		problems = append(problems, fmt.Errorf("%d redaction rules; at most %d are possible", len(r.Rules), maxRules))
	}
	names := map[string]bool{}
	for i, rule := range r.Rules {
		for _, err := range rule.check() {
			problems = append(problems, fmt.Errorf("redaction rule %d (%s): %w", i+1, rule.Name, err))
		}
		if names[rule.Name] {
			problems = append(problems, fmt.Errorf("redaction rule %d: the name %q is there twice", i+1, rule.Name))
		}
		names[rule.Name] = true
	}
	return problems
}

var ruleName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (r Rule) check() (problems []error) {
	if !ruleName.MatchString(r.Name) {
		problems = append(problems, fmt.Errorf("a name is 1–63 of a–z, 0–9, - and _"))
	}
	if r.Regex == "" && r.Field == "" {
		problems = append(problems, fmt.Errorf("it needs regex, field, or both"))
	}
	if _, err := regexp.Compile(r.Regex); err != nil {
		problems = append(problems, err)
	}
	name, isAttribute := strings.CutPrefix(r.Field, "attributes.")
	if r.Field != "" && !slices.Contains([]string{"message", "user_id", "request_path"}, r.Field) && (!isAttribute || name == "") {
		problems = append(problems, fmt.Errorf("field %q is not one of message, user_id, request_path, attributes.NAME", r.Field))
	}
	for _, s := range r.Services {
		if err := pattern(s); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}
