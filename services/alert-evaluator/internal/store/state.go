package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/logmill/logmill/services/alert-evaluator/internal/follow"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
)

// ErrRules says that rules or alerts were changed since the step's knowledge of them.
var ErrRules = errors.New("rules have changed")

const snapshotChunk = 8 << 20 // bytes a row, below any max_allowed_packet

// Out is an event on its way out.
type Out struct {
	Seq         int64
	Fingerprint string
	Tick        int64 // ns
	Event       []byte
}

// Episode is a row of the history. Opens: the event says how the episode began; else only its end, peak and notes are taken.
type Episode struct {
	Fingerprint          string
	Starts, Final, Ends  int64
	RuleID               int64
	Version              int
	Name, Team, Severity string
	Service              string
	Value, Peak          *float64
	Reason, Ack, Note    string
	Event                []byte
	Opens                bool
}

// Snapshot is an engine's state at a position.
type Snapshot struct {
	Position follow.Position
	OutSeq   int64
	RuleSeq  int64
	State    []byte
}

// Step is what one transaction changes.
type Step struct {
	Position follow.Position
	OutSeq   int64
	Begun    int64 // ns: where the engine began; 0 when an earlier step said it
	RuleSeq  int64 // of rule_clock: what the step knew
	Out      []Out
	Episodes []Episode
	Partials []byte // nil: none
	ToTick   int64  // of the partials
	Snapshot []byte // nil: none
	Findings []byte // JSON of watch.Findings; nil: unchanged
}

// Commit makes a step of a partition, in one transaction. ErrFenced: somebody else has moved it, or we have and did not hear of it.
// ErrRules: the step did not know the newest rules.
func (s *Store) Commit(ctx context.Context, p Partition, st Step) error {
	err := mysqlx.WithTx(ctx, s.db.Blob, func(tx *sql.Tx) error {
		if err := current(ctx, tx, st.RuleSeq); err != nil {
			return err
		}
		if err := moved(tx.ExecContext(ctx, commitSQL, st.Position.NextOffset, st.Position.SourceNext, st.Position.Watermark, st.OutSeq, st.Begun, st.Findings, p.Stream, p.Partition, p.Epoch, p.Position.NextOffset)); err != nil {
			return err
		}
		if st.Partials != nil {
			if _, err := tx.ExecContext(ctx, `INSERT INTO alert_partial (stream_id, part, to_tick, cells) VALUES (?, ?, ?, ?)`, p.Stream, p.Partition, st.ToTick, st.Partials); err != nil {
				return err
			}
		}
		return s.write(ctx, tx, p.Stream, SourceOf(p.Partition), st)
	})
	if err != nil {
		return fmt.Errorf("committing partition %d under epoch %d: %w", p.Partition, p.Epoch, err)
	}
	return nil
}

// SourceOf names a partition's outbox.
func SourceOf(partition int32) string { return fmt.Sprintf("p%d", partition) }

// current holds the rules still until the transaction ends.
func current(ctx context.Context, tx *sql.Tx, known int64) error {
	var seq int64
	if err := tx.QueryRowContext(ctx, `SELECT seq FROM rule_clock WHERE id = 1 LOCK IN SHARE MODE`).Scan(&seq); err != nil {
		return err
	}
	if seq != known {
		return ErrRules
	}
	return nil
}

func moved(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = ErrFenced
	}
	return err
}

