package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// Change is how a rule is to be after a change.
type Change struct {
	ID     int64 // 0: a new one
	Seen   Seen
	Rule   rule.Rule
	Delete bool // Rule is then left out
	Author string
}

// Seen are the versions that the caller has seen, one of which must be the newest; nil is any.
type Seen []int

// check is Stale when somebody else was faster.
func (s Seen) check(what string, id int64, now int) error {
	if s == nil || slices.Contains(s, now) {
		return nil
	}
	return fault.Stale("%s %d is at version %d by now: read it again", what, id, now)
}

// RuleFilter chooses rules. Empty fields choose all.
type RuleFilter struct {
	Team, Name string // Name: all of it, or with * for any text, letters' case aside
	Severities []string
	Enabled    *bool
	After      int64 // ids above
	Limit      int
}

// RuleVersion is a rule as it was from a moment on.
type RuleVersion struct {
	Version   int       `json:"version"`
	Author    string    `json:"author"`
	Created   time.Time `json:"created_at"`
	Effective time.Time `json:"effective_at"` // event time from which it is in force
	Deleted   bool      `json:"deleted"`
	Changed   []string  `json:"changed"` // the fields that differ from the version before
	Rule      rule.Rule `json:"rule"`
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

// errUnchanged ends a transaction that would change nothing.
var errUnchanged = errors.New("nothing is changed")

// ChangeRule makes, replaces or deletes a rule, and returns it as it is then (deleted: as it was). What changes nothing makes no version. Faults:
// NotFound, Stale, Conflict (a name that is taken).
func (s *Store) ChangeRule(ctx context.Context, c Change) (row RuleRow, err error) {
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		seq, effective, err := tick(ctx, tx)
		if err != nil {
			return err
		}
		said := entry{Who: c.Author, Action: ActionCreate, Kind: AuditRule}
		if c.ID != 0 {
			if row, err = settleRule(ctx, tx, &c, &said); err != nil {
				return err
			}
		}
		raw, err := json.Marshal(c.Rule)
		if err != nil {
			return fmt.Errorf("encoding rule %q: %w", c.Rule.Name, err)
		}
		id, err := putRule(ctx, tx, &c, row.Version+1, raw)
		if err != nil {
			return err
		}
		said.ID, said.Name = strconv.FormatInt(id, 10), c.Rule.Name
		if !c.Delete {
			said.After = c.Rule
		}
		if err := audit(ctx, tx, seq, said); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO rule_version (seq, rule_id, version, effective_ns, definition, deleted, author, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, UTC_TIMESTAMP(6))`,
			seq, id, row.Version+1, effective, string(raw), c.Delete, c.Author); err != nil {
			return err
		}
		row, err = scanRule(tx.QueryRowContext(ctx, ruleColumns+` WHERE id = ?`, id))
		return err
	})
	switch {
	case errors.Is(err, errUnchanged):
		return row, nil
	case mysqlx.IsDuplicate(err):
		return row, fault.Conflict("a rule named %q exists", c.Rule.Name)
	}
	return row, err
}

// settleRule holds a change against the rule as it is.
func settleRule(ctx context.Context, tx *sql.Tx, c *Change, said *entry) (old RuleRow, err error) {
	old, err = scanRule(tx.QueryRowContext(ctx, ruleColumns+` WHERE id = ? AND deleted_at IS NULL FOR UPDATE`, c.ID))
	if errors.Is(err, sql.ErrNoRows) {
		return old, fault.NotFound("there is no rule %d", c.ID)
	}
	if err == nil {
		err = c.Seen.check("rule", c.ID, old.Version)
	}
	if err != nil {
		return old, err
	}
	said.Action, said.Before = ActionUpdate, old.Rule
	if c.Delete {
		said.Action, c.Rule = ActionDelete, old.Rule
	} else if same(old.Rule, c.Rule) {
		return old, errUnchanged
	}
	return old, nil
}

// same compares rules as they are written.
func same(a, b rule.Rule) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

func putRule(ctx context.Context, tx *sql.Tx, c *Change, version int, raw []byte) (int64, error) {
	if c.ID != 0 {
		_, err := tx.ExecContext(ctx, `UPDATE alert_rule SET name = ?, team = ?, version = ?, definition = ?, updated_at = UTC_TIMESTAMP(6), deleted_at = IF(?, UTC_TIMESTAMP(6), NULL) WHERE id = ?`,
			c.Rule.Name, c.Rule.Team, version, string(raw), c.Delete, c.ID)
		return c.ID, err
	}
	r, err := tx.ExecContext(ctx, `INSERT INTO alert_rule (name, team, version, definition, created_at, updated_at) VALUES (?, ?, 1, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))`, c.Rule.Name, c.Rule.Team, string(raw))
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

const ruleColumns = `SELECT id, version, definition, created_at, updated_at FROM alert_rule`

type scanner interface{ Scan(dest ...any) error }

func scanRule(r scanner) (row RuleRow, err error) {
	var raw []byte
	if err := r.Scan(&row.ID, &row.Version, &raw, &row.Created, &row.Updated); err != nil {
		return row, err
	}
	err = json.Unmarshal(raw, &row.Rule)
	row.Normalize() // those of migrations leave out what has a default
	return row, err
}

// Rule is one rule; NotFound.
func (s *Store) Rule(ctx context.Context, id int64) (RuleRow, error) {
	row, err := scanRule(s.db.Text.QueryRowContext(ctx, ruleColumns+` WHERE id = ? AND deleted_at IS NULL`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return row, fault.NotFound("there is no rule %d", id)
	}
	return row, err
}

// Rules are the rules of a filter, in the order of ids.
func (s *Store) Rules(ctx context.Context, f RuleFilter) (out []RuleRow, err error) {
	q := where{text: ruleColumns + ` WHERE deleted_at IS NULL`}
	q.add(` AND id > ?`, f.After)
	q.equal(` AND team = ?`, f.Team)
	if strings.Contains(f.Name, "*") {
		q.add(` AND LOWER(name) LIKE LOWER(?)`, strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`).Replace(f.Name))
	} else {
		q.equal(` AND name = ?`, f.Name)
	}
	q.in(` AND JSON_UNQUOTE(JSON_EXTRACT(definition, '$.severity')) IN (`, f.Severities)
	if f.Enabled != nil {
		q.add(` AND JSON_UNQUOTE(JSON_EXTRACT(definition, '$.enabled')) = ?`, strconv.FormatBool(*f.Enabled))
	}
	q.add(` ORDER BY id LIMIT ?`, f.Limit)
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
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

