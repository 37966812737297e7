package ctl

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/rule"
)

// alertRow is an alert as the api answers it.
type alertRow struct {
	ID             string            `json:"id"`
	Fingerprint    string            `json:"fingerprint"`
	RuleID         int64             `json:"rule_id"`
	RuleName       string            `json:"rule_name"`
	Team           string            `json:"team"`
	Severity       string            `json:"severity"`
	Status         string            `json:"status"`
	Value          *float64          `json:"value"`
	Peak           *float64          `json:"peak"`
	Threshold      float64           `json:"threshold"`
	Operator       string            `json:"operator"`
	StartsAt       time.Time         `json:"starts_at"`
	EndsAt         *time.Time        `json:"ends_at"`
	FiresAt        *time.Time        `json:"fires_at"`
	Reason         string            `json:"reason"`
	AcknowledgedBy string            `json:"acknowledged_by"`
	Note           string            `json:"note"`
	SilencedBy     string            `json:"silenced_by"`
	Labels         map[string]string `json:"labels"`
	Evidence       []evidenceRow     `json:"evidence"`
	History        []historyRow      `json:"history"`
}

type evidenceRow struct {
	Timestamp time.Time `json:"timestamp"`
	Service   string    `json:"service"`
	Level     string    `json:"level"`
	Message   string    `json:"message"`
	LogID     string    `json:"log_id"`
}

type historyRow struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Who  string    `json:"who"`
	Note string    `json:"note"`
}

func (t *tool) alerts() *cobra.Command {
	c := &cobra.Command{Use: "alerts", Short: "Alerts: list, show, acknowledge, resolve, note, silence", Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(t.alertsList(), t.alertsShow(), t.alertsHandle("ack", "acknowledge", "Say that you look after alerts"),
		t.alertsHandle("resolve", "resolve", "Resolve alerts by hand: they stay silent until their condition has been false"), t.alertsNote(), t.alertsSilence())
	return c
}

var (
	alertStates = []string{"pending", "active", "acknowledged", "resolved"}
	openStates  = alertStates[1:3]
)

// alertChoice chooses alerts.
type alertChoice struct {
	states, severities  []string
	service, team, rule string
	start, end          string
	silenced            string   // true or false
	labels              []string // name=value or name!=value
	extent
}

func (a *alertChoice) flags(t *tool, c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&a.states, "state", openStates, "pending, active, acknowledged, resolved")
	f.StringSliceVar(&a.severities, "severity", nil, "low, medium, high, critical")
	f.StringVar(&a.service, "service", "", "only of this service")
	f.StringVar(&a.team, "team", "", "only of this team")
	f.StringVar(&a.rule, "rule", "", "only of the rule of this name or id")
	f.StringVar(&a.start, "start", "", "that fired at some time since (now-7d)")
	f.StringVar(&a.end, "end", "", "that fired at some time before (now)")
	f.StringArrayVarP(&a.labels, "label", "l", nil, "only with this label: name=value or name!=value")
	f.StringVar(&a.silenced, "silenced", "", "true: only silenced ones; false: none of them")
	a.extent.flags(c, "alerts")
	completeBy(c, "team", t.teams)
	completeBy(c, "service", t.serviceNames)
	complete(c, "silenced", []string{"true", "false"})
	complete(c, "state", alertStates)
	complete(c, "severity", rule.Severities)
}

func (a *alertChoice) query() url.Values {
	q := url.Values{}
	set(q, "state", strings.Join(a.states, ","))
	set(q, "severity", strings.Join(a.severities, ","))
	set(q, "service", a.service)
	set(q, "team", a.team)
	set(q, "start", moment(a.start))
	set(q, "end", moment(a.end))
	set(q, "rule", a.rule)
	set(q, "silenced", a.silenced)
	q["label"] = a.labels
	return q
}

var alertsPath = []string{"api", "alerts"}

func (t *tool) alertsList() *cobra.Command {
	var a alertChoice
	c := &cobra.Command{Use: "list", Short: "List alerts, newest first", Args: cobra.NoArgs, Long: "List alerts, newest first: those that fire, unless --state says otherwise.",
		Example: `  logmillctl alerts list --team shop --severity high,critical
  logmillctl alerts list --state resolved --start now-1d -o json`,
		RunE: func(c *cobra.Command, _ []string) error {
			table := screen.Table{Head: []string{"ID", "STATE", "SEVERITY", "STARTS", "VALUE", "TEAM", "RULE", "LABELS"}}
			err := t.list(c.Context(), listing{alertsPath, "alerts", a.query(), a.extent}, func(raw json.RawMessage) error {
				if t.output == asJSON {
					return t.line(raw)
				}
				var r alertRow
				if err := json.Unmarshal(raw, &r); err != nil {
					return err
				}
				table.Rows = append(table.Rows, t.alertCells(&r))
				return nil
			})
			if err != nil || t.output != asTable {
				return err
			}
			return t.screen.Write(table)
		}}
	a.flags(t, c)
	return c
}

