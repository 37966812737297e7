// Package catalogue is what an installation knows of its services: who owns them, how much they may send, and what must not be stored of
// their lines. It is one YAML file (LOGMILL_SERVICES_FILE) that collector, processor and api read, each its part:
//
//	services:
//	  checkout:
//	    team: payments
//	    env: prod
//	    tier: "1"
//	    links: {runbook: https://wiki.example/checkout}
//	    limits: {lines_per_second: 5000, bytes_per_second: 2000000}
//	  "search-*": {team: discovery}
//	redaction:
//	  builtin: [card, email, token]
//	  rules:
//	    - {name: ssn, regex: '\b\d{3}-\d{2}-\d{4}\b', services: ["hr-*"]}
//	    - {name: password, field: attributes.password}
package catalogue

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"gopkg.in/yaml.v3"
)

// Service is what the catalogue says of a service.
type Service struct {
	Team        string            `yaml:"team" json:"team,omitempty"`
	Env         string            `yaml:"env" json:"env,omitempty"`
	Tier        string            `yaml:"tier" json:"tier,omitempty"`
	Description string            `yaml:"description" json:"description,omitempty"`
	Links       map[string]string `yaml:"links" json:"links,omitempty"`
	Limits      Limits            `yaml:"limits" json:"limits,omitzero"`
}

// Limits are what a service may send to one collector, on average over a few seconds. 0 = no limit.
type Limits struct {
	Lines float64 `yaml:"lines_per_second" json:"lines_per_second,omitempty"`
	Bytes float64 `yaml:"bytes_per_second" json:"bytes_per_second,omitempty"` // of the body, decompressed
}

// Catalogue is a read file. A name that ends in * stands for all services that begin so; the longest such name wins, and a full name wins over
// all of them. The zero value knows nothing.
type Catalogue struct {
	exact     map[string]Service
	prefixes  []prefixService // the longest first
	Redaction Redaction
}

type prefixService struct {
	prefix  string
	service Service
}

// Limits of a file, each with its reason.
const (
	maxFile     = 16 << 20 // bytes; a company's services are a few hundred KB
	maxServices = 100_000
)

// Parse reads a catalogue. Unknown keys are errors, so that a misspelt "taem" is seen; the error joins all problems.
func Parse(text []byte) (*Catalogue, error) {
	var file struct {
		Services  map[string]Service `yaml:"services"`
		Redaction Redaction          `yaml:"redaction"`
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes; at most %d are read", len(text), maxFile)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && len(strings.TrimSpace(string(text))) > 0 {
		return nil, err
	}
	c := &Catalogue{exact: map[string]Service{}, Redaction: file.Redaction}
	var problems []error
	if len(file.Services) > maxServices {
		problems = append(problems, fmt.Errorf("%d services; at most %d are possible", len(file.Services), maxServices))
	}
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		if err := pattern(name); err != nil {
			problems = append(problems, err)
		}
		if s.Limits.Lines < 0 || s.Limits.Bytes < 0 {
			problems = append(problems, fmt.Errorf("service %q: limits are not negative", name))
		}
		c.add(name, s)
	}
	return c, errors.Join(append(problems, c.Redaction.check()...)...)
}

// pattern checks a name, which may end in a star.
func pattern(name string) error {
	if name == "" || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
		return fmt.Errorf("service name %q: a * may only stand at the end", name)
	}
	return nil
}

// Match tells whether a name, which may end in a star, stands for a service.
func Match(name, service string) bool {
	if prefix, wild := strings.CutSuffix(name, "*"); wild {
		return strings.HasPrefix(service, prefix)
	}
	return name == service
}

func (c *Catalogue) add(name string, s Service) {
	prefix, wild := strings.CutSuffix(name, "*")
	if !wild {
		c.exact[name] = s
		return
	}
	at, _ := slices.BinarySearchFunc(c.prefixes, len(prefix), func(p prefixService, n int) int { return cmp.Compare(n, len(p.prefix)) })
	c.prefixes = slices.Insert(c.prefixes, at, prefixService{prefix, s})
}

// Service is what is known of a service; the zero Service when nothing is.
func (c *Catalogue) Service(name string) Service {
	if s, ok := c.exact[name]; ok {
		return s
	}
	for _, p := range c.prefixes {
		if strings.HasPrefix(name, p.prefix) {
			return p.service
		}
	}
	return Service{}
}

// reloadEvery is how often the file is looked at.
const reloadEvery = 5 * time.Second

// File is a catalogue that is read again when it changes. Safe for concurrent use.
type File struct {
	path string
	said func(error) // told of a file that cannot be read again

	mu      sync.Mutex
	current *Catalogue
	version int
	looked  time.Time
	changed time.Time
}

// Open reads the file at path; no path is an empty catalogue. said hears of a change that cannot be read: what was read before stays.
func Open(path string, said func(error)) (*File, error) {
	f := &File{path: path, said: said, current: &Catalogue{}, version: 1, looked: time.Now()}
	if path == "" {
		return f, nil
	}
	return f, f.read()
}

func (f *File) read() error {
	fi, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("reading the service catalogue: %w", err)
	}
	if fi.ModTime().Equal(f.changed) {
		return nil
	}
	f.changed = fi.ModTime() // also of one that cannot be read: it is said once
	text, err := os.ReadFile(f.path)
	if err != nil {
		return fmt.Errorf("reading the service catalogue: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return fmt.Errorf("reading the service catalogue %s: %w", f.path, err)
	}
	f.current, f.version = c, f.version+1
	return nil
}

// Get is the catalogue now, and a number that is another one when it is.
func (f *File) Get() (c *Catalogue, version int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path != "" && time.Since(f.looked) >= reloadEvery {
		f.looked = time.Now()
		if err := f.read(); err != nil {
			f.said(err)
		}
	}
	return f.current, f.version
}
