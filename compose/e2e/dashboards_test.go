package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/logmill/logmill/compose/e2e/internal/stack"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// rare are metrics that a healthy pipeline does not show, because they have no series before it happens the first time.
var rare = []string{
	"logmill_collector_batches_failed_total", "logmill_processor_epoch_losses_total", "logmill_evaluator_repeats_total", "logmill_evaluator_gaps_total",
	"logmill_evaluator_gaps_filled_total", "logmill_evaluator_damaged_total",
	"logmill_processor_retired_lines_total",
}

// prometheus is a real one that scrapes a stack.
type prometheus struct {
	t   *testing.T
	url string
}

func startPrometheus(t *testing.T, s *stack.Stack, rules string) *prometheus {
	t.Helper()
	var targets []string
	for _, name := range []string{"collector", "processor-1", "alert-evaluator", "api"} {
		targets = append(targets, fmt.Sprintf("%q", strings.TrimPrefix(s.URL(name), "http://")))
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, "global: {scrape_interval: 500ms, evaluation_interval: 500ms}\nrule_files: [%q]\nscrape_configs: [{job_name: logmill, static_configs: [{targets: [%s]}]}]\n",
		rules, strings.Join(targets, ", ")), 0o600))
	l, err := net.Listen("tcp", "127.0.0.1:0") // it cannot say which port it took
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	program := testkit.Prometheus(t)
	cmd := exec.Command(program, "--config.file="+conf, "--storage.tsdb.path="+dir, "--web.listen-address="+addr, "--log.level=warn")
	cmd.Dir = filepath.Dir(filepath.Dir(program))
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
	})
	p := &prometheus{t, "http://" + addr}
	require.Eventually(t, func() bool { return ok(p.url + "/-/ready") }, time.Minute, 100*time.Millisecond)
	return p
}

func ok(url string) bool {
	resp, err := http.Get(url)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// get decodes the data of an answer; an error of the query is one of the test.
func (p *prometheus) get(path string, into any) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	answer := struct{ Data any }{into}
	require.Equal(p.t, http.StatusOK, resp.StatusCode, "%s: %s", path, body)
	require.NoError(p.t, json.Unmarshal(body, &answer), string(body))
}

// query are the labels of each series that an expression gives.
func (p *prometheus) query(expr string) (series []map[string]string) {
	p.t.Helper()
	var data struct {
		Result []struct{ Metric map[string]string }
	}
	p.get("/api/v1/query?query="+url.QueryEscape(expr), &data)
	for _, r := range data.Result {
		series = append(series, r.Metric)
	}
	return series
}

var (
	metricName = regexp.MustCompile(`\blogmill_[a-z_]+`)
	grouping   = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// metricsOf are the names in an expression, of histograms the bare one.
func metricsOf(expr string) (out []string) {
	for _, n := range metricName.FindAllString(expr, -1) {
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			n = strings.TrimSuffix(n, suffix)
		}
		out = append(out, n)
	}
	return out
}

// dashboardQueries are the expressions of a dashboard by panel, with a range for Grafana's.
func dashboardQueries(t *testing.T, path string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(raw, &d))
	out := map[string][]string{}
	for i, panel := range d.Panels {
		require.True(t, panel.Type == "row" || len(panel.Targets) > 0, panel.Title)
		for _, q := range panel.Targets {
			key := fmt.Sprintf("%d %s", i, panel.Title)
			out[key] = append(out[key], strings.ReplaceAll(q.Expr, "$__rate_interval", "1m"))
		}
	}
	return out
}

func alertExpressions(t *testing.T, path string) (out []string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var f struct {
		Groups []struct{ Rules []struct{ Expr string } }
	}
	require.NoError(t, yaml.Unmarshal(raw, &f))
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			out = append(out, r.Expr)
		}
	}
	return out
}

// provoke makes everything happen that the dashboard shows and that can be made to happen: lines, refused ones, dead letters of both kinds, an alert.
func provoke(t *testing.T, s *stack.Stack) {
	t.Helper()
	call(t, s, http.MethodPost, "/api/alert-rules", map[string]any{"name": "any error", "condition": "COUNT(*)", "filter": "level = 'error'", "threshold": 1, "time_window": "5s"})
	resp, err := http.Post(s.URL("collector")+"/api/logs", "application/json", strings.NewReader(`{"timestamp":"never","message":"x"}`))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	c := sarama.NewConfig()
	c.Version, c.Producer.Return.Successes = sarama.V2_8_0_0, true
	p, err := sarama.NewSyncProducer(s.Kafka.Brokers, c)
	require.NoError(t, err)
	defer p.Close()
	_, _, err = p.SendMessage(&sarama.ProducerMessage{Topic: contract.TopicRaw, Value: sarama.StringEncoder("{not json")})
	require.NoError(t, err)
}

