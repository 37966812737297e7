package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
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
	control := httptest.NewServer(mux)
	defer control.Close()

	args := []string{"playwright", "test"}
	if only := os.Getenv("BROWSER"); only != "" {
		args = append(args, only)
	}
	cmd := exec.Command("npx", args...)
	cmd.Dir = filepath.Join(testkit.Root(t), "services", "api", "web")
	cmd.Env = append(os.Environ(), "LOGMILL_URL="+s.URL("api"), "LOGMILL_COLLECTOR="+s.URL("collector"), "LOGMILL_CONTROL="+control.URL)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	require.NoError(t, cmd.Run())
}
