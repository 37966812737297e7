// Package bridge carries alert events from alerts.fired to where people are told: Alertmanager and webhooks. Each receiver is a consumer
// group of its own, so that one that is stuck holds up nobody else, and its offset moves only past what was delivered or put with the dead
// letters: at least once. The core (routes, alerts, signatures, retries, what fires) knows nothing of Kafka; consumer.go and state.go do.
package bridge

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/logmill/logmill/shared/config"
)

// File says who is told of what. The zero value tells nobody.
type File struct {
	ExternalURL string     `yaml:"external_url"` // of the api as people reach it, for the links of alerts
	Receivers   []Receiver `yaml:"receivers"`
	Routes      []Route    `yaml:"routes"`
}

// Receiver is one place that events go to: either an Alertmanager or a webhook.
type Receiver struct {
	Name         string        `yaml:"name"`
	Alertmanager *Alertmanager `yaml:"alertmanager"`
	Webhook      *Webhook      `yaml:"webhook"`
}

// Delivery is how hard a receiver is tried. What is left out has its default.
type Delivery struct {
	Timeout    time.Duration `yaml:"timeout"`     // of one request; 10 s
	Attempts   int           `yaml:"attempts"`    // before the event is a dead letter; 8
	Backoff    time.Duration `yaml:"backoff"`     // the longest wait before the second attempt, doubled for each further one; 1 s
	MaxBackoff time.Duration `yaml:"max_backoff"` // 1 min
}

// Alertmanager is a receiver that speaks Alertmanager's API v2.
type Alertmanager struct {
	URL      string        `yaml:"url"`    // without /api/v2/alerts
	Resend   time.Duration `yaml:"resend"` // between posts of an alert that fires; 1 min
	Delivery `yaml:",inline"`
}

// Webhook is a receiver that takes the CloudEvent as it is, signed.
type Webhook struct {
	URL       string `yaml:"url"`
	SecretEnv string `yaml:"secret_env"` // names the variable with the key of the signature
	Delivery  `yaml:",inline"`
	secret    config.Secret
}

// Route brings the events that match all of it to a receiver. What is left out matches everything.
type Route struct {
	Receiver string            `yaml:"receiver"`
	Severity []string          `yaml:"severity"` // any of
	Team     []string          `yaml:"team"`     // any of
	Labels   map[string]string `yaml:"labels"`   // all of
}

