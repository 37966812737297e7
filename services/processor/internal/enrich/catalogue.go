package enrich

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"
)

// Owner is what the service catalogue says of a service.
type Owner struct {
	Team string `yaml:"team"`
	Env  string `yaml:"env"`
}

// Catalogue says who owns which service. A name that ends in * stands for all services that begin so; the longest such name wins,
// and a full name wins over all of them. The zero value knows nothing.
type Catalogue struct {
	exact    map[string]Owner
	prefixes []prefixOwner // the longest first
}

type prefixOwner struct {
	prefix string
	owner  Owner
}

// LoadCatalogue reads a YAML file:
//
//	services:
//	  checkout:   {team: payments, env: prod}
//	  "search-*": {team: discovery}
//
// No file name gives an empty catalogue.
func LoadCatalogue(path string) (*Catalogue, error) {
	if path == "" {
		return &Catalogue{}, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the service catalogue: %w", err)
	}
	c, err := ParseCatalogue(text)
	if err != nil {
		return nil, fmt.Errorf("reading the service catalogue %s: %w", path, err)
	}
	return c, nil
}

// ParseCatalogue reads a catalogue's YAML; unknown keys are errors, so that a misspelt "taem" is seen.
func ParseCatalogue(text []byte) (*Catalogue, error) {
	var file struct {
		Services map[string]Owner `yaml:"services"`
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		return nil, err
	}
	c := &Catalogue{exact: map[string]Owner{}}
	var problems []error
	for name, owner := range file.Services {
		if name == "" || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			problems = append(problems, fmt.Errorf("service name %q: a * may only stand at the end", name))
			continue
		}
		c.add(name, owner)
	}
	return c, errors.Join(problems...)
}

func (c *Catalogue) add(name string, owner Owner) {
	prefix, wild := strings.CutSuffix(name, "*")
	if !wild {
		c.exact[name] = owner
		return
	}
	at := 0
	for at < len(c.prefixes) && len(c.prefixes[at].prefix) >= len(prefix) {
		at++
	}
	c.prefixes = append(c.prefixes, prefixOwner{})
	copy(c.prefixes[at+1:], c.prefixes[at:])
	c.prefixes[at] = prefixOwner{prefix, owner}
}

// Owner of a service; the zero Owner when the catalogue does not know it.
func (c *Catalogue) Owner(service string) Owner {
	if o, ok := c.exact[service]; ok {
		return o
	}
	for _, p := range c.prefixes {
		if strings.HasPrefix(service, p.prefix) {
			return p.owner
		}
	}
	return Owner{}
}
