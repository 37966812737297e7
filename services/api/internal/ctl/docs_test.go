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

var (
	codeBlock = regexp.MustCompile("(?s)```\n(.*?)```|(?m)^    (.*)$")
	command   = regexp.MustCompile(`(?m)^(?:\s*|source <\()logmillctl ([^#>\n)]*)`)
	word      = regexp.MustCompile(`'[^']*'|\S+`)
)

// TestTheDocumentsNameWhatIsThere: every command line of the documents is one that the program has, with its flags.
func TestTheDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	n := 0
	for _, name := range []string{"README.md", "docs/logmillctl.md", "docs/rules-as-code.md"} {
		raw, err := os.ReadFile(filepath.Join(testkit.Root(t), name))
		require.NoError(t, err)
		for _, block := range codeBlock.FindAllString(string(raw), -1) {
			for _, line := range command.FindAllStringSubmatch(strings.ReplaceAll(block, " && ", "\n"), -1) {
				args := word.FindAllString(line[1], -1)
				root := (&tool{env: Env{Getenv: os.Getenv}}).root()
				root.InitDefaultCompletionCmd(args...)
				c, rest, err := root.Find(args)
				require.NoError(t, err, "%s: %s", name, line[0])
				require.NoError(t, c.ParseFlags(rest), "%s: %s", name, line[0])
				require.NoError(t, c.ValidateArgs(c.Flags().Args()), "%s: %s", name, line[0])
				n++
			}
		}
	}
	require.Greater(t, n, 20)
}
