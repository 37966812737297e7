package ctl

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
)

// storageRow is the api's answer.
type storageRow struct {
	Blocks   int   `json:"blocks"`
	Lines    int64 `json:"lines"`
	Bytes    int64 `json:"bytes"`
	Filters  int64 `json:"filter_bytes"`
	Services []struct {
		Service string `json:"service"`
		Lines   int64  `json:"lines"`
		Bytes   int64  `json:"bytes"`
	} `json:"services"`
	ServicesTotal int `json:"services_total"`
	Columns       []struct {
		Column string `json:"column"`
		Bytes  int64  `json:"bytes"`
		Raw    int64  `json:"raw_bytes"`
	} `json:"columns"`
	ColumnsTotal int `json:"columns_total"`
	Days         []struct {
		Day     string `json:"day"`
		Lines   int64  `json:"lines"`
		Bytes   int64  `json:"bytes"`
		Filters int64  `json:"filter_bytes"`
	} `json:"days"`
	Removed struct {
		Blocks int   `json:"blocks"`
		Bytes  int64 `json:"bytes"`
	} `json:"removed"`
	RetainedFrom string `json:"retained_from"`
	Partial      bool   `json:"partial"`
	Reason       string `json:"partial_reason"`
}

// storage shows where the bytes go.
func (t *tool) storage() *cobra.Command {
	limit := 20
	c := &cobra.Command{Use: "storage", Short: "What stored lines take: by service, column and day", Args: cobra.NoArgs,
		Long: `What stored lines take in MySQL, compressed. Services and columns are estimates from a sample of blocks; the rest is exact.`,
		RunE: func(c *cobra.Command, _ []string) error {
			raw, err := t.api.Do(c.Context(), client.Request{Method: http.MethodGet, Path: []string{"api", "storage"}, Query: url.Values{"limit": {strconv.Itoa(limit)}}})
			if err != nil {
				return err
			}
			var s storageRow
			if err := json.Unmarshal(raw, &s); err != nil {
				return fmt.Errorf("reading the answer: %w", err)
			}
			if t.output != asTable {
				err = t.line(raw)
			} else {
				err = t.storageTables(&s)
			}
			if err == nil && s.Partial {
				t.screen.Note("not all blocks could be looked at: %s", s.Reason)
				return errPartial
			}
			return err
		}}
	c.Flags().IntVar(&limit, "limit", limit, "how many services and columns are shown, the largest first")
	return c
}

func (t *tool) storageTables(s *storageRow) error {
	all := s.Bytes + s.Filters
	if _, err := fmt.Fprintf(t.env.Out, "%d lines in %d blocks: %s, %s of them token filters; %s a line\n\n", s.Lines, s.Blocks, size(all), size(s.Filters), perLine(all, s.Lines)); err != nil {
		return err
	}
	services := screen.Table{Head: []string{"BYTES", "SHARE", "LINES", "A LINE", "SERVICE"}}
	for _, v := range s.Services {
		services.Rows = append(services.Rows, []screen.Cell{{Text: size(v.Bytes)}, {Text: part(v.Bytes, all)}, {Text: strconv.FormatInt(v.Lines, 10)}, {Text: perLine(v.Bytes, v.Lines)}, {Text: v.Service}})
	}
	columns := screen.Table{Head: []string{"BYTES", "SHARE", "BEFORE", "A LINE", "COLUMN"}}
	for _, v := range s.Columns {
		columns.Rows = append(columns.Rows, []screen.Cell{{Text: size(v.Bytes)}, {Text: part(v.Bytes, all)}, {Text: size(v.Raw)}, {Text: perLine(v.Bytes, s.Lines)}, {Text: v.Column}})
	}
	days := screen.Table{Head: []string{"BYTES", "SHARE", "LINES", "A LINE", "DAY OF RECEIPT"}}
	for _, v := range s.Days {
		days.Rows = append(days.Rows, []screen.Cell{{Text: size(v.Bytes + v.Filters)}, {Text: part(v.Bytes+v.Filters, all)}, {Text: strconv.FormatInt(v.Lines, 10)}, {Text: perLine(v.Bytes+v.Filters, v.Lines)}, {Text: v.Day}})
	}
	for i, table := range []screen.Table{services, columns, days} {
		if i > 0 {
			if _, err := fmt.Fprintln(t.env.Out); err != nil {
				return err
			}
		}
		if err := t.screen.Write(table); err != nil {
			return err
		}
	}
	for what, n := range map[string]int{"services": s.ServicesTotal - len(s.Services), "columns": s.ColumnsTotal - len(s.Columns)} {
		if n > 0 {
			t.screen.Note("%d smaller %s are not shown (--limit)", n, what)
		}
	}
	if s.Removed.Blocks > 0 {
		t.screen.Note("%s of %d blocks were merged or removed in the last minutes and are deleted soon", size(s.Removed.Bytes), s.Removed.Blocks)
	}
	if s.RetainedFrom != "" {
		t.screen.Note("lines received before %s are not kept any more", s.RetainedFrom)
	}
	return nil
}

func part(n, of int64) string { return fmt.Sprintf("%.1f%%", 100*float64(n)/float64(max(1, of))) }

func perLine(bytes, lines int64) string {
	return fmt.Sprintf("%.1f B", float64(bytes)/float64(max(1, lines)))
}
