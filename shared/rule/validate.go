package rule

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/rule/expr"
)

// FieldError is a mistake in a field of a rule. For the expressions, Pos and Len say where in the text (bytes, from 0); Pos is -1 elsewhere.
type FieldError struct {
	Field    string
	Message  string
	Pos, Len int
}

func (e *FieldError) Error() string {
	if e.Pos >= 0 {
		return fmt.Sprintf("%s, at %d: %s", e.Field, e.Pos+1, e.Message)
	}
	return e.Field + ": " + e.Message
}

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Message: fmt.Sprintf(format, args...), Pos: -1}
}

// textError keeps the place of an expression's mistake.
func textError(field string, err error) error {
	var at *expr.Error
	if errors.As(err, &at) {
		return &FieldError{Field: field, Message: at.Message, Pos: at.Pos, Len: at.Len}
	}
	return fieldError(field, "%v", err)
}

var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// Validate checks a normalized rule and returns all mistakes joined, each a *FieldError.
func (r *Rule) Validate() error {
	_, err := Compile("0", 0, *r)
	return err
}

// checkFields checks all that is not an expression.
func (r *Rule) checkFields() []error {
	var p []error
	add := func(bad bool, field, format string, args ...any) {
		if bad {
			p = append(p, fieldError(field, format, args...))
		}
	}
	add(strings.TrimSpace(r.Name) == "", "name", "is missing")
	add(len(r.Name) > MaxNameBytes, "name", "is longer than %d bytes", MaxNameBytes)
	add(len(r.Group) > MaxNameBytes || strings.ContainsFunc(r.Group, func(c rune) bool { return c < ' ' }), "group", "must be plain text of at most %d bytes", MaxNameBytes)
	add(!utf8.ValidString(r.Name+r.Description+r.Team+r.Group) || strings.ContainsFunc(r.Name, func(c rune) bool { return c < ' ' }), "name", "must be plain text")
	add(len(r.Description) > MaxTextBytes, "description", "is longer than %d bytes", MaxTextBytes)
	add(len(r.Team) > MaxLabelBytes, "team", "is longer than %d bytes", MaxLabelBytes)
	add(!slices.Contains(Operators, r.Operator), "operator", "%q is not one of %s", clip(r.Operator), strings.Join(Operators, " "))
	add(!finite(r.Threshold), "threshold", "must be a finite number")
	add(!slices.Contains(Severities, r.Severity), "severity", "%q is not one of %s", clip(r.Severity), strings.Join(Severities, " "))
	add(!slices.Contains([]string{NoDataOK, NoDataKeep, NoDataFiring}, r.NoData), "no_data", "%q is not one of ok keep firing", clip(r.NoData))
	add(r.MinSamples < 1, "min_samples", "must be at least 1")
	p = append(p, r.checkResolve(), r.checkWindow(), checkRange("for", r.For, 0, MaxFor), checkRange("keep_firing_for", r.KeepFiringFor, 0, MaxFor),
		checkRange("repeat_interval", *r.RepeatInterval, 0, MaxFor), checkRange("group_retention", r.GroupRetention, time.Minute, MaxGroupRetention))
	p = append(p, checkTexts("labels", r.Labels, MaxLabelBytes)...)
	p = append(p, checkTexts("annotations", r.Annotations, MaxTextBytes)...)
	if r.RunbookURL != "" {
		u, err := url.Parse(r.RunbookURL)
		add(err != nil || u.Scheme != "http" && u.Scheme != "https" || len(r.RunbookURL) > MaxTextBytes, "runbook_url", "must be an http or https address")
	}
	return p
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// checkResolve: a resolve threshold on the wrong side would resolve what fires, or never.
func (r *Rule) checkResolve() error {
	if r.ResolveThreshold == nil {
		return nil
	}
	v := *r.ResolveThreshold
	switch {
	case !finite(v):
		return fieldError("resolve_threshold", "must be a finite number")
	case strings.HasPrefix(r.Operator, ">") && v > r.Threshold:
		return fieldError("resolve_threshold", "must not be above the threshold")
	case strings.HasPrefix(r.Operator, "<") && v < r.Threshold:
		return fieldError("resolve_threshold", "must not be below the threshold")
	case r.Operator == "=" || r.Operator == "!=":
		return fieldError("resolve_threshold", "has no meaning with %s", r.Operator)
	}
	return nil
}

func (r *Rule) checkWindow() error {
	w := time.Duration(r.TimeWindow)
	switch {
	case w < MinWindow || w > MaxWindow:
		return fieldError("time_window", "must be between %s and %s", Duration(MinWindow), Duration(MaxWindow))
	case w <= minuteWindow && w%time.Second != 0:
		return fieldError("time_window", "must be whole seconds")
	case w > minuteWindow && w%windowStep != 0:
		return fieldError("time_window", "above a minute it must be a multiple of %s", Duration(windowStep))
	}
	return nil
}

func checkRange(field string, d Duration, least, most time.Duration) error {
	if v := time.Duration(d); v < least || v > most {
		return fieldError(field, "must be between %s and %s", Duration(least), Duration(most))
	}
	return nil
}

func checkTexts(field string, m map[string]string, most int) (p []error) {
	if len(m) > MaxLabels {
		p = append(p, fieldError(field, "has more than %d entries", MaxLabels))
	}
	for k, v := range m {
		if !labelName.MatchString(k) || len(k) > MaxLabelBytes {
			p = append(p, fieldError(field, "%q is not a name of letters, digits and _", clip(k)))
		}
		if len(v) > most || !utf8.ValidString(v) {
			p = append(p, fieldError(field, "the value of %s is longer than %d bytes or not valid UTF-8", clip(k), most))
		}
	}
	return p
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
