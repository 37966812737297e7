package rig

import (
	"fmt"
	"path/filepath"
)

// Rest is what a line takes at rest, bytes.
type Rest struct {
	Blocks  float64 `json:"blocks"`  // the live ones
	Filters float64 `json:"filters"` // their token filters
	Files   float64 `json:"files"`   // MySQL's files of blocks, filters and metadata, after Rebuild
	Windows float64 `json:"windows"` // and of windows: they grow with services and time, not with lines
	Rows    float64 `json:"rows_a_block"`
}

// What is counted, and rebuilt.
var (
	blockTables  = []string{"block", "block_data", "block_filter"}
	windowTables = []string{"window_data", "error_data", "service_hour", "error_hour", "window_change"}
)

// Rebuild deletes what was retired, which is otherwise deleted a quarter of an hour later, and lets tables be written anew, so that their files show what stays.
func (r *Rig) Rebuild() error {
	for _, q := range []string{
		`DELETE d FROM block_data d JOIN block b ON b.id = d.block_id AND b.day = d.day WHERE b.retired_seq IS NOT NULL`,
		`DELETE f FROM block_filter f JOIN block b ON b.id = f.block_id AND b.day = f.day WHERE b.retired_seq IS NOT NULL`,
		`DELETE FROM block WHERE retired_seq IS NOT NULL`,
	} {
		if _, err := r.DB.Exec(q); err != nil {
			return err
		}
	}
	for _, t := range append(blockTables, windowTables...) {
		if _, err := r.DB.Exec("ALTER TABLE " + t + " ENGINE=InnoDB"); err != nil { // writes it anew
			return err
		}
	}
	return nil
}

// AtRest measures what lines take now.
func (r *Rig) AtRest(lines int) (out Rest, err error) {
	n := float64(lines)
	row := r.DB.QueryRow("SELECT SUM(byte_count), SUM(filter_bytes), SUM(row_count) / COUNT(*) FROM block WHERE retired_seq IS NULL")
	if err := row.Scan(&out.Blocks, &out.Filters, &out.Rows); err != nil {
		return out, err
	}
	out.Blocks, out.Filters = out.Blocks/n, out.Filters/n
	out.Files = float64(r.files(blockTables)) / n
	out.Windows = float64(r.files(windowTables)) / n
	return out, nil
}

// files is the size of tables' files, bytes: t.ibd, and t#p#….ibd of partitioned ones.
func (r *Rig) files(tables []string) (total int64) {
	for _, t := range tables {
		for _, pattern := range []string{t + ".ibd", t + "#*.ibd"} {
			names, _ := filepath.Glob(filepath.Join(r.Home, "mysql", "data", "logmill", pattern)) // the pattern is good
			for _, f := range names {
				total += Size(f)
			}
		}
	}
	return total
}

// String is a few lines for people.
func (x Rest) String() string {
	return fmt.Sprintf("at rest, bytes a line: blocks %.1f, filters %.2f, MySQL's files of them %.1f (windows: %.1f more); %.0f lines a block", x.Blocks, x.Filters, x.Files, x.Windows, x.Rows)
}
