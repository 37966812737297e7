package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/logmill/logmill/compose/e2e/internal/rig"
)

const (
	apiTimeout = time.Minute
	warmUp     = 10 // answers that fill the caches: what the first ones want is made in the background
	seconds    = 60
)

// answer is how fast a question was answered, ms.
type answer struct {
	Name    string    `json:"name"`
	What    string    `json:"what"`
	Target  float64   `json:"target_ms"`
	P50     float64   `json:"warm_p50_ms"`
	P95     float64   `json:"warm_p95_ms"`
	CPU     float64   `json:"warm_cpu_ms"` // of the api, an answer: what a busy machine does not change much
	Cold    []float64 `json:"cold_ms"`
	ColdP50 float64   `json:"cold_p50_ms"`
	Holds   bool      `json:"holds"`
	Missing string    `json:"not_measured,omitempty"` // why there are no figures
}

var errMissing = errors.New("the api has no such route")

// ask fills in the answers.
func ask(r *rig.Rig, out *report) error {
	out.Load[0] = rig.Load()
	out.Answers = make([]answer, len(questions))
	for i := range questions {
		out.Answers[i] = answer{Name: questions[i].Name, What: questions[i].What, Target: questions[i].Target}
	}
	for range rig.Number("COLD", 3) {
		for i := range questions {
			if err := cold(r, &questions[i], &out.Answers[i], out.Corpus); err != nil {
				return err
			}
		}
	}
	a, err := start(r)
	if err != nil {
		return err
	}
	defer func() { _ = a.stop() }()
	for i := range questions {
		if err := warm(a, &questions[i], &out.Answers[i], out.Corpus); err != nil {
			return err
		}
	}
	out.API, _ = rig.UseOf(a.pid())
	out.Load[1] = rig.Load()
	return nil
}

// api is the process that is asked.
type api struct{ cmd *exec.Cmd }

func (a *api) pid() string { return strconv.Itoa(a.cmd.Process.Pid) }

func start(r *rig.Rig) (*api, error) {
	cmd := exec.Command(".local/bin/api")
	cmd.Env = append(os.Environ(), "API_PORT="+strconv.Itoa(apiPort), "MYSQL_HOST=127.0.0.1", "MYSQL_PORT="+strconv.Itoa(r.Ports.MySQL), "MYSQL_USER=root", "MYSQL_PASSWORD=",
		"KAFKA_BROKERS=127.0.0.1:"+strconv.Itoa(r.Ports.Kafka), "KAFKA_EMBEDDED=true", "LOG_LEVEL=warn")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	a := &api{cmd}
	if err := rig.AwaitReady(apiPort, apiTimeout); err != nil {
		return nil, errors.Join(err, a.stop())
	}
	return a, nil
}

func (a *api) stop() error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return a.cmd.Wait()
}

// cold asks an api that has just said that it is ready.
func cold(r *rig.Rig, q *question, out *answer, c corpus) (err error) {
	a, err := start(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	ms, err := get(q, c)
	if errors.Is(err, errMissing) {
		out.Missing = err.Error()
		return nil
	}
	out.Cold = append(out.Cold, ms)
	out.ColdP50 = quantile(out.Cold, 0.5)
	return err
}

func warm(a *api, q *question, out *answer, c corpus) error {
	if out.Missing != "" {
		return nil
	}
	var times []float64
	var before rig.Use
	n := max(rig.Number("RUNS", 41), warmUp+3)
	for i, began := 0, time.Now(); i < n && (i < warmUp+3 || time.Since(began) < seconds*time.Second); i++ {
		if i == warmUp {
			before, _ = rig.UseOf(a.pid())
		}
		ms, err := get(q, c)
		if err != nil {
			return err
		}
		if i >= warmUp {
			times = append(times, ms)
		}
	}
	after, _ := rig.UseOf(a.pid())
	out.CPU = 1000 * (after.CPU - before.CPU) / float64(len(times))
	out.P50, out.P95 = quantile(times, 0.5), quantile(times, 0.95)
	out.Holds = out.P50 <= out.Target
	return nil
}

// get asks once, over a connection that is kept, and checks the answer. It returns the time until the last byte, ms.
func get(q *question, c corpus) (ms float64, err error) {
	began := time.Now()
	resp, err := http.Get(q.url(apiPort, c))
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	ms = float64(time.Since(began).Microseconds()) / 1000
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode == http.StatusNotFound:
		return 0, errMissing
	case resp.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("query %s: %s: %.300s", q.Name, resp.Status, body)
	}
	if err := q.check(body, c.Lines); err != nil {
		return 0, fmt.Errorf("query %s: %w", q.Name, err)
	}
	return ms, nil
}

func quantile(of []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(of))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
