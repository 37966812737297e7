package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// States of an alert. Pending ones do not fire yet.
const (
	AlertPending      = "pending"
	AlertActive       = "active"
	AlertAcknowledged = "acknowledged"
	AlertResolved     = "resolved"
)

// AlertRow is an episode of an alert, or a pending one.
type AlertRow struct {
	ID             string                   `json:"id"` // fingerprint-starts_ns, or fingerprint-pending
	Fingerprint    string                   `json:"fingerprint"`
	RuleID         int64                    `json:"rule_id"` // 0: a meta alert, of no rule
	RuleVersion    int                      `json:"rule_version"`
	RuleName       string                   `json:"rule_name"`
	Team           string                   `json:"team"`
	Severity       string                   `json:"severity"`
	Service        string                   `json:"service"`
	Status         string                   `json:"status"`
	Value          *float64                 `json:"value"` // when it began to fire
	Peak           *float64                 `json:"peak"`
	Threshold      float64                  `json:"threshold"`
	Operator       string                   `json:"operator"`
	StartsAt       time.Time                `json:"starts_at"` // of a pending one: since when its condition holds
	EndsAt         *time.Time               `json:"ends_at"`
	FiresAt        *time.Time               `json:"fires_at,omitempty"` // of a pending one: when, if it goes on
	Reason         string                   `json:"reason"`
	AcknowledgedBy string                   `json:"acknowledged_by"`
	AcknowledgedAt *time.Time               `json:"acknowledged_at"`
	Note           string                   `json:"note"`        // the newest
	SilencedBy     string                   `json:"silenced_by"` // the silence's id
	Summary        string                   `json:"summary"`
	Labels         map[string]string        `json:"labels"`
	Evidence       []contract.AlertEvidence `json:"evidence"`
	Links          map[string]string        `json:"links"`

	starts, final int64
	data          contract.AlertData
}

// AlertFilter chooses alerts. Empty fields choose all.
type AlertFilter struct {
	States, Severities  []string
	Service, Team, Rule string         // Rule: id or name
	Labels              []rule.Matcher // = and != only
	Silenced            *bool
	Start, End          int64 // ns: those that fired at some time in it
	Before              *AlertCursor
	Limit               int
}

// AlertCursor is a place in the order of alerts: pending ones first, then episodes, newest first.
type AlertCursor struct {
	Pending     int // so many pending ones were shown; of episodes none
	Starts      int64
	Fingerprint string
}

// Statements about alert_instance i and the commands to it.
const (
	ofEpisode   = `FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns`
	isAcked     = `EXISTS (SELECT 1 ` + ofEpisode + ` AND c.kind = 'acknowledge')`
	alertState  = `CASE WHEN i.ends_ns > 0 THEN 'resolved' WHEN ` + isAcked + ` THEN 'acknowledged' ELSE 'active' END`
	alertSelect = `SELECT i.fingerprint, i.starts_ns, i.final_starts_ns, i.ends_ns, i.rule_id, i.rule_version, i.rule_name, i.team, i.severity, i.service, i.value, i.peak, i.reason, i.event,
 COALESCE((SELECT c.who ` + ofEpisode + ` AND c.kind = 'acknowledge' ORDER BY c.seq DESC LIMIT 1), '') AS ack,
 (SELECT c.created_at ` + ofEpisode + ` AND c.kind = 'acknowledge' ORDER BY c.seq DESC LIMIT 1) AS ack_at,
 COALESCE((SELECT c.note ` + ofEpisode + ` AND c.note <> '' ORDER BY c.seq DESC LIMIT 1), '') AS said
FROM alert_instance i WHERE TRUE`
)

// choose adds the filter's clauses on alert_instance i. What people have said and the evaluator has not taken in yet counts already.
func (f *AlertFilter) choose(q *where) {
	q.in(` AND `+alertState+` IN (`, f.States)
	q.in(` AND i.severity IN (`, f.Severities)
	q.equal(` AND i.service = ?`, f.Service)
	q.equal(` AND i.team = ?`, f.Team)
	if id, err := strconv.ParseInt(f.Rule, 10, 64); err == nil {
		q.add(` AND (i.rule_id = ? OR i.rule_name = ?)`, id, f.Rule)
	} else {
		q.equal(` AND i.rule_name = ?`, f.Rule)
	}
	for _, m := range f.Labels {
		q.add(` AND (COALESCE(JSON_UNQUOTE(JSON_EXTRACT(i.event, ?)), '') = ?) = ?`, `$.labels."`+m.Name+`"`, m.Value, m.IsEqual)
	}
	if f.Silenced != nil {
		q.add(` AND (JSON_EXTRACT(i.event, '$.annotations.silenced_by') IS NOT NULL) = ?`, *f.Silenced)
	}
}

