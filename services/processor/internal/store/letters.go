package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/shared/contract"
)

// LetterKept is how long dead letters can be replayed: three times what logs.dead keeps them for, in case it was told to keep more.
const LetterKept = 90 * 24 * time.Hour

// Letter is a message that went to logs.dead, as it is remembered with the position behind it.
type Letter struct {
	Offset   int64
	Kind     string
	Rows     string // of it that are not stored; "" = all
	At       int64  // ns
	Import   bool
	Request  contract.Request // of an idempotency_conflict
	ReplayOf contract.Replay
}

// A conflict's request may have died several times: once one of them is replayed, the others count as well.
var findLettersSQL = `SELECT d.raw_offset, d.only_rows, d.at_ns, d.import, d.request, COALESCE(d.replayed_as, -1), COALESCE(
 (SELECT MIN(o.replayed_as) FROM dead_letter o WHERE o.stream_id = d.stream_id AND o.part = d.part AND o.request = d.request), -1)
FROM dead_letter d WHERE d.stream_id = ? AND d.part = ? AND d.raw_offset IN (?` + strings.Repeat(",?", keysAtOnce-1) + `)`

// Letters returns what is remembered of dead letters, by offset.
func (s *Store) Letters(ctx context.Context, p Progress, offsets []int64) (map[int64]dedup.Letter, error) {
	out := map[int64]dedup.Letter{}
	for some := range slices.Chunk(offsets, keysAtOnce) {
		if err := s.findLetters(ctx, p, some, out); err != nil {
			return nil, fmt.Errorf("looking for %d dead letters of partition %d: %w", len(some), p.Partition, err)
		}
	}
	return out, nil
}

func (s *Store) findLetters(ctx context.Context, p Progress, offsets []int64, out map[int64]dedup.Letter) error {
	args := []any{p.Stream, p.Partition}
	for i := range keysAtOnce {
		args = append(args, offsets[min(i, len(offsets)-1)])
	}
	rows, err := s.blob.QueryContext(ctx, findLettersSQL, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	for rows.Next() {
		var offset int64
		var l dedup.Letter
		var request []byte
		if err := rows.Scan(&offset, &l.Rows, &l.At, &l.Import, &request, &l.Replayed, &l.Twin); err != nil {
			return err
		}
		if len(request) == len(l.Request.Key)+8 {
			l.Request = contract.Request{Key: contract.RequestKey(request), Fingerprint: binary.BigEndian.Uint64(request[len(l.Request.Key):])}
		}
		out[offset] = l
	}
	return rows.Err()
}

const (
	addLetterSQL = `INSERT INTO dead_letter (stream_id, part, raw_offset, kind, only_rows, at_ns, import, request, replay_of, died_at) VALUES `
	addLetterRow = `(?,?,?,?,?,?,?,?,?,UTC_TIMESTAMP(6))`
	replayedSQL  = `UPDATE dead_letter SET replayed_as = ?, replayed_by = ?, replayed_at = UTC_TIMESTAMP(6) WHERE stream_id = ? AND part = ? AND raw_offset = ?`
)

// addLetters remembers what died, and what of the dead was replayed, in the transaction of the position.
func addLetters(ctx context.Context, tx *sql.Tx, p Progress, dead []Letter, replayed map[int64]dedup.Replayed) error {
	err := upsert(ctx, tx, dead, addLetterSQL, addLetterRow, "", func(args []any, l Letter) []any {
		var request []byte
		if l.Request != (contract.Request{}) {
			request = binary.BigEndian.AppendUint64(l.Request.Key[:], l.Request.Fingerprint)
		}
		of := sql.NullInt64{Int64: l.ReplayOf.Offset, Valid: l.ReplayOf.Stream != 0}
		return append(args, p.Stream, p.Partition, l.Offset, l.Kind, l.Rows, l.At, l.Import, request, of)
	})
	if err != nil {
		return fmt.Errorf("remembering %d dead letters: %w", len(dead), err)
	}
	for offset, r := range replayed {
		if _, err := tx.ExecContext(ctx, replayedSQL, r.As, r.By, p.Stream, p.Partition, offset); err != nil {
			return fmt.Errorf("remembering the replay of offset %d: %w", offset, err)
		}
	}
	return nil
}

// A request that was a conflict once may be stored later, when its key is free again: then nothing is missing of its letters.
var storedConflictsSQL = `UPDATE dead_letter SET replayed_as = ?, replayed_at = UTC_TIMESTAMP(6)
WHERE stream_id = ? AND part = ? AND replayed_as IS NULL AND request IN (?` + strings.Repeat(",?", keysAtOnce-1) + `)`

// settleConflicts marks letters of requests that a commit stores. as is an offset of it.
func settleConflicts(ctx context.Context, tx *sql.Tx, p Progress, requests map[contract.RequestKey]dedup.Seen, as int64) error {
	all := make([][]byte, 0, len(requests))
	for key, seen := range requests {
		all = append(all, binary.BigEndian.AppendUint64(key[:], seen.Fingerprint))
	}
	for some := range slices.Chunk(all, keysAtOnce) {
		args := []any{as, p.Stream, p.Partition}
		for i := range keysAtOnce {
			args = append(args, some[min(i, len(some)-1)])
		}
		if _, err := tx.ExecContext(ctx, storedConflictsSQL, args...); err != nil {
			return fmt.Errorf("marking dead letters of %d requests as stored: %w", len(some), err)
		}
	}
	return nil
}

const dropLettersSQL = `DELETE FROM dead_letter WHERE died_at < UTC_TIMESTAMP(6) - INTERVAL ? SECOND LIMIT ?`

// DropLetters forgets dead letters of all partitions that are older than LetterKept, at most limit of them, and says how many. It needs no fence: what it deletes
// is as old for everybody.
func (s *Store) DropLetters(ctx context.Context, limit int) (int64, error) {
	res, err := s.text.ExecContext(ctx, dropLettersSQL, int64(LetterKept.Seconds()), limit)
	if err != nil {
		return 0, fmt.Errorf("forgetting old dead letters: %w", err)
	}
	return res.RowsAffected()
}
