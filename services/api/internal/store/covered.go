package store

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"

	"github.com/logmill/logmill/shared/rule"
)

// Limits of a look at what matchers would silence.
const (
	maxCovered   = 10_000 // alerts that are looked at: some 10 MB of JSON in MySQL, asked for while somebody types
	shownCovered = 20     // alerts in the answer
)

// CoveredAlert is an alert that a silence would cover.
type CoveredAlert struct {
	ID       string            `json:"id"`
	RuleName string            `json:"rule_name"`
	Severity string            `json:"severity"`
	Labels   map[string]string `json:"labels"`
}

// Covered is what a silence would cover now.
type Covered struct {
	Firing  int            `json:"firing"`
	Pending int            `json:"pending"`
	Alerts  []CoveredAlert `json:"alerts"`  // the newest
	Partial bool           `json:"partial"` // there are more alerts than were looked at
}

// Covered tells which alerts that fire or are pending a silence with these matchers would cover; its fields' mistakes if there are any.
func (s *Store) Covered(ctx context.Context, matchers []rule.Matcher) (out Covered, err error) {
	if err := rule.CheckMatchers(matchers); err != nil {
		return out, err
	}
	match, err := rule.Matching(matchers)
	if err != nil {
		return out, err
	}
	out.Alerts = []CoveredAlert{}
	look := func(a *AlertRow) {
		if !match(silenceLabels(a)) {
			return
		}
		if a.Status == AlertPending {
			out.Pending++
		} else {
			out.Firing++
		}
		if len(out.Alerts) < shownCovered {
			out.Alerts = append(out.Alerts, CoveredAlert{a.ID, a.RuleName, a.Severity, a.Labels})
		}
	}
	if out.Partial, err = s.eachFiring(ctx, look); err != nil {
		return out, err
	}
	pending, err := s.pending(ctx, &AlertFilter{End: 1<<63 - 1})
	for i := range pending {
		look(&pending[i])
	}
	return out, err
}

// eachFiring calls do with the alerts that fire, newest first, with what labels and matchers need of them; more tells that there are others.
func (s *Store) eachFiring(ctx context.Context, do func(*AlertRow)) (more bool, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT fingerprint, starts_ns, rule_id, rule_name, team, severity, JSON_EXTRACT(event, '$.labels') FROM alert_instance WHERE ends_ns = 0 ORDER BY starts_ns DESC LIMIT ?`, maxCovered+1)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for n := 0; rows.Next(); n++ {
		if n == maxCovered {
			return true, nil
		}
		a := AlertRow{Status: AlertActive}
		var raw []byte
		if err := rows.Scan(&a.Fingerprint, &a.starts, &a.RuleID, &a.RuleName, &a.Team, &a.Severity, &raw); err != nil {
			return false, err
		}
		if err := json.Unmarshal(raw, &a.Labels); err != nil {
			return false, err
		}
		a.ID = AlertID(a.Fingerprint, a.starts)
		do(&a)
	}
	return false, rows.Err()
}

// silenceLabels are what matchers see of an alert, as evaluators have it: its labels, and severity, team and rule_id where no label has that name.
func silenceLabels(a *AlertRow) map[string]string {
	out := map[string]string{"severity": a.Severity}
	if a.RuleID != 0 {
		out["rule_id"] = strconv.FormatInt(a.RuleID, 10)
	}
	if a.Team != "" {
		out["team"] = a.Team
	}
	maps.Copy(out, a.Labels)
	return out
}
