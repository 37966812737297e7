package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kinds of things that the audit knows, and what happens to them besides the kinds of commands to an alert.
const (
	AuditRule    = "rule"
	AuditSilence = "silence"
	AuditAlert   = "alert"
	AuditLetters = "dead_letter"

	ActionCreate = "create"
	ActionUpdate = "update"
	ActionDelete = "delete"
	ActionExpire = "expire"
	ActionReplay = "replay"
)

const maxAuditName = 200 // characters, of column name

// AuditRow is a change that somebody made.
type AuditRow struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Who     string          `json:"who"` // "" when the caller did not say
	Action  string          `json:"action"`
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Changed []string        `json:"changed"` // the fields of before and after that differ
	Before  json.RawMessage `json:"before"`  // null: there was none
	After   json.RawMessage `json:"after"`   // null: there is none any more
}

// AuditFilter chooses entries. Empty fields choose all.
type AuditFilter struct {
	Kinds, Actions []string
	ID, Who        string
	Start, End     time.Time
	Before         int64 // seq below
	Limit          int
}

// entry is what a change leaves in the audit. Before and After are marshalled; nil is none.
type entry struct {
	Who, Action, Kind, ID, Name string
	Before, After               any
}

// audit writes an entry, in the transaction of the change that it is about.
func audit(ctx context.Context, tx *sql.Tx, seq int64, e entry) error {
	before, err := auditJSON(e.Before)
	if err != nil {
		return err
	}
	after, err := auditJSON(e.After)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO audit (seq, at, who, kind, object, name, action, old_json, new_json) VALUES (?, UTC_TIMESTAMP(6), ?, ?, ?, ?, ?, ?, ?)`,
		seq, e.Who, e.Kind, e.ID, e.Name, e.Action, before, after)
	if err != nil {
		return fmt.Errorf("writing the audit of %s %s: %w", e.Kind, e.ID, err)
	}
	return nil
}

func auditJSON(v any) (sql.NullString, error) {
	if v == nil {
		return sql.NullString{}, nil
	}
	raw, err := json.Marshal(v)
	return sql.NullString{String: string(raw), Valid: true}, err
}

// Audit is what was changed, newest first.
func (s *Store) Audit(ctx context.Context, f AuditFilter) (out []AuditRow, err error) {
	q := where{text: `SELECT seq, at, who, action, kind, object, name, old_json, new_json FROM audit WHERE TRUE`}
	q.in(` AND kind IN (`, f.Kinds)
	q.in(` AND action IN (`, f.Actions)
	q.equal(` AND object = ?`, f.ID)
	q.equal(` AND who = ?`, f.Who)
	q.add(` AND at >= ? AND at < ?`, f.Start, f.End)
	if f.Before > 0 {
		q.add(` AND seq < ?`, f.Before)
	}
	q.add(` ORDER BY seq DESC LIMIT ?`, f.Limit)
	rows, err := s.db.Text.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []AuditRow{}
	for rows.Next() {
		var a AuditRow
		var before, after []byte
		if err := rows.Scan(&a.Seq, &a.At, &a.Who, &a.Action, &a.Kind, &a.ID, &a.Name, &before, &after); err != nil {
			return nil, err
		}
		a.Before, a.After, a.Changed = before, after, changed(before, after)
		out = append(out, a)
	}
	return out, rows.Err()
}

// changed are the fields of two objects that differ, sorted; none when one of them is not there.
func changed(before, after []byte) []string {
	var old, now map[string]json.RawMessage
	if json.Unmarshal(before, &old) != nil || json.Unmarshal(after, &now) != nil {
		return []string{}
	}
	names := maps.Clone(old)
	maps.Copy(names, now)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(names)), func(k string) bool { return bytes.Equal(old[k], now[k]) })
}
