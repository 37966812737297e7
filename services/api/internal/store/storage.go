package store

import (
	"context"
	"errors"
	"time"
)

// TableSize is what a table takes, bytes, indexes included.
type TableSize struct {
	Table string `json:"table"`
	Bytes int64  `json:"bytes"`
}

// Kept says what retention has left, and what is on its way out.
type Kept struct {
	BlocksFrom    time.Time // lines received before are removed, of some partition at least; zero = none are
	WindowsFrom   time.Time
	RemovedBlocks int   // that left the set and are not deleted yet
	RemovedBytes  int64 // of them and their filters
	Tables        []TableSize
}

const (
	keptSQL = `SELECT COALESCE(MAX(retained_from_ns), 0), COALESCE(MAX(windows_from_s), 0),
 (SELECT COUNT(*) FROM block WHERE retired_seq IS NOT NULL AND byte_count > 0),
 (SELECT COALESCE(SUM(byte_count + filter_bytes), 0) FROM block WHERE retired_seq IS NOT NULL) FROM partition_progress`
	tablesSQL = `SELECT TABLE_NAME AS name, DATA_LENGTH + INDEX_LENGTH AS bytes FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY bytes DESC, name`
)

// Kept reads what retention says. Sizes of tables are MySQL's own estimates, up to a day old.
func (s *Store) Kept(ctx context.Context) (k Kept, err error) {
	var blocks, windows int64
	if err := s.db.Text.QueryRowContext(ctx, keptSQL).Scan(&blocks, &windows, &k.RemovedBlocks, &k.RemovedBytes); err != nil {
		return k, err
	}
	if blocks > 0 {
		k.BlocksFrom = time.Unix(0, blocks).UTC()
	}
	if windows > 0 {
		k.WindowsFrom = time.Unix(windows, 0).UTC()
	}
	rows, err := s.db.Text.QueryContext(ctx, tablesSQL)
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	k.Tables = []TableSize{}
	for rows.Next() {
		var t TableSize
		if err := rows.Scan(&t.Table, &t.Bytes); err != nil {
			return k, err
		}
		k.Tables = append(k.Tables, t)
	}
	return k, rows.Err()
}