// Alerts are pending alerts and episodes, newest first, and where to go on, nil at the end.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) (out []AlertRow, next *AlertCursor, err error) {
	out = []AlertRow{}
	if f.Before == nil || f.Before.Starts == 0 {
		if out, next, err = s.pendingPage(ctx, &f); err != nil || next != nil {
			return out, next, err
		}
	}
	q := where{text: alertSelect}
	f.choose(&q)
	q.add(` AND i.starts_ns < ? AND (i.ends_ns = 0 OR i.ends_ns >= ?)`, f.End, f.Start)
	if b := f.Before; b != nil && b.Starts != 0 {
		q.add(` AND (i.starts_ns < ? OR i.starts_ns = ? AND i.fingerprint < ?)`, b.Starts, b.Starts, b.Fingerprint)
	}
	limit := f.Limit - len(out)
	q.add(` ORDER BY i.starts_ns DESC, i.fingerprint DESC LIMIT ?`, limit+1)
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	found := []AlertRow{}
	for rows.Next() {
		a, err := scanAlert(rows)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, a)
	}
	if len(found) > limit {
		found = found[:limit]
		next = &AlertCursor{Pending: len(out)} // the page was full of pending ones
		if f.Before != nil {
			next.Pending += f.Before.Pending
		}
		if limit > 0 {
			next = &AlertCursor{Starts: found[limit-1].starts, Fingerprint: found[limit-1].Fingerprint}
		}
	}
	return append(out, found...), next, rows.Err()
}

func scanAlert(r scanner) (a AlertRow, err error) {
	var ends int64
	var event []byte
	var ackAt sql.NullTime
	if err := r.Scan(&a.Fingerprint, &a.starts, &a.final, &ends, &a.RuleID, &a.RuleVersion, &a.RuleName, &a.Team, &a.Severity, &a.Service, &a.Value, &a.Peak, &a.Reason, &event, &a.AcknowledgedBy, &ackAt, &a.Note); err != nil {
		return a, err
	}
	if err := json.Unmarshal(event, &a.data); err != nil {
		return a, fmt.Errorf("reading alert %s: %w", AlertID(a.Fingerprint, a.starts), err)
	}
	a.ID, a.StartsAt, a.Status = AlertID(a.Fingerprint, a.starts), time.Unix(0, a.starts).UTC(), AlertActive
	if a.AcknowledgedBy != "" {
		a.Status, a.AcknowledgedAt = AlertAcknowledged, &ackAt.Time
	}
	if ends > 0 {
		t := time.Unix(0, ends).UTC()
		a.Status, a.EndsAt = AlertResolved, &t
	}
	a.Labels, a.Evidence, a.Operator, a.Threshold = a.data.Labels, a.data.Evidence, a.data.Condition.Operator, a.data.Condition.Threshold
	a.SilencedBy, a.Summary = a.data.Annotations["silenced_by"], a.data.Annotations["summary"]
	if a.Evidence == nil {
		a.Evidence = []contract.AlertEvidence{}
	}
	a.Links = map[string]string{"self": "/api/alerts/" + a.ID}
	for k, v := range a.data.Links {
		a.Links[k] = v
	}
	if a.SilencedBy != "" {
		a.Links["silence"] = "/api/silences/" + a.SilencedBy
	}
	return a, nil
}

// AlertID names an episode.
func AlertID(fingerprint string, starts int64) string {
	return fmt.Sprintf("%s-%d", fingerprint, starts)
}

// parseAlertID is its inverse; NotFound for anything else.
func parseAlertID(id string) (fingerprint string, starts int64, err error) {
	fp, text, ok := strings.Cut(id, "-")
	starts, perr := strconv.ParseInt(text, 10, 64)
	if !ok || perr != nil || len(fp) != 32 {
		return "", 0, fault.NotFound("there is no alert %.80q", id)
	}
	return fp, starts, nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func alert(ctx context.Context, q querier, fingerprint string, starts int64) (AlertRow, error) {
	a, err := scanAlert(q.QueryRowContext(ctx, alertSelect+` AND i.fingerprint = ? AND i.starts_ns = ?`, fingerprint, starts))
	if errors.Is(err, sql.ErrNoRows) {
		return a, fault.NotFound("there is no alert %s", AlertID(fingerprint, starts))
	}
	return a, err
}
