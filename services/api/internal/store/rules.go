package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/logmill/logmill/shared/fault"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

// RuleRow is a stored rule.
type RuleRow struct {
	ID      int64     `json:"id"`
	Version int       `json:"version"`
	Created time.Time `json:"created_at"`
	Updated time.Time `json:"updated_at"`
	rule.Rule
}

// Change is how a rule is to be after a change. Version is the one that the caller has seen, 0 for any.
type Change struct {
	ID      int64 // 0: a new one
	Version int
	Rule    rule.Rule
	Delete  bool
	Author  string
}

// effective is when a change takes effect: safely after all that evaluators have decided or are deciding.
const effectiveSQL = `SELECT GREATEST((TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) + 2000000) * 1000, COALESCE((SELECT MAX(watermark_ns) FROM alert_partition), 0) + 1000000000)`

// tick takes the next number of rule_clock, under its lock, and the moment from which what is written with it is in force (ns).
func tick(ctx context.Context, tx *sql.Tx) (seq, effective int64, err error) {
	if err = tx.QueryRowContext(ctx, `SELECT seq + 1 FROM rule_clock WHERE id = 1 FOR UPDATE`).Scan(&seq); err != nil {
		return 0, 0, err
	}
	if err = tx.QueryRowContext(ctx, effectiveSQL).Scan(&effective); err != nil {
		return 0, 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE rule_clock SET seq = ? WHERE id = 1`, seq)
	return seq, effective / engine.Tick * engine.Tick, err
}

// ChangeRule makes, replaces or deletes a rule. Faults: NotFound, Stale (another version than Change.Version), Conflict (a name that is taken).
func (s *Store) ChangeRule(ctx context.Context, c Change) (row RuleRow, err error) {
	raw, err := json.Marshal(c.Rule)
	if err != nil {
		return row, fmt.Errorf("encoding rule %q: %w", c.Rule.Name, err)
	}
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		seq, effective, err := tick(ctx, tx)
		if err != nil {
			return err
		}
		id, version := c.ID, 1
		said := entry{Who: c.Author, Action: ActionCreate, Kind: AuditRule, Name: c.Rule.Name, After: c.Rule}
		if id == 0 {
			id, err = insertRule(ctx, tx, c, raw)
		} else {
			version, err = updateRule(ctx, tx, c, raw, &said)
		}
		if err != nil {
			return err
		}
		said.ID = strconv.FormatInt(id, 10)
		if err := audit(ctx, tx, seq, said); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, author, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))`,
			seq, id, version, effective, string(raw), c.Delete, c.Author); err != nil {
			return err
		}
		row, err = scanRule(tx.QueryRowContext(ctx, ruleColumns+` WHERE id = ?`, id))
		return err
	})
	if mysqlx.IsDuplicate(err) {
		return row, fault.Conflict("a rule named %q exists", c.Rule.Name)
	}
	return row, err
}

func insertRule(ctx context.Context, tx *sql.Tx, c Change, raw []byte) (int64, error) {
	r, err := tx.ExecContext(ctx, `INSERT INTO alert_rule (name, team, version, definition, created_at, updated_at) VALUES (?, ?, 1, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`, c.Rule.Name, c.Rule.Team, string(raw))
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

func updateRule(ctx context.Context, tx *sql.Tx, c Change, raw []byte, said *entry) (version int, err error) {
	old, err := scanRule(tx.QueryRowContext(ctx, ruleColumns+` WHERE id = ? AND deleted_at IS NULL FOR UPDATE`, c.ID))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, fault.NotFound("there is no rule %d", c.ID)
	case err != nil:
		return 0, err
	case c.Version != 0 && c.Version != old.Version:
		return 0, fault.Stale("rule %d is at version %d, not %d: read it again", c.ID, old.Version, c.Version)
	}
	said.Action, said.Before = ActionUpdate, old.Rule
	if c.Delete {
		said.Action, said.After = ActionDelete, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE alert_rule SET name = ?, team = ?, version = ?, definition = ?, updated_at = UTC_TIMESTAMP(6), deleted_at = IF(?, UTC_TIMESTAMP(6), NULL) WHERE id = ?`,
		c.Rule.Name, c.Rule.Team, old.Version+1, string(raw), c.Delete, c.ID)
	return old.Version + 1, err
}

const ruleColumns = `SELECT id, version, definition, created_at, updated_at FROM alert_rule`

type scanner interface{ Scan(dest ...any) error }

func scanRule(r scanner) (row RuleRow, err error) {
	var raw []byte
	if err := r.Scan(&row.ID, &row.Version, &raw, &row.Created, &row.Updated); err != nil {
		return row, err
	}
	return row, json.Unmarshal(raw, &row.Rule)
}

// Rule is one rule; NotFound.
func (s *Store) Rule(ctx context.Context, id int64) (RuleRow, error) {
	row, err := scanRule(s.db.Text.QueryRowContext(ctx, ruleColumns+` WHERE id = ? AND deleted_at IS NULL`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return row, fault.NotFound("there is no rule %d", id)
	}
	return row, err
}

// Rules are the rules after an id, in the order of ids; team "" is any.
func (s *Store) Rules(ctx context.Context, team string, after int64, limit int) (out []RuleRow, err error) {
	rows, err := s.db.Text.QueryContext(ctx, ruleColumns+` WHERE deleted_at IS NULL AND id > ? AND (? = '' OR team = ?) ORDER BY id LIMIT ?`, after, team, team, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []RuleRow{}
	for rows.Next() {
		row, err := scanRule(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
