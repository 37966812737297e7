// Package rule is what an alert rule is: its fields, their checks, and what the engine needs of it (Compiled). The language of
// conditions is package expr, the engine package engine.
package rule

import "time"

// Severities, mildest first.
var Severities = []string{"low", "medium", "high", "critical"}

// Operators between the condition's value and the threshold.
var Operators = []string{">", ">=", "<", "<=", "=", "!="}

// What to do when the condition's value is NULL.
const (
	NoDataOK     = "ok"     // as if the condition were false
	NoDataKeep   = "keep"   // as it was
	NoDataFiring = "firing" // as if the condition were true, with reason no_data
)

// Rule is an alert rule as people write it. Zero values are defaults, see Normalize.
type Rule struct {
	Name             string            `json:"name"`
	Description      string            `json:"description,omitempty"`
	Team             string            `json:"team,omitempty"`
	Group            string            `json:"group,omitempty"`    // of the rule file that manages it, "" when none does
	Condition        string            `json:"condition"`          // a SQL aggregate expression
	Filter           string            `json:"filter,omitempty"`   // a SQL expression over single records
	GroupBy          []string          `json:"group_by,omitempty"` // columns or attributes['name']: an alert each
	Operator         string            `json:"operator"`
	Threshold        float64           `json:"threshold"`
	ResolveThreshold *float64          `json:"resolve_threshold,omitempty"` // firing goes on until the value is past this one as well
	TimeWindow       Window            `json:"time_window"`
	For              Duration          `json:"for,omitempty"`
	KeepFiringFor    Duration          `json:"keep_firing_for,omitempty"`
	NoData           string            `json:"no_data,omitempty"`
	MinSamples       int64             `json:"min_samples,omitempty"`
	RepeatInterval   *Duration         `json:"repeat_interval,omitempty"` // nil = 4 h, 0 = never
	GroupRetention   Duration          `json:"group_retention,omitempty"` // 0 = 24 h
	Severity         string            `json:"severity"`
	Labels           map[string]string `json:"labels,omitempty"`
	Annotations      map[string]string `json:"annotations,omitempty"`
	RunbookURL       string            `json:"runbook_url,omitempty"`
	Enabled          bool              `json:"enabled"`
}

// Parse reads one rule from JSON; Enabled is true unless said otherwise. The rule is not yet checked. Errors as of Strict.
func Parse(data []byte) (Rule, error) {
	r := Rule{Enabled: true}
	if err := Strict(data, &r); err != nil {
		return Rule{}, err
	}
	return r, nil
}

// Normalize sets the defaults.
func (r *Rule) Normalize() {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&r.Operator, ">=")
	set(&r.Severity, "medium")
	set(&r.NoData, NoDataOK)
	if r.TimeWindow == 0 {
		r.TimeWindow = Window(5 * time.Minute)
	}
	if r.MinSamples == 0 {
		r.MinSamples = 1
	}
	if r.RepeatInterval == nil {
		d := Duration(4 * time.Hour)
		r.RepeatInterval = &d
	}
	if r.GroupRetention == 0 {
		r.GroupRetention = Duration(24 * time.Hour)
	}
}
