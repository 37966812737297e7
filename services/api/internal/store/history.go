package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/rule"
)

// maxHistory events of one episode are shown. An alert that tells again every second for days has more.
const maxHistory = 1000

// AlertDetail is an alert with all that is known of it.
type AlertDetail struct {
	AlertRow
	FinalStartsAt *time.Time              `json:"final_starts_at"` // lines out of order can have moved it before starts_at; null while it is early
	EarlyValue    *float64                `json:"early_value"`     // what was told before its tick was closed; null when it was not told early
	PendingSince  *time.Time              `json:"pending_since"`
	LastTrueAt    *time.Time              `json:"last_true_at"`
	Condition     contract.AlertCondition `json:"condition"`
	Window        contract.AlertWindow    `json:"window"`
	Aggregates    map[string]*float64     `json:"aggregates"`
	Annotations   map[string]string       `json:"annotations"`
	History       []HistoryRow            `json:"history"`
}

// What can happen to an alert, besides the kinds of commands.
const (
	HappenFiring     = "firing"
	HappenConfirmed  = "confirmed" // an early alert's tick was closed: the value is the final one
	HappenRenotified = "renotified"
	HappenSeverity   = "severity"
	HappenSilenced   = "silenced"
	HappenUnsilenced = "unsilenced"
	HappenResolved   = "resolved"
)

// HistoryRow is something that happened to an alert: At is event time of what the evaluator decided, and the clock's of what people did.
type HistoryRow struct {
	At       time.Time `json:"at"`
	What     string    `json:"what"`
	Who      string    `json:"who,omitempty"`
	Note     string    `json:"note,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Value    *float64  `json:"value,omitempty"`
	Early    bool      `json:"early,omitempty"`
	Severity string    `json:"severity,omitempty"`
	Silence  string    `json:"silence,omitempty"`  // id
	Withheld bool      `json:"withheld,omitempty"` // too old when it was decided: nobody was told
}

// Alert is one alert with its history; NotFound.
func (s *Store) Alert(ctx context.Context, id string) (d AlertDetail, err error) {
	if fp, ok := strings.CutSuffix(id, "-"+AlertPending); ok {
		return s.pendingDetail(ctx, fp)
	}
	fp, starts, err := parseAlertID(id)
	if err != nil {
		return d, err
	}
	if d.AlertRow, err = alert(ctx, s.db.Text, fp, starts); err != nil {
		return d, err
	}
	a := &d.data
	d.PendingSince, d.LastTrueAt, d.Condition, d.Window, d.Aggregates, d.Annotations = a.PendingSince, a.LastTrueAt, a.Condition, a.Window, a.Aggregates, a.Annotations
	if d.final > 0 {
		t := time.Unix(0, d.final).UTC()
		d.FinalStartsAt = &t
	}
	if err = s.events(ctx, &d); err != nil {
		return d, fmt.Errorf("reading the history of alert %s: %w", id, err)
	}
	if err = s.commands(ctx, &d); err != nil {
		return d, fmt.Errorf("reading the commands to alert %s: %w", id, err)
	}
	slices.SortStableFunc(d.History, func(a, b HistoryRow) int { return a.At.Compare(b.At) })
	return d, nil
}

func (s *Store) pendingDetail(ctx context.Context, fingerprint string) (d AlertDetail, err error) {
	all, err := s.pending(ctx, &AlertFilter{End: 1<<63 - 1})
	if err != nil {
		return d, err
	}
	i := slices.IndexFunc(all, func(a AlertRow) bool { return a.Fingerprint == fingerprint })
	if i < 0 {
		return d, fault.NotFound("no pending alert has the fingerprint %.80q", fingerprint)
	}
	d.AlertRow, d.PendingSince, d.History = all[i], &all[i].StartsAt, []HistoryRow{{At: all[i].StartsAt, What: AlertPending, Value: all[i].Value}}
	return d, nil
}

// events adds what the evaluator told of the episode. When housekeeping has taken the events, its beginning and end remain.
func (s *Store) events(ctx context.Context, d *AlertDetail) (err error) {
	end := int64(1<<63 - 1)
	if d.EndsAt != nil {
		end = d.EndsAt.Add(rule.MaxFor).UnixNano() // the tick that decided it may be later than the end by keep_firing_for
	}
	rows, err := s.db.Text.QueryContext(ctx, `SELECT event, sent FROM alert_outbox WHERE fingerprint = ? AND tick_ns >= ? AND tick_ns <= ? ORDER BY tick_ns, seq LIMIT ?`, d.Fingerprint, d.starts, end, maxHistory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var told teller
	for rows.Next() {
		var raw []byte
		var sent int
		if err := rows.Scan(&raw, &sent); err != nil {
			return err
		}
		var e contract.AlertEvent
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		if e.Data.StartsAt.UnixNano() == d.starts {
			told.add(&e, sent == 2)
		}
	}
	told.finish(d)
	return rows.Err()
}

// teller turns an episode's events into its history: what changed from one to the next.
type teller struct {
	rows              []HistoryRow
	silence, severity string
	resolved          bool
}

func (t *teller) add(e *contract.AlertEvent, withheld bool) {
	h := HistoryRow{At: e.Time, What: HappenFiring, Value: e.Data.Value, Early: e.Data.Early, Withheld: withheld}
	first := len(t.rows) == 0
	silence, severity := e.Data.Annotations["silenced_by"], e.Data.Severity
	switch {
	case e.Type == contract.AlertResolved:
		h.What, h.Reason, t.resolved = HappenResolved, e.Data.Reason, true
	case first:
		h.Reason, h.Severity, h.Silence = e.Data.Reason, severity, silence
	case e.Type == contract.AlertFiring:
		h.What = HappenRenotified
	case severity != t.severity:
		h.What, h.Severity = HappenSeverity, severity
	case silence != t.silence && silence != "":
		h.What, h.Silence = HappenSilenced, silence
	case silence != t.silence:
		h.What, h.Silence = HappenUnsilenced, t.silence
	default:
		return // what somebody did: it is there with who and when
	}
	t.silence, t.severity = silence, severity
	t.rows = append(t.rows, h)
}

// finish completes the history with what is in no event: the confirmation of an early alert, and what housekeeping has taken.
func (t *teller) finish(d *AlertDetail) {
	if len(t.rows) == 0 || t.rows[0].What != HappenFiring {
		t.rows = append([]HistoryRow{{At: d.StartsAt, What: HappenFiring, Value: d.Value}}, t.rows...)
	}
	if first := t.rows[0]; first.Early {
		d.EarlyValue = first.Value
		if d.FinalStartsAt != nil {
			t.rows = append(t.rows, HistoryRow{At: d.StartsAt, What: HappenConfirmed, Value: d.Value})
		}
	}
	if d.EndsAt != nil && !t.resolved {
		t.rows = append(t.rows, HistoryRow{At: *d.EndsAt, What: HappenResolved, Reason: d.Reason})
	}
	d.History = t.rows
}

func (s *Store) commands(ctx context.Context, d *AlertDetail) (err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT created_at, kind, who, note FROM alert_command WHERE fingerprint = ? AND starts_ns = ? ORDER BY seq LIMIT ?`, d.Fingerprint, d.starts, maxHistory)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var h HistoryRow
		if err := rows.Scan(&h.At, &h.What, &h.Who, &h.Note); err != nil {
			return err
		}
		d.History = append(d.History, h)
	}
	return rows.Err()
}
