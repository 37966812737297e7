package app

import (
	"bytes"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArgumentsOfTailAndStdin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command string
		args    []string
		problem string
	}{
		"a tail":                    {"tail", []string{"--name", "web-1", "--exclude", "*.tmp", "/var/log/*.log"}, ""},
		"a pipe":                    {"stdin", []string{"--service", "web"}, ""},
		"no files":                  {"tail", []string{"--name", "a"}, "no GLOB"},
		"no service":                {"stdin", nil, "--service is missing"},
		"files for a pipe":          {"stdin", []string{"--service", "a", "x.log"}, "x.log"},
		"an encoding of nobody":     {"tail", []string{"--name", "a", "--encoding", "utf-9", "x"}, "utf-9"},
		"a bad regular expression":  {"tail", []string{"--name", "a", "--join", "(", "x"}, "missing closing"},
		"a name that is no name":    {"tail", []string{"--name", "a/b", "x"}, "--name"},
		"a flag of the other one's": {"stdin", []string{"--from-end"}, "not defined"},
	} {
		o, err := ParseOptions(c.command, c.args, &bytes.Buffer{})
		if c.problem == "" {
			require.NoError(t, err, name)
			require.NotEmpty(t, o.Records.Service("/x/web.log"))
			continue
		}
		require.ErrorContains(t, err, c.problem, name)
	}
	var help bytes.Buffer
	_, err := ParseOptions("tail", []string{"--help"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, help.String(), "collector tail [flags] GLOB")
}