// write adds the outbox, the history and the snapshot of a step.
func (s *Store) write(ctx context.Context, tx *sql.Tx, stream uint32, source string, st Step) error {
	for _, o := range st.Out {
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_outbox (stream_id, source, seq, fingerprint, tick_ns, event, created_at) VALUES (?, ?, ?, ?, ?, CONVERT(? USING utf8mb4), UTC_TIMESTAMP(6))`,
			stream, source, o.Seq, o.Fingerprint, o.Tick, o.Event); err != nil {
			return fmt.Errorf("writing the outbox: %w", err)
		}
	}
	for i := range st.Episodes {
		if err := writeEpisode(ctx, tx, &st.Episodes[i]); err != nil {
			return fmt.Errorf("writing the history: %w", err)
		}
	}
	if st.Snapshot == nil {
		return nil
	}
	return writeSnapshot(ctx, tx, stream, source, st)
}

const episodeSQL = `INSERT INTO alert_instance (fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, rule_name, team, severity, service, value, peak, reason, ack_by, note, event, updated_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, CONVERT(? USING utf8mb4), UTC_TIMESTAMP(6))
ON DUPLICATE KEY UPDATE final_starts_ns = VALUES(final_starts_ns), ends_ns = VALUES(ends_ns), value = IF(?, VALUES(value), value), peak = VALUES(peak),
 severity = VALUES(severity), reason = VALUES(reason), ack_by = VALUES(ack_by), note = VALUES(note), event = IF(? OR VALUES(ends_ns) = 0, VALUES(event), event), updated_at = VALUES(updated_at)`

func writeEpisode(ctx context.Context, tx *sql.Tx, e *Episode) error {
	_, err := tx.ExecContext(ctx, episodeSQL, e.Fingerprint, e.Starts, e.Final, e.Ends, e.RuleID, e.Version, e.Name, e.Team, e.Severity, e.Service, e.Value, e.Peak, e.Reason, e.Ack, e.Note, e.Event, e.Opens, e.Opens)
	return err
}

var (
	zstdEncoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	zstdDecoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
)

// writeSnapshot replaces a source's snapshot. Rows are overwritten rather than deleted first: a delete of nothing would lock the gap that
// the other partitions write into.
func writeSnapshot(ctx context.Context, tx *sql.Tx, stream uint32, source string, st Step) error {
	state := zstdEncoder.EncodeAll(st.Snapshot, nil)
	chunks := 0
	for ; chunks == 0 || len(state) > 0; chunks++ {
		part := state[:min(len(state), snapshotChunk)]
		state = state[len(part):]
		if _, err := tx.ExecContext(ctx, snapshotSQL, stream, source, chunks, st.Position.NextOffset, st.Position.SourceNext, st.Position.Watermark, st.OutSeq, st.RuleSeq, part); err != nil {
			return fmt.Errorf("writing a snapshot: %w", err)
		}
	}
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM alert_snapshot WHERE stream_id = ? AND source = ?`, stream, source).Scan(&have); err != nil || have == chunks {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM alert_snapshot WHERE stream_id = ? AND source = ? AND chunk >= ?`, stream, source, chunks)
	return err
}

const snapshotSQL = `INSERT INTO alert_snapshot (stream_id, source, chunk, next_offset, source_next, watermark_ns, out_seq, rule_seq, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON DUPLICATE KEY UPDATE next_offset = VALUES(next_offset), source_next = VALUES(source_next), watermark_ns = VALUES(watermark_ns), out_seq = VALUES(out_seq), rule_seq = VALUES(rule_seq), state = VALUES(state)`

// Snapshot is the newest of a source; ok is false without one.
func (s *Store) Snapshot(ctx context.Context, stream uint32, source string) (snap Snapshot, ok bool, err error) {
	rows, err := s.db.Blob.QueryContext(ctx, `SELECT next_offset, source_next, out_seq, rule_seq, state FROM alert_snapshot WHERE stream_id = ? AND source = ? ORDER BY chunk`, stream, source)
	if err != nil {
		return snap, false, fmt.Errorf("reading a snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var state []byte
	for rows.Next() {
		var part []byte
		if err := rows.Scan(&snap.Position.NextOffset, &snap.Position.SourceNext, &snap.OutSeq, &snap.RuleSeq, &part); err != nil {
			return snap, false, err
		}
		state, ok = append(state, part...), true
	}
	if err := rows.Err(); err != nil || !ok {
		return snap, false, err
	}
	snap.Position.Begun = true
	snap.State, err = zstdDecoder.DecodeAll(state, nil)
	return snap, true, err
}

// Inputs are rule versions and commands with numbers above since, and the newest number.
func (s *Store) Inputs(ctx context.Context, since int64) (vs []engine.Version, cs []engine.Command, seq int64, err error) {
	err = mysqlx.WithTx(ctx, s.db.Text, func(tx *sql.Tx) error {
		vs, cs = nil, nil
		if err := tx.QueryRowContext(ctx, `SELECT seq FROM rule_clock WHERE id = 1`).Scan(&seq); err != nil {
			return err
		}
		if vs, err = versions(ctx, tx, since); err != nil {
			return err
		}
		if cs, err = commands(ctx, tx, since); err != nil {
			return err
		}
		quiet, err := silences(ctx, tx, since)
		cs = append(cs, quiet...)
		return err
	})
	if err != nil {
		return nil, nil, 0, fmt.Errorf("reading rules: %w", err)
	}
	return vs, cs, seq, nil
}

func versions(ctx context.Context, tx *sql.Tx, since int64) (out []engine.Version, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT rule_id, version, effective_ns, definition, deleted FROM rule_version WHERE seq > ? ORDER BY seq`, since)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var v engine.Version
		var definition []byte
		if err := rows.Scan(&v.RuleID, &v.Number, &v.Effective, &definition, &v.Deleted); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(definition, &v.Rule); err != nil {
			v.Rule = rule.Rule{Enabled: true} // nothing that the api wrote: it does not compile, is shown as an error, and the others go on
		}
		v.Rule.Normalize()
		out = append(out, v)
	}
	return out, rows.Err()
}

func commands(ctx context.Context, tx *sql.Tx, since int64) (out []engine.Command, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT seq, effective_ns, kind, fingerprint, starts_ns, who, note FROM alert_command WHERE seq > ? ORDER BY seq`, since)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var c engine.Command
		if err := rows.Scan(&c.ID, &c.Effective, &c.Kind, &c.Fingerprint, &c.Starts, &c.Who, &c.Note); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
