package scan

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/logrec"
)

// TestThePageIsTrue runs every example of docs/query-language.md.
func TestThePageIsTrue(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../../docs/query-language.md")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(page), "```json\n")
	body, _, _ := strings.Cut(rest, "```")
	var recs []logrec.Record
	for line := range strings.Lines(body) {
		var p logrec.Parser
		var r logrec.Record
		require.NoError(t, p.ParseObject([]byte(strings.TrimSpace(line)), &r))
		recs = append(recs, r)
	}
	var n names
	m := makeBlock(t, &n, recs, 0)
	answers, mistakes := 0, 0
	for line := range strings.Lines(string(page)) {
		row := regexp.MustCompile("^\\| `(.*?)` \\| ([^|]*?) ?\\|(.*\\|)?$").FindStringSubmatch(strings.TrimSpace(line))
		if row == nil {
			continue
		}
		if row[3] == "" {
			_, err := query.Parse(row[1])
			require.ErrorContains(t, err, row[2], row[1])
			mistakes++
			continue
		}
		rows, _ := run(t, m, &n, row[1])
		require.Equal(t, row[2], numbers(rows), row[1])
		answers++
	}
	require.Greater(t, answers, 60)
	require.Greater(t, mistakes, 6)
}

// numbers counts from 1.
func numbers(rows []int32) string {
	var out []string
	for _, r := range rows {
		out = append(out, string(rune('1'+r)))
	}
	return strings.Join(out, ", ")
}
