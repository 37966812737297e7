// Package redact takes out of records what must not be stored: card numbers, e-mail addresses, tokens, and what an installation's own rules
// find. It runs after enrichment and before the block is built, so that nothing of it reaches MySQL, logs.enriched or an alert's evidence.
// logs.raw still has the line, for as long as it keeps it.
//
// Built-ins look for a byte that their finds cannot do without before anything else: text without one costs a scan at memory speed.
package redact

import (
	"regexp"
	"strings"

	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/logrec"
)

// Redactor redacts. Not safe for concurrent use.
type Redactor struct {
	builtin []func(string) (string, int)
	names   []string // of builtin
	rules   []rule
	found   map[string]int

	service string // of the record before
	active  []*rule
}

type rule struct {
	catalogue.Rule
	re        *regexp.Regexp // nil: the whole value
	attribute string         // of Field; "" = it is no attribute
	replace   string
}

// New makes a Redactor of a checked Redaction.
func New(r catalogue.Redaction) *Redactor {
	out := &Redactor{found: map[string]int{}, service: "\xff"}
	for _, b := range r.Builtin {
		out.builtin, out.names = append(out.builtin, builtins[b]), append(out.names, b)
	}
	for _, c := range r.Rules {
		x := rule{Rule: c, replace: c.Replace}
		if c.Regex != "" {
			x.re = regexp.MustCompile(c.Regex) // checked when it was read
		}
		x.attribute, _ = strings.CutPrefix(c.Field, "attributes.")
		if x.attribute == c.Field {
			x.attribute = ""
		}
		if x.replace == "" {
			x.replace = "[" + c.Name + "]"
		}
		out.rules = append(out.rules, x)
	}
	return out
}

// Empty tells whether there is nothing to do.
func (r *Redactor) Empty() bool { return len(r.builtin)+len(r.rules) == 0 }

// Take returns how often each rule found something since the last call.
func (r *Redactor) Take() map[string]int {
	if len(r.found) == 0 {
		return nil
	}
	out := r.found
	r.found = map[string]int{}
	return out
}

// Record redacts a record's texts in place. Attributes may lie in an array that other records share, each its part of it.
func (r *Redactor) Record(rec *logrec.Record) {
	if rec.Service != r.service {
		r.choose(rec.Service)
	}
	r.text("message", "", &rec.Message)
	r.text("user_id", "", &rec.UserID)
	r.text("request_path", "", &rec.RequestPath)
	for i := range rec.Attributes {
		if a := &rec.Attributes[i]; a.Kind == logrec.String {
			r.text("", a.Key, &a.Value)
		} else if x := r.whole(a.Key); x != nil {
			a.Kind, a.Value = logrec.String, x.replace
			r.found[x.Name]++
		}
	}
}

// choose finds the rules of a service.
func (r *Redactor) choose(service string) {
	r.service, r.active = strings.Clone(service), r.active[:0]
	for i := range r.rules {
		x := &r.rules[i]
		all := len(x.Services) == 0
		for _, name := range x.Services {
			all = all || catalogue.Match(name, service)
		}
		if all {
			r.active = append(r.active, x)
		}
	}
}

// whole is the rule that takes an attribute's value whatever it is.
func (r *Redactor) whole(key string) *rule {
	for _, x := range r.active {
		if x.re == nil && x.attribute == key {
			return x
		}
	}
	return nil
}

func (r *Redactor) text(field, attribute string, s *string) {
	if *s == "" {
		return
	}
	for i, f := range r.builtin {
		if out, n := f(*s); n > 0 {
			*s = out
			r.found[r.names[i]] += n
		}
	}
	for _, x := range r.active {
		if x.Field != "" && (x.attribute != attribute || x.attribute == "" && x.Field != field) {
			continue
		}
		switch {
		case x.re == nil:
			*s = x.replace
		case x.re.MatchString(*s):
			*s = x.re.ReplaceAllString(*s, x.replace)
		default:
			continue
		}
		r.found[x.Name]++
	}
}
