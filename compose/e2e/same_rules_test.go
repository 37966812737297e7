package e2e

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
)

// version is a rule from a part of the history on.
type version struct {
	from    float64
	rule    rule.Rule
	deleted bool
}

// proofRules are rules of every kind, some of which change on the way. A rule's id is its place, from 1.
func proofRules() [][]version {
	sec := func(n int) rule.Duration { return rule.Duration(time.Duration(n) * time.Second) }
	window := func(n int) rule.Window { return rule.Window(time.Duration(n) * time.Second) }
	errors := "COUNT(CASE WHEN level = 'error' THEN 1 END)"
	ratio := errors + " * 100.0 / COUNT(*)"
	service := []string{"service"}
	low, five := 10.0, sec(300)
	rules := []rule.Rule{
		{Condition: errors, Filter: "service = 'checkout'", Threshold: 20, TimeWindow: window(30)},
		{Condition: ratio, GroupBy: service, Threshold: 20, ResolveThreshold: &low, TimeWindow: window(60), MinSamples: 10, For: sec(5), KeepFiringFor: sec(10)},
		{Condition: "AVG(response_time_ms)", Filter: "service = 'payments'", Operator: ">", Threshold: 800, TimeWindow: window(60)},
		{Condition: "P95(response_time_ms)", GroupBy: service, Operator: ">", Threshold: 1500, TimeWindow: window(120)},
		{Condition: "COUNT(*)", GroupBy: service, Operator: "<", Threshold: 1, TimeWindow: window(30)},
		{Condition: "COUNT(CASE WHEN level = 'fatal' THEN 1 END)", GroupBy: service, Threshold: 1, TimeWindow: window(60), Severity: "critical"},
		{Condition: ratio, Threshold: 15, TimeWindow: window(60), For: sec(5)},
		{Condition: "COUNT(DISTINCT service)", Operator: "<", Threshold: 6, TimeWindow: window(15)},
		{Condition: "COUNT(DISTINCT message)", GroupBy: service, Threshold: 60, TimeWindow: window(60)},
		{Condition: "MAX(response_time_ms)", GroupBy: service, Operator: ">", Threshold: 3000, TimeWindow: window(15)},
		{Condition: "(COUNT(CASE WHEN response_status >= 200 AND response_status < 300 THEN 1 END) * 100.0) / COUNT(CASE WHEN response_status IS NOT NULL THEN 1 END)",
			Operator: "<", Threshold: 90, TimeWindow: window(30), NoData: rule.NoDataFiring},
		{Condition: errors, GroupBy: []string{"attributes['region']"}, Threshold: 25, TimeWindow: window(60)},
		{Condition: "P99(response_time_ms)", Operator: ">", Threshold: 1200, TimeWindow: window(60), NoData: rule.NoDataKeep},
		{Condition: "COUNT(*)", Threshold: 1, TimeWindow: window(10), RepeatInterval: &five},
		{Condition: "COUNT(*)", GroupBy: []string{"user_id"}, Threshold: 75, TimeWindow: window(60)},
		{Condition: errors, Filter: "request_path LIKE '%/1%' AND level IN ('warn', 'error')", GroupBy: []string{"service", "request_path"}, Threshold: 2, TimeWindow: window(60)},
		{Condition: "SUM(response_time_ms) - MIN(response_time_ms)", Filter: "service = 'payments'", Operator: ">", Threshold: 100000, TimeWindow: window(60), For: sec(10)},
	}
	out := make([][]version, len(rules))
	for i, r := range rules {
		out[i] = []version{{rule: r}}
	}
	change := func(id int, from float64, f func(*rule.Rule)) {
		vs := out[id-1]
		next := vs[len(vs)-1]
		next.from = from
		f(&next.rule)
		out[id-1] = append(vs, next)
	}
	change(1, 0.115, func(r *rule.Rule) { r.Threshold, r.Severity = 25, "critical" }) // while it fires
	change(1, 0.81, func(r *rule.Rule) { r.TimeWindow = window(20) })
	change(2, 0.50, func(r *rule.Rule) { r.Filter = "level <> 'warn'" })
	change(7, 0.56, func(r *rule.Rule) { r.Threshold = 10 })
	out[13] = append(out[13], version{from: 0.5, rule: rules[13], deleted: true})
	return out
}

// addRules writes the rules, and two things that people do, as the api does; each is in force from its place in the history on.
func (p *proof) addRules(db *mysqlx.DB) {
	p.t.Helper()
	exec := func(query string, args ...any) {
		_, err := db.Text.Exec(query, args...)
		require.NoError(p.t, err)
	}
	at := func(part float64) int64 { return p.at(part).UnixNano() }
	seq := 100 // above the samples
	for i, versions := range proofRules() {
		id := i + 1
		for n, v := range versions {
			raw := p.definition(id, v.rule)
			if seq++; n == 0 {
				exec(`INSERT INTO alert_rule (id, name, version, definition, created_at, updated_at) VALUES (?, ?, 1, ?, NOW(6), NOW(6))`, id, ruleName(id), raw)
			}
			exec(`INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, created_at) VALUES (?, ?, ?, ?, ?, ?, NOW(6))`, seq, id, n+1, at(v.from), raw, v.deleted)
		}
	}
	for _, c := range []struct {
		part          float64
		kind          string
		rule, service string
	}{{0.125, "acknowledge", "1", ""}, {0.13, "note", "1", ""}, {0.24, "resolve", "3", ""}, {0.34, "acknowledge", "5", "search"}} {
		group := map[string]string{}
		if c.service != "" {
			group["service"] = c.service
		}
		seq++
		exec(`INSERT INTO alert_command (seq, effective_ns, kind, fingerprint, starts_ns, who, note, created_at) VALUES (?, ?, ?, ?, 0, 'ann', 'looking at it', NOW(6))`,
			seq, at(c.part), c.kind, rule.Fingerprint(c.rule, group))
	}
	exec(`UPDATE rule_clock SET seq = ?`, seq)
}

func ruleName(id int) string { return fmt.Sprintf("rule %d", id) }

func (p *proof) definition(id int, r rule.Rule) string {
	p.t.Helper()
	r.Name, r.Enabled = ruleName(id), true
	r.Normalize()
	require.NoError(p.t, r.Validate())
	raw, err := json.Marshal(r)
	require.NoError(p.t, err)
	return string(raw)
}
