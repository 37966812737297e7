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

	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/mysqlx"
)

// AlertRow is an episode of an alert.
type AlertRow struct {
	ID             string            `json:"id"` // fingerprint-starts_ns
	Fingerprint    string            `json:"fingerprint"`
	RuleID         int64             `json:"rule_id"`
	RuleVersion    int               `json:"rule_version"`
	RuleName       string            `json:"rule_name"`
	Team           string            `json:"team"`
	Severity       string            `json:"severity"`
	Service        string            `json:"service"`
	Status         string            `json:"status"` // active, acknowledged, resolved
	Value          *float64          `json:"value"`
	Peak           *float64          `json:"peak"`
	Threshold      float64           `json:"threshold"`
	Operator       string            `json:"operator"`
	StartsAt       time.Time         `json:"starts_at"`
	EndsAt         *time.Time        `json:"ends_at"`
	Reason         string            `json:"reason"`
	AcknowledgedBy string            `json:"acknowledged_by"`
	AcknowledgedAt *time.Time        `json:"acknowledged_at"`
	Note           string            `json:"note"`
	SilencedBy     string            `json:"silenced_by"` // the silence's id
	Labels         map[string]string `json:"labels"`
	Evidence       json.RawMessage   `json:"evidence"`
	History        []HistoryRow      `json:"history,omitempty"`
	starts         int64
}

// HistoryRow is something that happened to an alert.
type HistoryRow struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Who  string    `json:"who,omitempty"`
	Note string    `json:"note,omitempty"`
}

// AlertFilter chooses alerts. Empty fields choose all.
type AlertFilter struct {
	States, Severities  []string
	Service, Team, Rule string
	Start, End          int64 // of starts_at, ns
	Before              *AlertCursor
	Limit               int
}

// AlertCursor is a place in the order of alerts, newest first.
type AlertCursor struct {
	Starts      int64
	Fingerprint string
}

// Cursor is the place of a row.
func (a *AlertRow) Cursor() AlertCursor { return AlertCursor{a.starts, a.Fingerprint} }

// alertSelect overlays what people have said and the evaluator has not taken in yet.
const alertSelect = `SELECT i.fingerprint, i.starts_ns, i.ends_ns, i.rule_id, i.rule_version, i.rule_name, i.team, i.severity, i.service, i.value, i.peak, i.reason, i.event,
 COALESCE((SELECT c.who FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns AND c.kind = 'acknowledge' ORDER BY c.seq DESC LIMIT 1), '') AS ack,
 (SELECT c.created_at FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns AND c.kind = 'acknowledge' ORDER BY c.seq DESC LIMIT 1) AS ack_at,
 COALESCE((SELECT c.note FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns ORDER BY c.seq DESC LIMIT 1), '') AS said
FROM alert_instance i WHERE TRUE`

const stateSQL = ` AND (CASE WHEN i.ends_ns > 0 THEN 'resolved' WHEN EXISTS (SELECT 1 FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns AND c.kind = 'acknowledge') THEN 'acknowledged' ELSE 'active' END) IN (`

