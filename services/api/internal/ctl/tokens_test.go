package ctl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/auth"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	s := newShell(t, "http://127.0.0.1:1") // nobody is asked
	code, _, errs := s.run("token", "create", "shop", "--scope", "ingest:shop")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "LOGMILL_TOKENS_FILE")
	s.env["LOGMILL_TOKENS_FILE"] = "tokens.yaml"
	code, out, errs := s.run("token", "create", "shop", "--scope", "ingest:shop,read", "--expires-in", "24h")
	require.Equal(t, exitOK, code, errs)
	text := strings.TrimSpace(out)
	f, err := auth.Parse([]byte(s.text("tokens.yaml")))
	require.NoError(t, err)
	require.Equal(t, auth.Hash(text), f.Tokens[0].Hash)
	require.Equal(t, f.Tokens[0].Created.AddDate(0, 0, 1), f.Tokens[0].Expires)
	for _, args := range [][]string{{"create", "shop", "--scope", "read"}, {"create", "b", "--scope", "write"}, {"create", "c"}, {"revoke", "nobody"}} {
		code, _, errs := s.run(append([]string{"token"}, args...)...)
		require.Equal(t, exitUsage, code, args)
		require.NotEmpty(t, errs)
	}
	_, out, _ = s.run("token", "list")
	require.Contains(t, out, "ingest:shop read")
	require.NotContains(t, out, "sha256")
	code, _, _ = s.run("token", "revoke", "shop")
	require.Equal(t, exitOK, code)
	f, err = auth.Parse([]byte(s.text("tokens.yaml")))
	require.NoError(t, err)
	require.Empty(t, f.Tokens)
}
