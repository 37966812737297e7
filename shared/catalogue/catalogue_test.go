package catalogue

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNamesAndPrefixes(t *testing.T) {
	t.Parallel()
	c, err := Parse([]byte("services:\n  search-api: {team: core, tier: '1', links: {runbook: 'https://x'}, limits: {lines_per_second: 10}}\n  'search-*': {team: discovery, env: prod}\n  's*': {team: s}\n  '*': {team: everyone}\n"))
	require.NoError(t, err)
	require.Equal(t, Service{Team: "core", Tier: "1", Links: map[string]string{"runbook": "https://x"}, Limits: Limits{Lines: 10}}, c.Service("search-api"))
	require.Equal(t, "discovery", c.Service("search-index").Team)
	require.Equal(t, "s", c.Service("shop").Team)
	require.Equal(t, "everyone", c.Service("x").Team)
	require.Equal(t, Service{}, (&Catalogue{}).Service("x"))
}

func TestMistakesAreNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"services: {a: {taem: x}}":                                       "taem",
		"services: {'a*b': {team: x}}":                                   "a * may only stand at the end",
		"services: [":                                                    "yaml",
		"services: {a: {limits: {lines_per_second: -1}}}":                "not negative",
		"redaction: {builtin: [iban]}":                                   "card, email, token",
		"redaction: {rules: [{name: a, regex: '('}]}":                    "missing closing",
		"redaction: {rules: [{name: a}]}":                                "regex, field",
		"redaction: {rules: [{name: 'A b', field: message}]}":            "a name is",
		"redaction: {rules: [{name: a, field: level}]}":                  `field "level"`,
		"redaction: {rules: [{name: a, field: attributes.}]}":            "attributes.NAME",
		"redaction: {rules: [{name: a, regex: x}, {name: a, regex: y}]}": "twice",
		"redaction: {rules: [{name: a, regex: x, services: ['a*b']}]}":   "at the end",
	} {
		_, err := Parse([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
	_, err := Parse(nil)
	require.NoError(t, err)
}

func TestAFileThatChanges(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "services.yaml")
	write := func(text string, at time.Time) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	begin := time.Now().Add(-time.Hour)
	write("services: {a: {team: one}}", begin)
	var said []error
	f, err := Open(path, func(err error) { said = append(said, err) })
	require.NoError(t, err)
	c, first := f.Get()
	require.Equal(t, "one", c.Service("a").Team)
	look := func() (*Catalogue, int) { f.looked = time.Time{}; return f.Get() }
	write("services: {a: {taem: two}}", begin.Add(time.Minute))
	c, version := look()
	require.Equal(t, "one", c.Service("a").Team, "what was read before stays in force")
	require.Equal(t, first, version)
	look()
	require.Len(t, said, 1, "said once")
	write("services: {a: {team: two}}", begin.Add(2*time.Minute))
	c, version = look()
	require.Equal(t, "two", c.Service("a").Team)
	require.NotEqual(t, first, version)
	_, err = Open(path+".none", nil)
	require.Error(t, err)
}
