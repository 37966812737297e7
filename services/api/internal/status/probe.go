package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/logmill/logmill/shared/obs"
)

const (
	probeTimeout = 4 * time.Second // more than a health check takes that waits for a server which is away
	maxAnswer    = 8 << 20         // bytes of /metrics or /readyz
)

// Target is a process that is asked how it is.
type Target struct{ Service, URL string }

// ParseTargets reads service=URL, several with commas; a service may be there more than once.
func ParseTargets(text string) (out []Target, err error) {
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		service, address, ok := strings.Cut(part, "=")
		u, uerr := url.Parse(address)
		if !ok || service == "" || uerr != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			err = errors.Join(err, fmt.Errorf("%q is not service=http://host:port", part))
			continue
		}
		out = append(out, Target{service, strings.TrimSuffix(address, "/")})
	}
	return out, err
}

// States of a process or a partition. None of them but the first may look like it.
const (
	Warned  = "warning" // it serves, and something is not well
	Late    = "late"    // it works, behind by more than anybody expects
	Stopped = "stopped" // nothing has moved for a while, though it should
	Unknown = "unknown" // nobody knows
)

// Instance is a process, as it answered a moment ago.
type Instance struct {
	Service  string       `json:"service"`
	Address  string       `json:"address"`
	Status   string       `json:"status"`
	Error    string       `json:"error,omitempty"`
	Checks   []obs.Result `json:"checks"`
	Version  string       `json:"version"`  // "" = not known
	Revision string       `json:"revision"` // of the source
	Started  *time.Time   `json:"started_at,omitempty"`
	Rates    []Rate       `json:"rates"`
	totals   map[string]float64
	at       time.Time // when they were measured
}

// Rate is how much of something happens a second; null until it was measured twice.
type Rate struct {
	Name string   `json:"name"`
	Per  *float64 `json:"per_second"`
}

// counters are those whose rates say how a service does: name for people, metric.
var counters = map[string][][2]string{
	"collector":       {{"lines accepted", "logmill_collector_records_accepted_total"}, {"bytes received", "logmill_collector_received_bytes_total"}, {"lines rejected", "logmill_collector_records_rejected_total"}},
	"processor":       {{"lines stored", "logmill_processor_rows_total"}, {"dead letters", "logmill_processor_dead_letters_total"}, {"repeats dropped", "logmill_processor_repeated_messages_total"}},
	"alert-evaluator": {{"lines evaluated", "logmill_evaluator_rows_total"}, {"alert events", "logmill_evaluator_events_total"}},
}

// prober asks processes.
type prober struct {
	client *http.Client
	token  string
}

// ask never fails: that a process does not answer is what is known of it.
func (p *prober) ask(ctx context.Context, t Target) Instance {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	i := Instance{Service: t.Service, Address: t.URL, Status: OK, Checks: []obs.Result{}, Rates: []Rate{}}
	code, body, err := p.get(ctx, t.URL+"/readyz")
	var said struct {
		Checks []obs.Result `json:"checks"`
	}
	switch {
	case err != nil:
		i.Status, i.Error = Down, err.Error()
		return i
	case code != http.StatusOK:
		i.Status = Degraded
	}
	if json.Unmarshal(body, &said) == nil && said.Checks != nil {
		i.Checks = said.Checks
	} else if code != http.StatusOK {
		i.Error = fmt.Sprintf("/readyz answers %d", code)
	}
	for _, c := range i.Checks {
		if c.Warning != "" && i.Status == OK {
			i.Status = Warned
		}
	}
	i.measure(p.metrics(ctx, t))
	return i
}

func (p *prober) metrics(ctx context.Context, t Target) (map[string]*dto.MetricFamily, error) {
	code, body, err := p.get(ctx, t.URL+"/metrics")
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("/metrics answers %d: PIPELINE_TOKEN must be one with the scope read", code)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(strings.NewReader(string(body)))
}

// measure reads what a process says in figures. What it does not say is not known.
func (i *Instance) measure(families map[string]*dto.MetricFamily, err error) {
	if err != nil {
		if i.Status == OK {
			i.Status = Warned
		}
		i.Error = err.Error()
		return
	}
	for _, m := range families["logmill_build_info"].GetMetric() {
		for _, l := range m.GetLabel() {
			switch l.GetName() {
			case "version":
				i.Version = l.GetValue()
			case "revision":
				i.Revision = l.GetValue()
			}
		}
	}
	if f := families["process_start_time_seconds"].GetMetric(); len(f) > 0 {
		at := time.UnixMilli(int64(f[0].GetGauge().GetValue() * 1000)).UTC()
		i.Started = &at
	}
	i.totals, i.at = map[string]float64{}, time.Now()
	for _, c := range counters[i.Service] {
		sum := 0.0 // a counter with labels has no series before the first event
		for _, m := range families[c[1]].GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		i.totals[c[0]] = sum
		i.Rates = append(i.Rates, Rate{Name: c[0]})
	}
}

// since fills in the rates since an earlier measurement of the same process; one that began anew has none yet.
func (i *Instance) since(old *Instance) {
	if old == nil || old.totals == nil || i.Started == nil || old.Started == nil || !i.Started.Equal(*old.Started) || !i.at.After(old.at) {
		return
	}
	for n := range i.Rates {
		r := &i.Rates[n]
		per := (i.totals[r.Name] - old.totals[r.Name]) / i.at.Sub(old.at).Seconds()
		r.Per = &per
	}
}

func (p *prober) get(ctx context.Context, address string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, nil, err
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, body, err
}
