package bridge

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func env(vars map[string]string) func(string) string {
	return func(k string) string { return vars[k] }
}

func TestParseFillsInDefaults(t *testing.T) {
	t.Parallel()
	f, err := Parse([]byte(`
external_url: https://logs.example/
receivers:
  - name: pager
    alertmanager: {url: "http://127.0.0.1:9093", resend: 2m, attempts: 3}
  - name: chat
    webhook: {url: "https://chat.example/hook", secret_env: CHAT_SECRET, timeout: 3s, max_backoff: 5m}
routes:
  - receiver: pager
    severity: [high, critical]
    team: [payments]
    labels: {env: prod}
  - receiver: chat
`), env(map[string]string{"CHAT_SECRET": "s3cret"}))
	require.NoError(t, err)
	require.Equal(t, File{
		ExternalURL: "https://logs.example",
		Receivers: []Receiver{
			{Name: "pager", Alertmanager: &Alertmanager{URL: "http://127.0.0.1:9093", Resend: 2 * time.Minute, Delivery: Delivery{10 * time.Second, 3, time.Second, time.Minute}}},
			{Name: "chat", Webhook: &Webhook{URL: "https://chat.example/hook", SecretEnv: "CHAT_SECRET", secret: "s3cret", Delivery: Delivery{3 * time.Second, 8, time.Second, 5 * time.Minute}}},
		},
		Routes: []Route{{Receiver: "pager", Severity: []string{"high", "critical"}, Team: []string{"payments"}, Labels: map[string]string{"env": "prod"}}, {Receiver: "chat"}},
	}, f)
}

func TestParseJoinsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := Parse([]byte(`
external_url: logs.example
receivers:
  - name: Pager!
    alertmanager: {url: "ftp://secret-token.example", resend: 11m}
  - name: chat
    webhook: {url: "http://ok", secret_env: UNSET, atempts: 3, backoff: 2m, max_backoff: 1m}
  - name: chat
    webhook: {url: "http://ok", attempts: -1, timeout: 1h}
  - name: both
    webhook: {url: "http://ok"}
    alertmanager: {url: "http://ok"}
routes:
  - receiver: nobody
    severity: [urgent]
    tema: [x]
`), env(nil))
	for _, want := range []string{
		`atempts`, `tema`, `"Pager!": a name is`, `url is not one of`, `resend=11m0s`, `external_url is not`, `UNSET (secret_env) is not set`, `backoff=2m0s`,
		`"chat" is there twice`, `attempts=-1`, `timeout=1h`, `secret_env is empty`, `"both": it needs one of`, `no receiver "nobody"`, `severity "urgent"`,
	} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "secret-token", "URLs are secrets")
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"not YAML": "receivers: [", "a second document": "receivers: []\n---\nroutes: []\n", "a number for a time": "receivers: [{name: a, alertmanager: {url: 'http://a', resend: 60}}]",
	} {
		_, err := Parse([]byte(text), env(nil))
		require.Error(t, err, name)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	f, err := Load("")
	require.NoError(t, err)
	require.Equal(t, File{}, f, "off by default")
	_, err = Load(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	path := filepath.Join(t.TempDir(), "b.yaml")
	require.NoError(t, os.WriteFile(path, []byte("# nothing yet\n"), 0o600))
	f, err = Load(path)
	require.NoError(t, err)
	require.Equal(t, File{}, f)
}
