package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/testkit"
)

// TestTokensOfServices: lines of a service need its token, a request with others' lines is refused whole, and a stranger gets nowhere.
func TestTokensOfServices(t *testing.T) {
	t.Parallel()
	var f auth.File
	shop, err := f.Create("shop-agents", []auth.Scope{"ingest:shop"}, time.Now(), time.Time{})
	require.NoError(t, err)
	reader, err := f.Create("prometheus", []auth.Scope{auth.Read}, time.Now(), time.Time{})
	require.NoError(t, err)
	encoded, err := f.Encode()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	require.NoError(t, os.WriteFile(path, encoded, 0o600))
	kafka := testkit.Kafka(t)
	url := collector(t, kafka, func(c *Config) { c.HTTP.TokensFile = path })
	send := func(method, route, token, body string) (int, string) {
		req, err := http.NewRequest(method, url+route, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	const mine, others = `{"service":"shop","message":"mine"}`, `{"service":"cart","message":"theirs"}`
	for _, route := range []string{"/api/logs", "/v1/logs", "/api/nowhere"} {
		code, _ := send("POST", route, "", mine)
		require.Equal(t, 401, code, route)
		code, _ = send("POST", route, reader, mine)
		require.Equal(t, 403, code, route)
	}
	code, _ := send("GET", "/metrics", "", "")
	require.Equal(t, 401, code)
	code, _ = send("GET", "/metrics", shop, "")
	require.Equal(t, 403, code)
	code, _ = send("GET", "/metrics", reader, "")
	require.Equal(t, 200, code)
	code, text := send("POST", "/api/logs", shop, mine+"\n"+others)
	require.Equal(t, 403, code)
	require.Contains(t, text, `cart`)
	code, _ = send("POST", "/api/logs", shop, mine)
	require.Equal(t, 200, code)
	total := 0
	for _, recs := range raw(t, kafka) {
		total += len(recs)
	}
	require.Equal(t, 1, total, "of the refused request nothing is there")
}

// TestQuotas: a service over its quota is answered 429, and the others go on.
func TestQuotas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(path, []byte("services: {loud: {limits: {lines_per_second: 1}}}"), 0o600))
	url := collector(t, testkit.Kafka(t), func(c *Config) { c.ServicesFile = path })
	line := func(service string, n int) int {
		resp, err := http.Post(url+"/api/logs", "application/x-ndjson", strings.NewReader(strings.Repeat(`{"service":"`+service+`","message":"m"}`+"\n", n)))
		require.NoError(t, err)
		defer resp.Body.Close()
		if resp.StatusCode == 429 {
			require.NotEmpty(t, resp.Header.Get("Retry-After"))
		}
		return resp.StatusCode
	}
	require.Equal(t, 200, line("loud", 100))
	require.Equal(t, 429, line("loud", 1))
	require.Equal(t, 200, line("quiet", 100))
}
