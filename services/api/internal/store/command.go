package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/mysqlx"
)

// Kinds of what people do to an alert.
const (
	KindAcknowledge = "acknowledge"
	KindResolve     = "resolve"
	KindNote        = "note"
)

// Command does something to an alert. It takes effect on the stream about two seconds later; a note may come after the end. NotFound, Conflict (a
// transition that there is not).
func (s *Store) Command(ctx context.Context, id, kind, who, note string) error {
	if strings.HasSuffix(id, "-"+AlertPending) {
		return fault.Conflict("the alert is pending: it does not fire yet")
	}
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
		h.Status, h.AcknowledgedBy = AlertAcknowledged, who
	case KindResolve:
		h.Status = AlertResolved
	}
	if note != "" {
		h.Note = note
	}
	return h
}

// allowed: active → acknowledged → resolved, each once; whoever comes second hears who was first.
func allowed(ctx context.Context, tx *sql.Tx, a *AlertRow, kind string) error {
	if kind == KindNote {
		return nil
	}
	if a.Status == AlertResolved {
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
