// Package auth says who may do what over HTTP: bearer tokens with scopes, kept in a file as hashes.
//
// The file is YAML, written by `logmillctl token create` and read by every service, the collector without a database included. It is read
// again when it changes. A token is 32 random bytes, so that a plain SHA-256 of it is as good as a slow hash of a password.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Scope is what a token allows: Read, Admin, Ingest, or IngestPrefix and a service.
type Scope string

// Scopes.
const (
	Read         Scope = "read"   // search, metrics, rules and alerts; each service's own metrics
	Ingest       Scope = "ingest" // lines of every service
	Admin        Scope = "admin"  // everything
	IngestPrefix       = "ingest:"
)

// Token is one entry of the file.
type Token struct {
	Name    string    `yaml:"name"`
	Hash    string    `yaml:"hash"` // sha256:<hex>
	Scopes  []Scope   `yaml:"scopes"`
	Created time.Time `yaml:"created,omitempty"`
	Expires time.Time `yaml:"expires,omitempty"` // zero = never
}

// File is the tokens of an installation.
type File struct {
	Tokens []Token `yaml:"tokens"`
}

const (
	prefix    = "lm_" // so that scanners for leaked secrets know one
	hashKind  = "sha256:"
	maxTokens = 10000
	maxFile   = 4 << 20 // bytes
)

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,99}$`)

// Parse reads a file. The error joins all problems; unknown keys are problems, so that a misspelt one is seen.
func Parse(text []byte) (File, error) {
	var f File
	if len(text) > maxFile {
		return f, fmt.Errorf("the file has %d bytes; at most %d are read", len(text), maxFile)
	}
	dec := yaml.NewDecoder(strings.NewReader(string(text)))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && strings.TrimSpace(string(text)) != "" {
		return File{}, err
	}
	return f, f.check()
}

func (f File) check() error {
	var problems []error
	if len(f.Tokens) > maxTokens {
		problems = append(problems, fmt.Errorf("%d tokens; at most %d are possible", len(f.Tokens), maxTokens))
	}
	names, hashes := map[string]bool{}, map[string]bool{}
	for i, t := range f.Tokens {
		for _, err := range t.check() {
			problems = append(problems, fmt.Errorf("token %d (%s): %w", i+1, t.Name, err))
		}
		if names[t.Name] || hashes[t.Hash] {
			problems = append(problems, fmt.Errorf("token %d (%s): its name or its hash is there twice", i+1, t.Name))
		}
		names[t.Name], hashes[t.Hash] = true, true
	}
	return errors.Join(problems...)
}

func (t Token) check() (problems []error) {
	if !namePattern.MatchString(t.Name) {
		problems = append(problems, errors.New("a name is 1–100 of letters, digits and . _ @ -"))
	}
	if raw, err := hex.DecodeString(strings.TrimPrefix(t.Hash, hashKind)); err != nil || len(raw) != sha256.Size || !strings.HasPrefix(t.Hash, hashKind) {
		problems = append(problems, errors.New("hash is not sha256: and 64 hex digits"))
	}
	if len(t.Scopes) == 0 {
		problems = append(problems, errors.New("it has no scopes"))
	}
	for _, s := range t.Scopes {
		if err := s.Check(); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// Check says whether a scope is one.
func (s Scope) Check() error {
	if service, ok := strings.CutPrefix(string(s), IngestPrefix); ok && service != "" {
		return nil
	}
	if s != Read && s != Ingest && s != Admin {
		return fmt.Errorf("scope %q is not one of read, ingest, ingest:SERVICE, admin", s)
	}
	return nil
}

// Load reads the file at path.
func Load(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("reading the tokens: %w", err)
	}
	f, err := Parse(text)
	if err != nil {
		return File{}, fmt.Errorf("reading the tokens %s: %w", path, err)
	}
	return f, nil
}

// Create adds a new token and returns its text, which is nowhere else.
func (f *File) Create(name string, scopes []Scope, created, expires time.Time) (text string, err error) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	text = prefix + base64.RawURLEncoding.EncodeToString(raw)
	next := File{append(slices.Clone(f.Tokens), Token{Name: name, Hash: Hash(text), Scopes: scopes, Created: created, Expires: expires})}
	if err := next.check(); err != nil {
		return "", err
	}
	*f = next
	return text, nil
}

// Revoke removes a token by name and tells whether it was there.
func (f *File) Revoke(name string) bool {
	before := len(f.Tokens)
	f.Tokens = slices.DeleteFunc(f.Tokens, func(t Token) bool { return t.Name == name })
	return len(f.Tokens) < before
}

// Encode is the file's text.
func (f File) Encode() ([]byte, error) { return yaml.Marshal(f) }

// Hash is what the file keeps of a token.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hashKind + hex.EncodeToString(sum[:])
}

// Caller is who a request is from.
type Caller struct {
	Name   string // of the token, or the user that a trusted proxy names
	scopes []Scope
	all    bool // no tokens are asked for
}

// Proven tells whether Name is more than what the request says of itself.
func (c Caller) Proven() bool { return !c.all }

// May tells whether the caller may do what needs a scope.
func (c Caller) May(s Scope) bool {
	return c.all || slices.Contains(c.scopes, s) || slices.Contains(c.scopes, Admin)
}

// MayIngest tells whether the caller may send any lines at all; MayIngestOf, lines of a service.
func (c Caller) MayIngest() bool {
	return c.May(Ingest) || slices.ContainsFunc(c.scopes, func(s Scope) bool { return strings.HasPrefix(string(s), IngestPrefix) })
}

// MayIngestOf tells whether the caller may send lines of a service.
func (c Caller) MayIngestOf(service string) bool {
	return c.May(Ingest) || slices.Contains(c.scopes, Scope(IngestPrefix+service))
}
