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
	"github.com/logmill/logmill/shared/rule"
)

// States of a silence.
const (
	SilencePending = "pending" // it has not begun
	SilenceActive  = "active"
	SilenceExpired = "expired"
)

// maxSilences that are not expired: evaluators hold each firing alert against each of them.
const maxSilences = 1000

// SilenceRow is a stored silence.
type SilenceRow struct {
	ID      int64  `json:"id"`
	Version int    `json:"version"`
	State   string `json:"state"`
	rule.Silence
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
}

// SilenceChange is how a silence is to be after a change. StartsAt zero is now, or as it was.
type SilenceChange struct {
	ID      int64 // 0: a new one
	Seen    Seen
	Silence rule.Silence
	Expire  bool
	Author  string
}

// SilenceFilter chooses silences. Empty fields choose all.
type SilenceFilter struct {
	States    []string
	CreatedBy string
	Before    int64 // ids below
	Limit     int
}

const (
	silenceState   = `CASE WHEN ends_at <= UTC_TIMESTAMP(6) THEN 'expired' WHEN starts_at > UTC_TIMESTAMP(6) THEN 'pending' ELSE 'active' END`
	silenceColumns = `SELECT id, version, ` + silenceState + `, definition, created_at, updated_at FROM alert_silence`
)

func scanSilence(r scanner) (row SilenceRow, err error) {
	var raw []byte
	if err := r.Scan(&row.ID, &row.Version, &row.State, &raw, &row.Created, &row.Updated); err != nil {
		return row, err
	}
	return row, json.Unmarshal(raw, &row.Silence)
}

// Silence is one silence; NotFound.
func (s *Store) Silence(ctx context.Context, id int64) (SilenceRow, error) {
	return silence(s.db.Text.QueryRowContext(ctx, silenceColumns+` WHERE id = ?`, id), id)
}

func silence(r scanner, id int64) (SilenceRow, error) {
	row, err := scanSilence(r)
	if errors.Is(err, sql.ErrNoRows) {
		return row, fault.NotFound("there is no silence %d", id)
	}
	return row, err
}

