package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/collector/internal/idempotency"
	"github.com/logmill/logmill/shared/testkit"
)

// keyed posts a body under an Idempotency-Key.
func keyed(t *testing.T, url, contentType, key, body string) (code int, text string, replayed bool) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set(idempotency.Header, key)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	if resp.StatusCode >= 400 {
		require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	}
	return resp.StatusCode, string(out), resp.Header.Get(idempotency.ReplayedHeader) == "true"
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	url := collector(t, cfg, nil)
	lines := func() (n int) {
		for _, recs := range raw(t, cfg) {
			n += len(recs)
		}
		return n
	}
	const ndjson, two = "application/x-ndjson", `{"service":"a","msg":"1"}` + "\n" + `{"service":"b","msg":"2"}`

	code, text, replayed := keyed(t, url+"/api/logs", ndjson, "k1", two)
	require.Equal(t, http.StatusOK, code, text)
	require.False(t, replayed)
	code, again, replayed := keyed(t, url+"/api/logs", ndjson, `"k1"`, two)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, text, again)
	require.True(t, replayed)
	require.Equal(t, 2, lines(), "an answered request is not sent again")

	code, text, _ = keyed(t, url+"/api/logs", ndjson, "k1", two+"\n")
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Contains(t, text, "a key names one request")
	code, _, _ = keyed(t, url+"/api/logs", ndjson, "k2", two)
	require.Equal(t, http.StatusOK, code, "the same body under another key is another request")
	require.Equal(t, 4, lines())

	code, _, _ = keyed(t, url+"/api/logs", ndjson, "k3", "{")
	require.Equal(t, http.StatusBadRequest, code)
	code, text, _ = keyed(t, url+"/api/logs", ndjson, "k3", two)
	require.Equal(t, http.StatusOK, code, "nothing was stored under the key, so the mended body may have it: %s", text)

	partly := two + "\n7"
	code, text, _ = keyed(t, url+"/api/logs", ndjson, "k4", partly)
	require.Equal(t, http.StatusBadRequest, code)
	code, again, replayed = keyed(t, url+"/api/logs", ndjson, "k4", partly)
	require.Equal(t, http.StatusBadRequest, code)
	require.Equal(t, text, again)
	require.True(t, replayed)
	require.Equal(t, 8, lines())

	code, text, _ = keyed(t, url+"/api/logs", ndjson, strings.Repeat("k", 256), two)
	require.Equal(t, http.StatusBadRequest, code)
	require.Contains(t, text, "longer than 255")
	code, text, _ = keyed(t, url+"/api/logs", ndjson, "k5", strings.Repeat(`{"msg":"`+strings.Repeat("x", 200<<10)+`"}`+"\n", 24))
	require.Equal(t, http.StatusRequestEntityTooLarge, code)
	require.Contains(t, text, "at most 4 MiB")

	otlp := `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"m"}}]}]}]}`
	code, _, _ = keyed(t, url+"/v1/logs", "application/json", "k6", otlp)
	require.Equal(t, http.StatusOK, code)
	_, _, replayed = keyed(t, url+"/v1/logs", "application/json", "k6", otlp)
	require.True(t, replayed)
	require.Equal(t, 9, lines())
	require.Contains(t, metrics(t, url), `logmill_collector_keyed_requests_total{outcome="conflict"} 1`)
}

func metrics(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// TestARepeatOfWhatIsSafeCostsNoQuota, and a request that its service's quota refused leaves its key free.
func TestARepeatOfWhatIsSafeCostsNoQuota(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(path, []byte("services: {loud: {limits: {lines_per_second: 1}}}"), 0o600))
	url := collector(t, testkit.Kafka(t), func(c *Config) { c.ServicesFile = path })
	loud := strings.Repeat(`{"service":"loud","message":"m"}`+"\n", 100)
	for i := range 3 {
		code, text, replayed := keyed(t, url+"/api/logs", "application/x-ndjson", "k1", loud)
		require.Equal(t, http.StatusOK, code, text)
		require.Equal(t, i > 0, replayed)
	}
	code, _, _ := keyed(t, url+"/api/logs", "application/x-ndjson", "k2", loud)
	require.Equal(t, http.StatusTooManyRequests, code)
	code, text, _ := keyed(t, url+"/api/logs", "application/x-ndjson", "k2", strings.ReplaceAll(loud, "loud", "quiet"))
	require.Equal(t, http.StatusOK, code, text)
}