// TestDashboardsNameWhatThereIs runs every query of the Grafana dashboard and every Prometheus rule in a real Prometheus on a running pipeline.
func TestDashboardsNameWhatThereIs(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	defer hook.Close()
	bridges := filepath.Join(t.TempDir(), "bridges.yaml")
	require.NoError(t, os.WriteFile(bridges, fmt.Appendf(nil, "receivers:\n- {name: broken, webhook: {url: %q, secret_env: HOOK_SECRET, attempts: 2, backoff: 10ms}}\n- {name: pager, alertmanager: {url: %q}}\nroutes: [{receiver: broken}, {receiver: pager}]\n",
		hook.URL, stubAlertmanager(t)), 0o600))
	t.Setenv("ALERT_BRIDGES_FILE", bridges)
	t.Setenv("HOOK_SECRET", "s3cret")
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	dashboards := filepath.Join(testkit.Root(t), "dashboards")
	prom := startPrometheus(t, s, filepath.Join(dashboards, "rules.yml"))
	provoke(t, s)

	wanted := map[string]bool{}
	queries := dashboardQueries(t, filepath.Join(dashboards, "pipeline.json"))
	for _, exprs := range queries {
		for _, e := range exprs {
			for _, n := range metricsOf(e) {
				wanted[n] = true
			}
		}
	}
	rules := alertExpressions(t, filepath.Join(dashboards, "rules.yml"))
	for _, e := range rules {
		for _, n := range metricsOf(e) {
			wanted[n] = true
		}
	}
	awaitMetrics(t, s, prom, wanted)

	for panel, exprs := range queries {
		for _, e := range exprs {
			series := prom.query(e)
			if !slices.ContainsFunc(metricsOf(e), func(n string) bool { return slices.Contains(rare, n) }) {
				require.NotEmpty(t, series, "%s: %s", panel, e)
			}
			for _, m := range grouping.FindAllStringSubmatch(e, -1) {
				for label := range strings.SplitSeq(m[1], ", ") {
					for _, one := range series {
						require.True(t, label == "le" || one[label] != "", "%s: there is no label %s in %v: %s", panel, label, one, e)
					}
				}
			}
		}
	}
	var groups struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	prom.get("/api/v1/rules", &groups)
	require.Len(t, groups.Groups[0].Rules, len(rules))
	for _, r := range groups.Groups[0].Rules {
		require.Equal(t, "ok", r.Health, "%s: %s", r.Name, r.LastError)
	}
}

// awaitMetrics sends lines until Prometheus has had each of the wanted metrics for some scrapes; rare ones are looked for in the sources.
func awaitMetrics(t *testing.T, s *stack.Stack, prom *prometheus, wanted map[string]bool) {
	t.Helper()
	sources := sourceTexts(t)
	for _, n := range rare {
		require.True(t, wanted[n], "%s is not shown anywhere", n)
		require.True(t, inSources(sources, n), "there is no metric %s in the sources", n)
		delete(wanted, n)
	}
	missing := func() (out []string) {
		for n := range wanted {
			if len(prom.query(fmt.Sprintf(`count_over_time({__name__=~"%s|%s_count"}[1m]) > 4`, n, n))) == 0 {
				out = append(out, n)
			}
		}
		return out
	}
	for deadline := time.Now().Add(2 * time.Minute); len(missing()) > 0; pause(time.Second) {
		require.True(t, time.Now().Before(deadline), "no service has %v", missing())
		sendErrors(t, s, "shop", 1)
		old := `{"service":"shop","timestamp":"2020-01-01T00:00:00Z","message":"long ago"}`
		resp, err := http.Post(s.URL("collector")+"/api/logs", "application/json", strings.NewReader(old))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
}

// sourceTexts are the services' sources.
func sourceTexts(t *testing.T) (texts []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(testkit.Root(t), "services"), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			raw, err := os.ReadFile(path)
			texts = append(texts, string(raw))
			return err
		}
		return err
	}))
	return texts
}

// inSources finds a metric whose name stands in one file, as a whole or as the service's prefix and the rest.
func inSources(texts []string, name string) bool {
	parts := strings.SplitN(name, "_", 3) // logmill, service, rest
	return slices.ContainsFunc(texts, func(text string) bool {
		return strings.Contains(text, `"`+name+`"`) || strings.Contains(text, `"`+parts[2]+`"`) && strings.Contains(text, `"logmill_`+parts[1])
	})
}

// stubAlertmanager takes everything.
func stubAlertmanager(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	return s.URL
}
