// Package tail follows log files: it finds them, keeps up with rotation, joins the lines of an entry, and hands everything to a Sink
// together with the positions, so that each line is sent once whenever the process is killed.
//
// A session begins with what is stored: positions say which file stands where. Any error ends the session; the next one begins the same
// way, so that an unknown outcome needs no thought of its own. Within a session, files take turns; what was read goes out in one
// transaction with the new positions.
package tail

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/logrec"
)

// Sink takes records and positions in one transaction. exact.Writer is one.
type Sink interface {
	Load(ctx context.Context, prefix string) (map[string][]byte, error)
	Commit(ctx context.Context, t exact.Transaction) error
	Close()
}

// Config is what users set.
type Config struct {
	Name     string   // of this tail: its positions and its transactional id are by it
	Patterns []string // as filepath.Glob has them
	Exclude  []string // patterns of paths or names that are left out
	FromEnd  bool     // of files that are there at the first start, only what comes is read
	Join     Join
	Charset  Charset
	Records  Recorder
}

// Deps is what code sets.
type Deps struct {
	Open    func(ctx context.Context) (Sink, error)
	Metrics *Metrics
	Log     zerolog.Logger
	Now     func() time.Time
}

// Recorder makes records of entries.
type Recorder struct {
	Service func(path string) string // of lines that do not say theirs
	Host    string
	Text    bool // lines that are JSON objects are text as well
	parser  logrec.Parser
}

// record never fails: what is no JSON record is text. Strings may point into text.
func (r *Recorder) record(e Entry, path string, observed int64) (rec logrec.Record) {
	if r.Text || e.Part > 0 || e.Text[0] != '{' || r.parser.ParseObject([]byte(e.Text), &rec) != nil || rec.Message == "" {
		rec = logrec.Record{Message: e.Text}
	}
	rec.Observed = observed
	if rec.Service == "" || rec.Service == logrec.UnknownService {
		rec.Service = r.Service(path)
	}
	if rec.Host == "" {
		rec.Host = r.Host
	}
	if path != "" {
		_ = rec.SetAttribute("log.file.path", logrec.Value{Text: path}) // full of attributes: it goes without
	}
	if e.Part > 0 {
		_ = rec.SetAttribute("log.part", logrec.Value{Text: fmt.Sprint(e.Part), Kind: logrec.RawValue})
	}
	return rec
}

// Follower follows the files of a Config.
type Follower struct {
	cfg     Config
	deps    Deps
	started bool // the files of the first start have been seen
}

// New makes a Follower.
func New(cfg Config, deps Deps) *Follower { return &Follower{cfg: cfg, deps: deps} }

// Prefix is what the keys of a tail's positions begin with.
func Prefix(name string) string { return "tail/" + name + "/" }

// Run follows until ctx ends. The only error is exact.ErrFenced: another process follows under this name.
func (f *Follower) Run(ctx context.Context) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		began := f.deps.Now()
		err := f.session(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, exact.ErrFenced):
			return err
		}
		f.deps.Metrics.restarts.Inc()
		f.deps.Log.Warn().Err(err).Msg("beginning again from the stored positions")
		if f.deps.Now().Sub(began) > time.Minute {
			wait = retryMin
		}
		pause(ctx, wait)
	}
}

func (f *Follower) session(ctx context.Context) error {
	sink, err := f.deps.Open(ctx)
	if err != nil {
		return err
	}
	defer sink.Close()
	stored, err := sink.Load(ctx, Prefix(f.cfg.Name))
	if err != nil {
		return err
	}
	k, err := readKnown(stored)
	if err != nil {
		return err
	}
	s := newSession(f, sink, k)
	defer s.close()
	for ctx.Err() == nil {
		more, err := s.turn(ctx)
		if err != nil {
			return err
		}
		if !more {
			pause(ctx, pollEvery)
		}
	}
	return ctx.Err()
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// ServiceOf is the service of a file that nobody named: its name without the endings of logs and their rotation; of a file that is
// called by nothing else, its folder.
func ServiceOf(path string) string {
	name := filepath.Base(path)
	for {
		ext := filepath.Ext(name)
		if ext == "" || len(strings.Trim(ext, ".0123456789-")) > 0 && !slices.Contains(logEndings, ext) {
			break
		}
		name = strings.TrimSuffix(name, ext)
	}
	if name == "" || strings.Trim(name, "0123456789-_") == "" {
		name = filepath.Base(filepath.Dir(path))
	}
	return name
}

var logEndings = []string{".log", ".out", ".err", ".txt", ".json", ".ndjson"}