// RuleVersions are the versions of a rule below one, the newest first, also of a rule that is deleted. NotFound: there never was such a rule.
func (s *Store) RuleVersions(ctx context.Context, id int64, below, limit int) (out []RuleVersion, err error) {
	rows, err := s.db.Text.QueryContext(ctx, `SELECT v.version, v.author, v.created_at, v.effective_ns, v.deleted, v.definition, p.definition
FROM rule_version v LEFT JOIN rule_version p ON p.rule_id = v.rule_id AND p.version = v.version - 1 WHERE v.rule_id = ? AND v.version < ? ORDER BY v.version DESC LIMIT ?`, id, below, limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []RuleVersion{}
	for rows.Next() {
		var v RuleVersion
		var effective int64
		var raw, before []byte
		if err := rows.Scan(&v.Version, &v.Author, &v.Created, &effective, &v.Deleted, &raw, &before); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &v.Rule); err != nil {
			return nil, fmt.Errorf("reading version %d of rule %d: %w", v.Version, id, err)
		}
		v.Effective, v.Changed = time.Unix(0, effective).UTC(), changed(before, raw)
		out = append(out, v)
	}
	if err := rows.Err(); err != nil || len(out) > 0 || limit == 0 {
		return out, err
	}
	var any int
	if err := s.db.Text.QueryRowContext(ctx, `SELECT COUNT(*) FROM rule_version WHERE rule_id = ?`, id).Scan(&any); err == nil && any == 0 {
		return nil, fault.NotFound("there is no rule %d", id)
	}
	return out, err
}