var (
	namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$`) // part of a consumer group's name and of metrics
	severities  = []string{"low", "medium", "high", "critical"}
)

// Load reads the file at path; no path is an empty File: bridges are off unless somebody asks for them. The error joins all problems.
func Load(path string) (File, error) {
	if path == "" {
		return File{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("reading the bridges: %w", err)
	}
	f, err := Parse(text, os.Getenv)
	if err != nil {
		return File{}, fmt.Errorf("reading the bridges %s: %w", path, err)
	}
	return f, nil
}

// Parse reads the YAML of a file, fills in defaults, and takes secrets from getenv. Unknown keys are errors, so that a misspelt one is seen.
func Parse(text []byte, getenv func(string) string) (File, error) {
	var f File
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	var problems []error
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		problems = append(problems, err)
		if types := (*yaml.TypeError)(nil); !errors.As(err, &types) {
			return File{}, err // not YAML: nothing more to say
		}
	} else if err == nil && !errors.Is(dec.Decode(new(yaml.Node)), io.EOF) {
		problems = append(problems, errors.New("there is a second document in the file: put everything into the first"))
	}
	problems = append(problems, f.complete(getenv)...)
	if err := errors.Join(problems...); err != nil {
		return File{}, err
	}
	return f, nil
}

// complete fills in what was left out and returns what is wrong.
func (f *File) complete(getenv func(string) string) []error {
	var problems []error
	if f.ExternalURL = strings.TrimSuffix(f.ExternalURL, "/"); f.ExternalURL != "" && checkURL(f.ExternalURL) != nil {
		problems = append(problems, errors.New("external_url is not one of http:// or https:// with a host"))
	}
	if n := len(f.Receivers); n > maxReceivers {
		problems = append(problems, fmt.Errorf("%d receivers; at most %d are possible", n, maxReceivers))
	}
	names := map[string]bool{}
	for i := range f.Receivers {
		r := &f.Receivers[i]
		if names[r.Name] {
			problems = append(problems, fmt.Errorf("receiver %q is there twice", r.Name))
		}
		names[r.Name] = true
		for _, err := range r.complete(getenv) {
			problems = append(problems, fmt.Errorf("receiver %q: %w", r.Name, err))
		}
	}
	for i, r := range f.Routes {
		for _, err := range r.check(names) {
			problems = append(problems, fmt.Errorf("route %d: %w", i+1, err))
		}
	}
	return problems
}

func (r *Receiver) complete(getenv func(string) string) []error {
	var problems []error
	if !namePattern.MatchString(r.Name) {
		problems = append(problems, errors.New("a name is 1–64 of a–z, 0–9 and -, not at its ends"))
	}
	if (r.Alertmanager == nil) == (r.Webhook == nil) {
		return append(problems, errors.New("it needs one of alertmanager and webhook"))
	}
	if r.Alertmanager != nil {
		return append(problems, r.Alertmanager.complete()...)
	}
	return append(problems, r.Webhook.complete(getenv)...)
}

func (a *Alertmanager) complete() []error {
	a.Resend = or(a.Resend, defaultResend)
	problems := append(checkURL(a.URL), a.Delivery.complete()...)
	if a.Resend < minResend || a.Resend > maxResend {
		problems = append(problems, fmt.Errorf("resend=%s is not within %s–%s", a.Resend, minResend, maxResend))
	}
	return problems
}

func (w *Webhook) complete(getenv func(string) string) []error {
	problems := append(checkURL(w.URL), w.Delivery.complete()...)
	if w.SecretEnv == "" {
		return append(problems, errors.New("secret_env is empty: it names the variable with the key that requests are signed with"))
	}
	if w.secret = config.Secret(getenv(w.SecretEnv)); w.secret == "" {
		problems = append(problems, fmt.Errorf("the variable %s (secret_env) is not set", w.SecretEnv))
	}
	return problems
}

func (d *Delivery) complete() []error {
	d.Timeout, d.Backoff = or(d.Timeout, defaultTimeout), or(d.Backoff, defaultBackoff)
	d.MaxBackoff, d.Attempts = or(d.MaxBackoff, max(defaultMaxPause, d.Backoff)), or(d.Attempts, defaultAttempts)
	var problems []error
	if d.Timeout < 0 || d.Timeout > maxTimeout {
		problems = append(problems, fmt.Errorf("timeout=%s is not above zero and up to %s", d.Timeout, maxTimeout))
	}
	if d.Attempts < 0 || d.Attempts > maxAttempts {
		problems = append(problems, fmt.Errorf("attempts=%d is not within 1–%d", d.Attempts, maxAttempts))
	}
	if d.Backoff < 0 || d.Backoff > d.MaxBackoff || d.MaxBackoff > maxWait {
		problems = append(problems, fmt.Errorf("backoff=%s and max_backoff=%s: the first is above zero, the second not below it and up to %s", d.Backoff, d.MaxBackoff, maxWait))
	}
	return problems
}

// checkURL never quotes the URL: those of chat webhooks are secrets.
func checkURL(text string) []error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return []error{errors.New("url is not one of http:// or https:// with a host")}
	}
	return nil
}

func (r Route) check(names map[string]bool) []error {
	var problems []error
	if !names[r.Receiver] {
		problems = append(problems, fmt.Errorf("there is no receiver %q", r.Receiver))
	}
	for _, s := range r.Severity {
		if !slices.Contains(severities, s) {
			problems = append(problems, fmt.Errorf("severity %q is not one of %s", s, strings.Join(severities, ", ")))
		}
	}
	return problems
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