// Silences are the newest first.
func (s *Store) Silences(ctx context.Context, f SilenceFilter) (out []SilenceRow, err error) {
	q := where{text: silenceColumns + ` WHERE TRUE`}
	q.in(` AND `+silenceState+` IN (`, f.States)
	if f.CreatedBy != "" {
		q.add(` AND created_by = ?`, f.CreatedBy)
	}
	if f.Before > 0 {
		q.add(` AND id < ?`, f.Before)
	}
	q.add(` ORDER BY id DESC LIMIT ?`, f.Limit)
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []SilenceRow{}
	for rows.Next() {
		row, err := scanSilence(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// ChangeSilence makes, changes or expires a silence. It is in force on the stream about two seconds later. Errors: NotFound, Conflict (an expired
// one, or too many), Stale, and *rule.FieldError, joined, for what only the clock can tell.
func (s *Store) ChangeSilence(ctx context.Context, c SilenceChange) (row SilenceRow, err error) {
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		seq, effective, err := tick(ctx, tx)
		if err != nil {
			return err
		}
		said := entry{Who: c.Author, Action: ActionCreate, Kind: AuditSilence}
		version, err := settle(ctx, tx, &c, &said)
		if err != nil {
			return err
		}
		raw, err := json.Marshal(c.Silence)
		if err != nil {
			return fmt.Errorf("encoding silence %d: %w", c.ID, err)
		}
		id, err := putSilence(ctx, tx, &c, version, raw)
		if err != nil {
			return err
		}
		said.ID, said.Name, said.After = strconv.FormatInt(id, 10), matchersText(c.Silence.Matchers), c.Silence
		if err := audit(ctx, tx, seq, said); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO silence_version (seq, silence_id, version, effective_ns, definition, expired, author, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))`,
			seq, id, version, effective, string(raw), c.Expire, c.Author); err != nil {
			return err
		}
		row, err = scanSilence(tx.QueryRowContext(ctx, silenceColumns+` WHERE id = ?`, id))
		return err
	})
	return row, err
}

// matchersText is how people tell silences apart: service="web", severity!="low".
func matchersText(ms []rule.Matcher) string {
	texts := make([]string, len(ms))
	for i, m := range ms {
		texts[i] = m.String()
	}
	if r := []rune(strings.Join(texts, ", ")); len(r) > maxAuditName {
		return string(r[:maxAuditName-1]) + "…"
	}
	return strings.Join(texts, ", ")
}

// settle completes a change against the clock and the silence as it is, and returns the version that it makes.
func settle(ctx context.Context, tx *sql.Tx, c *SilenceChange, said *entry) (version int, err error) {
	var now time.Time
	if err := tx.QueryRowContext(ctx, `SELECT UTC_TIMESTAMP(6)`).Scan(&now); err != nil {
		return 0, err
	}
	s := &c.Silence
	s.StartsAt, s.EndsAt = s.StartsAt.UTC().Truncate(time.Microsecond), s.EndsAt.UTC().Truncate(time.Microsecond)
	if c.ID == 0 {
		return 1, settleNew(ctx, tx, s, now)
	}
	old, err := silence(tx.QueryRowContext(ctx, silenceColumns+` WHERE id = ? FOR UPDATE`, c.ID), c.ID)
	said.Action, said.Before = ActionUpdate, old.Silence
	if err == nil {
		err = c.Seen.check("silence", c.ID, old.Version)
	}
	switch {
	case err != nil:
		return 0, err
	case old.State == SilenceExpired:
		return 0, fault.Conflict("silence %d has expired: make a new one", c.ID)
	case c.Expire:
		said.Action = ActionExpire
		*s = old.Silence
		s.EndsAt = now
		if s.StartsAt.After(now) {
			s.StartsAt = now
		}
		return old.Version + 1, nil
	}
	return old.Version + 1, settleOld(&old, s, now)
}

// settleNew gives a new silence its beginning, never in the past.
func settleNew(ctx context.Context, tx *sql.Tx, next *rule.Silence, now time.Time) error {
	var live int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM alert_silence WHERE ends_at > ?`, now).Scan(&live); err != nil {
		return err
	}
	if live >= maxSilences {
		return fault.Conflict("there are %d silences that are not expired, which is the limit: expire some, or widen one", live)
	}
	if next.StartsAt.Before(now) {
		next.StartsAt = now
	}
	return checkSilence(next, now)
}

// settleOld: a silence that has begun keeps its beginning, since what it has silenced is history.
func settleOld(old *SilenceRow, next *rule.Silence, now time.Time) error {
	switch {
	case next.StartsAt.IsZero():
		next.StartsAt = old.StartsAt
	case old.State == SilenceActive && !next.StartsAt.Equal(old.StartsAt):
		return fault.Conflict("silence %d has begun: its starts_at cannot be changed", old.ID)
	case old.State == SilencePending && next.StartsAt.Before(now):
		next.StartsAt = now
	}
	return checkSilence(next, now)
}

func checkSilence(s *rule.Silence, now time.Time) error {
	if !s.EndsAt.After(now) {
		return &rule.FieldError{Field: "ends_at", Message: "is past", Pos: -1}
	}
	return s.Validate()
}

func putSilence(ctx context.Context, tx *sql.Tx, c *SilenceChange, version int, raw []byte) (id int64, err error) {
	s := &c.Silence
	if c.ID == 0 {
		r, err := tx.ExecContext(ctx, `INSERT INTO alert_silence (version, starts_at, ends_at, created_by, definition, created_at, updated_at) VALUES (?, ?, ?, ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`,
			version, s.StartsAt, s.EndsAt, s.CreatedBy, string(raw))
		if err != nil {
			return 0, err
		}
		return r.LastInsertId()
	}
	_, err = tx.ExecContext(ctx, `UPDATE alert_silence SET version = ?, starts_at = ?, ends_at = ?, created_by = ?, definition = ?, updated_at = UTC_TIMESTAMP(6) WHERE id = ?`,
		version, s.StartsAt, s.EndsAt, s.CreatedBy, string(raw), c.ID)
	return c.ID, err
}
