package enrich

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

// TestRealLogs reads 2,000 real lines of eight systems and compares each level with the one that people wrote beside it.
func TestRealLogs(t *testing.T) {
	t.Parallel()
	dir := testkit.Loghub(t)
	for system, year := range map[string][2]int{"Apache": {2005, 2005}, "BGL": {2005, 2006}, "HDFS": {2008, 2008}, "Hadoop": {2015, 2015},
		"Spark": {2017, 2017}, "Zookeeper": {2015, 2015}, "Linux": {2025, 2025}, "OpenSSH": {2025, 2025}} {
		t.Run(system, func(t *testing.T) {
			t.Parallel()
			lines, levels := realLines(t, dir, system)
			for i, line := range lines {
				rec := logrec.Record{Service: system, Message: line}
				New(Config{}).Record(&rec, received)
				require.NotEqual(t, received, rec.Timestamp, "no time in %q", line)
				got := time.Unix(0, rec.Timestamp).UTC().Year()
				require.True(t, year[0] <= got && got <= year[1], "year %d of %q", got, line)
				if want, ok := logrec.ParseLevel(levels[i]); ok && system != "Linux" {
					require.Equal(t, want.String(), rec.Level.String(), "%q", line)
				}
			}
		})
	}
}

func realLines(t *testing.T, dir, system string) (lines, levels []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, system, system+"_2k.log"))
	require.NoError(t, err)
	lines = strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")), "\n")
	f, err := os.Open(filepath.Join(dir, system, system+"_2k.log_structured.csv"))
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(lines)+1)
	column := -1
	for i, name := range rows[0] {
		if name == "Level" {
			column = i
		}
	}
	levels = make([]string, len(lines))
	for i, row := range rows[1:] {
		if column >= 0 {
			levels[i] = row[column]
		}
	}
	return lines, levels
}