// Alerts are episodes, newest first.
func (s *Store) Alerts(ctx context.Context, f AlertFilter) (out []AlertRow, err error) {
	q := where{text: alertSelect}
	q.in(stateSQL, f.States)
	q.in(` AND i.severity IN (`, f.Severities)
	q.equal(` AND i.service = ?`, f.Service)
	q.equal(` AND i.team = ?`, f.Team)
	q.equal(` AND i.rule_id = ?`, f.Rule)
	q.add(` AND i.starts_ns >= ? AND i.starts_ns < ?`, f.Start, f.End)
	if b := f.Before; b != nil {
		q.add(` AND (i.starts_ns < ? OR i.starts_ns = ? AND i.fingerprint < ?)`, b.Starts, b.Starts, b.Fingerprint)
	}
	q.add(` ORDER BY i.starts_ns DESC, i.fingerprint DESC LIMIT ?`, f.Limit)
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []AlertRow{}
	for rows.Next() {
		a, err := scanAlert(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

func scanAlert(r scanner) (a AlertRow, err error) {
	var ends int64
	var event []byte
	var ackAt sql.NullTime
	if err := r.Scan(&a.Fingerprint, &a.starts, &ends, &a.RuleID, &a.RuleVersion, &a.RuleName, &a.Team, &a.Severity, &a.Service, &a.Value, &a.Peak, &a.Reason, &event, &a.AcknowledgedBy, &ackAt, &a.Note); err != nil {
		return a, err
	}
	a.ID = AlertID(a.Fingerprint, a.starts)
	a.StartsAt = time.Unix(0, a.starts).UTC()
	a.Status = "active"
	if a.AcknowledgedBy != "" {
		a.Status = "acknowledged"
		a.AcknowledgedAt = &ackAt.Time
	}
	if ends > 0 {
		t := time.Unix(0, ends).UTC()
		a.Status, a.EndsAt = "resolved", &t
	}
	var data struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
		Evidence    json.RawMessage   `json:"evidence"`
		Condition   struct {
			Operator  string  `json:"operator"`
			Threshold float64 `json:"threshold"`
		} `json:"condition"`
	}
	if err := json.Unmarshal(event, &data); err != nil {
		return a, fmt.Errorf("reading alert %s: %w", a.ID, err)
	}
	a.SilencedBy = data.Annotations["silenced_by"]
	a.Labels, a.Evidence, a.Operator, a.Threshold = data.Labels, data.Evidence, data.Condition.Operator, data.Condition.Threshold
	if a.Evidence == nil {
		a.Evidence = json.RawMessage("[]")
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

// Alert is one episode with its history; NotFound.
func (s *Store) Alert(ctx context.Context, id string) (AlertRow, error) {
	fp, starts, err := parseAlertID(id)
	if err != nil {
		return AlertRow{}, err
	}
	a, err := alert(ctx, s.db.Text, fp, starts)
	if err != nil {
		return a, err
	}
	a.History, err = s.history(ctx, &a)
	return a, err
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

func (s *Store) history(ctx context.Context, a *AlertRow) (out []HistoryRow, err error) {
	out = []HistoryRow{{At: a.StartsAt, What: "firing"}}
	rows, err := s.db.Text.QueryContext(ctx, `SELECT created_at, kind, who, note FROM alert_command WHERE fingerprint = ? AND starts_ns = ? ORDER BY seq`, a.Fingerprint, a.starts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var h HistoryRow
		if err := rows.Scan(&h.At, &h.What, &h.Who, &h.Note); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	if a.EndsAt != nil {
		out = append(out, HistoryRow{At: *a.EndsAt, What: "resolved", Note: a.Reason})
	}
	return out, rows.Err()
}

// Kinds of what people do to an alert.
const (
	KindAcknowledge = "acknowledge"
	KindResolve     = "resolve"
	KindNote        = "note"
)

// Command does something to an alert. It takes effect on the stream about two seconds later; a note may come after the end. NotFound, Conflict (a
// transition that there is not).
func (s *Store) Command(ctx context.Context, id, kind, who, note string) error {
	fp, starts, err := parseAlertID(id)
	if err != nil {
		return err
	}
	return mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		seq, effective, err := tick(ctx, tx)
		if err != nil {
			return err
		}
		a, err := alert(ctx, tx, fp, starts)
		if err != nil {
			return err
		}
		if err := allowed(ctx, tx, &a, kind); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_command (seq, effective_ns, kind, fingerprint, starts_ns, who, note, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))`, seq, effective, kind, fp, starts, who, note); err != nil {
			return err
		}
		before := handled{a.Status, a.AcknowledgedBy, a.Note}
		return audit(ctx, tx, seq, entry{Who: who, Action: kind, Kind: AuditAlert, ID: id, Name: a.RuleName, Before: before, After: before.after(kind, who, note)})
	})
}

// handled is what people can change about an alert, as the audit has it.
type handled struct {
	Status         string `json:"status"`
	AcknowledgedBy string `json:"acknowledged_by"`
	Note           string `json:"note"`
}

func (h handled) after(kind, who, note string) handled {
	switch kind {
	case KindAcknowledge:
		h.Status, h.AcknowledgedBy = "acknowledged", who
	case KindResolve:
		h.Status = "resolved"
	}
	h.Note = note
	return h
}

// allowed: active → acknowledged → resolved, each once; whoever comes second hears who was first.
func allowed(ctx context.Context, tx *sql.Tx, a *AlertRow, kind string) error {
	if kind == KindNote {
		return nil
	}
	if a.Status == "resolved" {
		return fault.Conflict("the alert is resolved (%s)", a.Reason)
	}
	var resolver string
	err := tx.QueryRowContext(ctx, `SELECT who FROM alert_command WHERE fingerprint = ? AND starts_ns = ? AND kind = 'resolve' LIMIT 1`, a.Fingerprint, a.starts).Scan(&resolver)
	switch {
	case err == nil:
		return fault.Conflict("the alert is being resolved by %s", resolver)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	case kind == KindAcknowledge && a.AcknowledgedBy != "":
		return fault.Conflict("the alert is acknowledged by %s already", a.AcknowledgedBy)
	}
	return nil
}

// AlertStats are counts of the episodes that began in a range.
type AlertStats struct {
	Total               int64            `json:"total"`
	ByStatus            map[string]int64 `json:"by_status"`
	BySeverity          map[string]int64 `json:"by_severity"`
	ByRule              map[string]int64 `json:"by_rule"`
	ByService           map[string]int64 `json:"by_service"`
	MeanSecondsToAck    *float64         `json:"mean_seconds_to_acknowledge"`
	MeanSecondsResolved *float64         `json:"mean_seconds_to_resolve"`
}

// Stats counts.
func (s *Store) Stats(ctx context.Context, start, end int64) (st AlertStats, err error) {
	st = AlertStats{ByStatus: map[string]int64{}, BySeverity: map[string]int64{}, ByRule: map[string]int64{}, ByService: map[string]int64{}}
	const ranged = ` FROM alert_instance i WHERE starts_ns >= ? AND starts_ns < ?`
	const state = `CASE WHEN i.ends_ns > 0 THEN 'resolved' WHEN EXISTS (SELECT 1 FROM alert_command c WHERE c.fingerprint = i.fingerprint AND c.starts_ns = i.starts_ns AND c.kind = 'acknowledge') THEN 'acknowledged' ELSE 'active' END`
	for _, q := range []struct {
		column string
		into   map[string]int64
	}{{state, st.ByStatus}, {"i.severity", st.BySeverity}, {"i.rule_name", st.ByRule}, {"i.service", st.ByService}} {
		if err := s.counts(ctx, `SELECT `+q.column+` AS k, COUNT(*) AS n`+ranged+` GROUP BY k ORDER BY n DESC LIMIT 100`, q.into, start, end); err != nil {
			return st, err
		}
	}
	for _, n := range st.ByStatus {
		st.Total += n
	}
	err = s.db.Text.QueryRowContext(ctx, `SELECT AVG(IF(ends_ns > 0, (ends_ns - starts_ns) / 1e9, NULL)),
 (SELECT AVG(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', c.created_at) / 1e6 - c.starts_ns / 1e9) FROM alert_command c WHERE c.kind = 'acknowledge' AND c.starts_ns >= ? AND c.starts_ns < ?)`+ranged,
		start, end, start, end).Scan(&st.MeanSecondsResolved, &st.MeanSecondsToAck)
	return st, err
}

func (s *Store) counts(ctx context.Context, query string, into map[string]int64, args ...any) (err error) {
	rows, err := s.db.Text.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k string
		var n int64
		if err := rows.Scan(&k, &n); err != nil {
			return err
		}
		into[k] = n
	}
	return rows.Err()
}
