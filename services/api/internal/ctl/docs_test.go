package ctl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

var fence = regexp.MustCompile("(?s)```(yaml|json|console)\n(.*?)```")

// TestTheDocumentIsTrue runs docs/rules-as-code.md: its files are written, its commands say what it says.
func TestTheDocumentIsTrue(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(testkit.Root(t), "docs", "rules-as-code.md"))
	require.NoError(t, err)
	s := newShell(t, "http://127.0.0.1:1")
	ran := 0
	for _, block := range fence.FindAllStringSubmatch(string(raw), -1) {
		kind, text := block[1], block[2]
		switch kind {
		case "yaml":
			name, ok := strings.CutPrefix(strings.SplitN(text, "\n", 2)[0], "# ")
			require.True(t, ok, text)
			s.file(name, text)
		case "json":
			s.file("incident.ndjson", text)
		case "console":
			command, want, _ := strings.Cut(strings.TrimPrefix(text, "$ logmillctl "), "\n")
			_, out, errs := s.run(strings.Fields(command)...)
			require.Equal(t, want, out+errs, command)
			ran++
		}
	}
	require.Equal(t, 4, ran)
}
