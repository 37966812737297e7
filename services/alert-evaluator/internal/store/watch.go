package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule/blind"
	"github.com/logmill/logmill/shared/rule/engine"
)

// Watch is the right to speak of blind rules, under an epoch of ours.
type Watch struct {
	Stream uint32
	Epoch  int64
	OutSeq int64
	State  watch.State
}

const (
	// checked_at is left alone: it is the age of a look, and a replica that acquires without ever looking must not pass for one that does.
	watchSQL = `INSERT INTO alert_watch (stream_id, epoch, owner, checked_at, state) VALUES (?, 1, ?, '1970-01-01', NULL)
ON DUPLICATE KEY UPDATE epoch = IF(checked_at < UTC_TIMESTAMP(6) - INTERVAL 10 SECOND OR owner = VALUES(owner), epoch + 1, epoch),
 owner = IF(checked_at < UTC_TIMESTAMP(6) - INTERVAL 10 SECOND, VALUES(owner), owner)`
	watchReadSQL   = `SELECT epoch, owner, out_seq, state FROM alert_watch WHERE stream_id = ?`
	watchCommitSQL = `UPDATE alert_watch SET checked_at = UTC_TIMESTAMP(6), out_seq = ?, state = ? WHERE stream_id = ? AND epoch = ? AND out_seq = ?`
	problemSQL     = `INSERT INTO alert_problem (stream_id, kind, part, service, rule_id, since_ns, event_ns, detail, fingerprint) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE since_ns = VALUES(since_ns), event_ns = VALUES(event_ns), detail = VALUES(detail)`
	noProblemSQL = `DELETE FROM alert_problem WHERE stream_id = ? AND kind = ? AND part = ? AND rule_id = ? AND service = ?`
	nowNS        = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) * 1000`
)

// AcquireWatch takes the right to speak when its owner has been silent for 10 s, or when it is ours; ok is false while it is somebody else's.
func (s *Store) AcquireWatch(ctx context.Context, stream uint32, owner string) (w Watch, ok bool, err error) {
	w.Stream = stream
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, watchSQL, stream, owner); err != nil {
			return err
		}
		var who string
		var state []byte
		if err := tx.QueryRowContext(ctx, watchReadSQL, stream).Scan(&w.Epoch, &who, &w.OutSeq, &state); err != nil {
			return err
		}
		ok = who == owner
		return unmarshal(state, &w.State)
	})
	if err != nil {
		return w, false, fmt.Errorf("acquiring the watch over blind rules: %w", err)
	}
	return w, ok, nil
}

// Look is what a look at blind rules changes.
type Look struct {
	State    watch.State
	Out      []Out
	Episodes []Episode
	Put      []blind.Problem // new, or changed
	Gone     []blind.Problem
}

// CommitWatch stores a look. ErrFenced: somebody else speaks now.
func (s *Store) CommitWatch(ctx context.Context, w Watch, l Look) error {
	state, err := json.Marshal(l.State)
	if err != nil {
		return fmt.Errorf("encoding the meta alerts: %w", err)
	}
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		if err := moved(tx.ExecContext(ctx, watchCommitSQL, w.OutSeq+int64(len(l.Out)), string(state), w.Stream, w.Epoch, w.OutSeq)); err != nil {
			return err
		}
		for i := range l.Put {
			p := &l.Put[i]
			if _, err := tx.ExecContext(ctx, problemSQL, w.Stream, p.Kind, p.Partition, p.Service, ruleNumber(p.RuleID), p.Since, p.Event, p.Detail, watch.Fingerprint(p)); err != nil {
				return fmt.Errorf("writing a problem: %w", err)
			}
		}
		for _, p := range l.Gone {
			if _, err := tx.ExecContext(ctx, noProblemSQL, w.Stream, p.Kind, p.Partition, ruleNumber(p.RuleID), p.Service); err != nil {
				return fmt.Errorf("deleting a problem: %w", err)
			}
		}
		return s.write(ctx, tx, w.Stream, watch.Source, Step{Out: l.Out, Episodes: l.Episodes})
	})
	if err != nil {
		return fmt.Errorf("committing a look under epoch %d: %w", w.Epoch, err)
	}
	return nil
}

// ruleNumber is a rule's id in tables; 0 for none.
func ruleNumber(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64) // ids come from these tables
	return n
}

// Facts reads what blindness is decided by, in one consistent view.
func (s *Store) Facts(ctx context.Context, stream uint32) (f watch.Facts, err error) {
	tx, err := s.db.Text.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return f, fmt.Errorf("reading how far rules are: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreDone(tx.Rollback())) }()
	for _, read := range []func(context.Context, *sql.Tx, uint32, *watch.Facts) error{streamFacts, processorFacts, partitionFacts, globalFacts, problems} {
		if err := read(ctx, tx, stream, &f); err != nil {
			return f, fmt.Errorf("reading how far rules are: %w", err)
		}
	}
	return f, nil
}

func streamFacts(ctx context.Context, tx *sql.Tx, stream uint32, f *watch.Facts) error {
	var n int32
	err := tx.QueryRowContext(ctx, `SELECT partitions, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) * 1000, `+nowNS+` FROM stream WHERE id = ?`, stream).Scan(&n, &f.Begun, &f.Now)
	for p := range n {
		f.Partitions = append(f.Partitions, watch.Partition{Partition: p, Lost: -1})
	}
	return err
}

func processorFacts(ctx context.Context, tx *sql.Tx, stream uint32, f *watch.Facts) error {
	return each(ctx, tx, `SELECT part, watermark_ns FROM partition_progress WHERE stream_id = ?`, stream, func(r *sql.Rows) error {
		var part int32
		var watermark int64
		err := r.Scan(&part, &watermark)
		if p := f.Of(part); p != nil {
			p.Stored = watermark
		}
		return err
	})
}

func partitionFacts(ctx context.Context, tx *sql.Tx, stream uint32, f *watch.Facts) error {
	return each(ctx, tx, `SELECT part, watermark_ns, gap_ns, lost_offset, findings FROM alert_partition WHERE stream_id = ?`, stream, func(r *sql.Rows) error {
		var p watch.Partition
		var findings []byte
		if err := r.Scan(&p.Partition, &p.Decided, &p.Gap, &p.Lost, &findings); err != nil {
			return err
		}
		if have := f.Of(p.Partition); have != nil {
			p.Stored = have.Stored
			*have = p
			return unmarshal(findings, &have.Findings)
		}
		return nil
	})
}

func globalFacts(ctx context.Context, tx *sql.Tx, stream uint32, f *watch.Facts) error {
	return each(ctx, tx, `SELECT tick, findings FROM alert_global WHERE stream_id = ?`, stream, func(r *sql.Rows) error {
		var findings []byte
		if err := r.Scan(&f.Global.Decided, &findings); err != nil {
			return err
		}
		f.Global.Decided *= engine.Tick
		return unmarshal(findings, &f.Global.Findings)
	})
}

func problems(ctx context.Context, tx *sql.Tx, stream uint32, f *watch.Facts) error {
	return each(ctx, tx, `SELECT kind, part, service, rule_id, since_ns, event_ns, detail FROM alert_problem WHERE stream_id = ?`, stream, func(r *sql.Rows) error {
		var p blind.Problem
		var id int64
		if err := r.Scan(&p.Kind, &p.Partition, &p.Service, &id, &p.Since, &p.Event, &p.Detail); err != nil {
			return err
		}
		if id != 0 {
			p.RuleID = strconv.FormatInt(id, 10)
		}
		f.Known = append(f.Known, p)
		return nil
	})
}

// each calls f for every row of a query about a stream.
func each(ctx context.Context, tx *sql.Tx, query string, stream uint32, f func(*sql.Rows) error) (err error) {
	rows, err := tx.QueryContext(ctx, query, stream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// unmarshal reads a JSON column; NULL leaves v alone.
func unmarshal(raw []byte, v any) error {
	if raw == nil {
		return nil
	}
	return json.Unmarshal(raw, v)
}
