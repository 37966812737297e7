package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/auth"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// TestBrowser runs the tests of the web UI (services/api/web/e2e) in a real Chromium, on a stack with generated traffic, whose incidents and
// processes they steer. BROWSER=name runs those whose file or title has it.
func TestBrowser(t *testing.T) {
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	enableSampleRules(t, s)
	steering := generate(t, s)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /incident/{name}", func(_ http.ResponseWriter, r *http.Request) { steering(r.PathValue("name"))() })
	for verb, do := range map[string]func(string) error{"stop": s.Stop, "start": s.Restart} {
		mux.HandleFunc("POST /"+verb+"/{name}", func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.PathValue("name")); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	mux.HandleFunc("POST /poison", func(w http.ResponseWriter, r *http.Request) {
		if err := poison(s); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	control := httptest.NewServer(mux)
	defer control.Close()

	asking, token := apiThatAsks(t, s)
	args := []string{"playwright", "test"}
	if only := os.Getenv("BROWSER"); only != "" {
		args = append(args, only)
	}
	cmd := exec.Command("npx", args...)
	cmd.Dir = filepath.Join(testkit.Root(t), "services", "api", "web")
	cmd.Env = append(os.Environ(), "LOGMILL_URL="+s.URL("api"), "LOGMILL_COLLECTOR="+s.URL("collector"), "LOGMILL_CONTROL="+control.URL, "LOGMILL_ASKING="+asking, "LOGMILL_READ_TOKEN="+token)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	require.NoError(t, cmd.Run())
}

// poison writes to logs.raw what the collector would not: a message of which one record is bad, and two requests of one Idempotency-Key, as
// collectors do that know nothing of each other.
func poison(s *stack.Stack) error {
	out := bus.NewPublisher(s.Kafka, "poison", false, zerolog.Nop())
	key := contract.RequestKey{1}
	now := time.Now().Format(time.RFC3339Nano)
	line := func(message, at string) string {
		return fmt.Sprintf(`{"service":"poisoned","level":"info","message":%q,"timestamp":%q}`, message, at)
	}
	home := contract.Home("poisoned", s.Kafka.Partitions)
	put := func(value string, headers ...contract.Header) error {
		return out.Publish(context.Background(), contract.TopicRaw, home, nil, []byte(value), append(headers, contract.Header{Key: contract.HeaderContentType, Value: contract.ContentTypeJSON}))
	}
	errs := []error{put("[" + line("the good half", now) + "," + line("<img src=x onerror=alert(1)> \u202e\x1b[31m", "never") + "]")}
	for _, message := range []string{"the first request", "the second request"} {
		value := line(message, now)
		errs = append(errs, put(value, contract.Request{Key: key, Fingerprint: contract.FingerprintOf("", []byte(value))}.Headers()...))
	}
	return errors.Join(append(errs, out.Close())...)
}

// apiThatAsks is a second api, which asks for tokens, and one that may read.
func apiThatAsks(t *testing.T, s *stack.Stack) (url, token string) {
	t.Helper()
	var f auth.File
	token, err := f.Create("viewer", []auth.Scope{auth.Read}, time.Now(), time.Time{})
	require.NoError(t, err)
	raw, err := f.Encode()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	s.Start("api-asking", "api", fmt.Sprintf("API_PORT=%d", s.Port("api-asking")), "LOGMILL_TOKENS_FILE="+path)
	s.AwaitReady("api-asking")
	return s.URL("api-asking"), token
}
