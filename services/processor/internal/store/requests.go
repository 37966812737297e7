package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/shared/contract"
)

// As many keys are asked for with one statement; shorter lists repeat their last key.
const keysAtOnce = 32

var findRequestsSQL = `SELECT key_hash, fingerprint, at_ns FROM request_key WHERE stream_id = ? AND part = ? AND key_hash IN (?` + strings.Repeat(",?", keysAtOnce-1) + `)`

// Requests returns what is remembered of keys.
func (s *Store) Requests(ctx context.Context, p Progress, keys []contract.RequestKey) (map[contract.RequestKey]dedup.Seen, error) {
	out := map[contract.RequestKey]dedup.Seen{}
	for len(keys) > 0 {
		n := min(len(keys), keysAtOnce)
		if err := s.findRequests(ctx, p, keys[:n], out); err != nil {
			return nil, fmt.Errorf("looking for %d requests of partition %d: %w", n, p.Partition, err)
		}
		keys = keys[n:]
	}
	return out, nil
}

func (s *Store) findRequests(ctx context.Context, p Progress, keys []contract.RequestKey, out map[contract.RequestKey]dedup.Seen) error {
	args := []any{p.Stream, p.Partition}
	for i := range keysAtOnce {
		args = append(args, keys[min(i, len(keys)-1)][:])
	}
	rows, err := s.blob.QueryContext(ctx, findRequestsSQL, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	for rows.Next() {
		var key sql.RawBytes
		var seen dedup.Seen
		if err := rows.Scan(&key, &seen.Fingerprint, &seen.At); err != nil {
			return err
		}
		out[contract.RequestKey(key)] = seen
	}
	return rows.Err()
}

const (
	addRequestSQL = `INSERT INTO request_key (stream_id, part, key_hash, fingerprint, at_ns) VALUES `
	addRequestRow = `(?,?,?,?,?)`
	addRequestEnd = ` ON DUPLICATE KEY UPDATE fingerprint=VALUES(fingerprint), at_ns=VALUES(at_ns)` // one that is not honoured any more
)

func addRequests(ctx context.Context, tx *sql.Tx, p Progress, requests map[contract.RequestKey]dedup.Seen) error {
	if len(requests) == 0 {
		return nil
	}
	keys := make([]contract.RequestKey, 0, len(requests))
	for k := range requests {
		keys = append(keys, k)
	}
	err := upsert(ctx, tx, keys, addRequestSQL, addRequestRow, addRequestEnd, func(args []any, k contract.RequestKey) []any {
		return append(args, p.Stream, p.Partition, k[:], requests[k].Fingerprint, requests[k].At)
	})
	if err != nil {
		return fmt.Errorf("remembering %d requests: %w", len(keys), err)
	}
	return nil
}

const dropRequestsSQL = `DELETE FROM request_key WHERE stream_id = ? AND part = ? AND at_ns < ? LIMIT ?`

// DropRequests forgets requests of before a time, ns, at most limit of them, and says how many. It needs no fence: a former owner knows older
// times only.
func (s *Store) DropRequests(ctx context.Context, p Progress, before int64, limit int) (int64, error) {
	res, err := s.blob.ExecContext(ctx, dropRequestsSQL, p.Stream, p.Partition, before, limit)
	if err != nil {
		return 0, fmt.Errorf("forgetting old requests of partition %d: %w", p.Partition, err)
	}
	return res.RowsAffected()
}