// shortID is as much of a fingerprint as people have to type.
const shortID = 10

func (t *tool) alertCells(r *alertRow) []screen.Cell {
	state, style := r.Status, screen.Red
	switch {
	case r.Status == "resolved":
		style = screen.Green
	case r.SilencedBy != "":
		state, style = state+", silenced", screen.Dim
	case r.Status == "acknowledged", r.Status == "pending":
		style = screen.Yellow
	}
	return []screen.Cell{{Text: r.ID[:min(shortID, len(r.ID))]}, {Text: state, Style: style}, {Text: r.Severity, Style: severityStyle(r.Severity)}, {Text: t.time(r.StartsAt)}, {Text: number(r.Value)}, {Text: r.Team}, {Text: r.RuleName}, {Text: labelText(r.Labels)}}
}

// labelText is a=b c=d, without the rule's name.
func labelText(labels map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if k != "alertname" {
			parts = append(parts, k+"="+labels[k])
		}
	}
	return strings.Join(parts, " ")
}

func (t *tool) alertsShow() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show an alert with its lines and its history", Args: cobra.ExactArgs(1), ValidArgsFunction: t.alertIDs,
		RunE: func(c *cobra.Command, args []string) error {
			id, err := t.alertID(c.Context(), args[0])
			if err != nil {
				return err
			}
			raw, err := t.api.Do(c.Context(), client.Request{Path: append(slices.Clone(alertsPath), id)})
			if err != nil {
				return err
			}
			return t.alert(raw)
		}}
}

// alert shows one alert.
func (t *tool) alert(raw json.RawMessage) error {
	if t.output != asTable {
		return t.line(compact(raw))
	}
	var r alertRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading the alert: %w", err)
	}
	cells := t.alertCells(&r)
	ends := "still firing"
	switch {
	case r.EndsAt != nil:
		ends = t.time(*r.EndsAt) + " (" + r.Reason + ")"
	case r.FiresAt != nil:
		ends = "fires at " + t.time(*r.FiresAt) + " if it goes on"
	}
	lines := [][2]string{{"alert", r.ID}, {"rule", fmt.Sprintf("%s (%d)", r.RuleName, r.RuleID)}, {"team", r.Team}, {"severity", r.Severity}, {"state", cells[1].Text}, {"starts", t.time(r.StartsAt)}, {"ends", ends},
		{"value", fmt.Sprintf("%s (peak %s, fires at %s %g)", number(r.Value), number(r.Peak), r.Operator, r.Threshold)}, {"labels", labelText(r.Labels)}, {"acknowledged", r.AcknowledgedBy}, {"silenced by", r.SilencedBy}, {"note", r.Note}}
	for _, l := range lines {
		if l[1] == "" {
			continue
		}
		if err := t.screen.Print("%s %s", t.screen.Paint(screen.Dim, fmt.Sprintf("%-12s", l[0])), screen.Clean(l[1], true)); err != nil {
			return err
		}
	}
	return t.story(&r)
}

// story is an alert's lines and history.
func (t *tool) story(r *alertRow) error {
	if len(r.Evidence) > 0 {
		table := screen.Table{Head: []string{"LINES", "LEVEL", "SERVICE", "MESSAGE"}}
		for _, e := range r.Evidence {
			table.Rows = append(table.Rows, []screen.Cell{{Text: t.time(e.Timestamp)}, {Text: e.Level, Style: levelStyle(e.Level)}, {Text: e.Service}, {Text: e.Message}})
		}
		if err := t.screen.Write(table); err != nil {
			return err
		}
	}
	if len(r.History) == 0 {
		return nil
	}
	table := screen.Table{Head: []string{"HISTORY", "WHAT", "WHO", "NOTE"}}
	for _, h := range r.History {
		table.Rows = append(table.Rows, []screen.Cell{{Text: t.time(h.At)}, {Text: h.What}, {Text: h.Who}, {Text: h.Note}})
	}
	return t.screen.Write(table)
}
