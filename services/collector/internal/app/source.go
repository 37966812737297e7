package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/services/collector/internal/tail"
	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/obs"
)

// SourceConfig is what `collector tail` and `collector stdin` read from the environment.
type SourceConfig struct {
	Kafka config.Kafka
	Log   config.Log
	HTTP  config.HTTP
}

// Options are the arguments of `collector tail` and `collector stdin`.
type Options struct {
	tail.Config
	Stdin bool
	Port  int // of health and metrics; 0 = none
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return "" }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// ParseOptions reads the arguments behind the command's name. Help goes to out; flag.ErrHelp after it.
func ParseOptions(command string, args []string, out io.Writer) (Options, error) {
	o := Options{Stdin: command == "stdin"}
	host, _ := os.Hostname()
	var exclude list
	set := flag.NewFlagSet("collector "+command, flag.ContinueOnError)
	set.SetOutput(out)
	set.Usage = func() {
		if o.Stdin {
			_, _ = fmt.Fprintln(out, "usage: … | collector stdin --service NAME [flags]\nSends each line of the standard input once, and ends with it.")
		} else {
			_, _ = fmt.Fprintln(out, "usage: collector tail [flags] GLOB…\nFollows files through rotation and sends each line once, also across kill -9. Quote the globs: files that come later count too.")
		}
		set.PrintDefaults()
	}
	service := set.String("service", "", "service of lines that do not name theirs (tail: the file's name)")
	join := set.String("join", "auto", "lines of one entry: auto (stack traces, and lines without the time that others begin with), off, or a regular expression that first lines match")
	charset := set.String("encoding", "auto", "of the text: auto (UTF-8, or UTF-16 by its mark), or a name such as iso-8859-1, windows-1252, utf-16le")
	set.BoolVar(&o.Records.Text, "text", false, "lines that are JSON objects are text too, not records")
	set.StringVar(&o.Records.Host, "host", host, "host of lines that do not name theirs")
	set.IntVar(&o.Port, "port", 0, "port of /healthz, /readyz and /metrics; 0 = none")
	if !o.Stdin {
		set.StringVar(&o.Name, "name", host, "name of this tail: its positions are kept under it, and one process at a time may have it")
		set.BoolVar(&o.FromEnd, "from-end", false, "skip what is in the files at the first start")
		set.Var(&exclude, "exclude", "pattern of paths or names to leave out; may be given several times")
	}
	if err := set.Parse(args); err != nil {
		return o, err
	}
	o.Patterns, o.Exclude = set.Args(), exclude
	o.Records.Service = tail.ServiceOf
	if *service != "" || o.Stdin {
		o.Records.Service = func(string) string { return *service }
	}
	return o, errors.Join(o.setText(*join, *charset), o.check(*service))
}

func (o *Options) setText(join, charset string) (err error) {
	switch join {
	case "auto":
	case "off":
		o.Join.Off = true
	default:
		o.Join.Start, err = regexp.Compile(join)
	}
	cs, cerr := tail.CharsetOf(charset)
	o.Charset = cs
	return errors.Join(err, cerr)
}

func (o *Options) check(service string) error {
	switch {
	case o.Stdin && service == "":
		return errors.New("--service is missing: which service do the lines belong to?")
	case o.Stdin && len(o.Patterns) > 0:
		return fmt.Errorf("%q is too much: stdin takes no files (collector tail does)", o.Patterns[0])
	case !o.Stdin && len(o.Patterns) == 0:
		return errors.New("no GLOB: which files?")
	case !o.Stdin && !namePattern.MatchString(o.Name):
		return fmt.Errorf("--name=%q is not 1–100 of letters, digits, dot, dash and underscore", o.Name)
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// Source is a wired tail or pipe.
type Source struct {
	cfg     SourceConfig
	opt     Options
	log     zerolog.Logger
	in      io.Reader
	health  *obs.Health
	metrics *tail.Metrics
	stack   app.Stack
}

// NewSource binds the listener, if there is to be one, waits for Kafka, and makes the topics. in is read by stdin.
func NewSource(ctx context.Context, cfg SourceConfig, opt Options, in io.Reader, log zerolog.Logger) (_ *Source, err error) {
	reg := obs.NewRegistry()
	s := &Source{cfg: cfg, opt: opt, in: in, log: log, health: &obs.Health{}, metrics: tail.NewMetrics(reg)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stack.Close())
		}
	}()
	if err := s.listen(reg); err != nil {
		return nil, err
	}
	a := &App{cfg: Config{Kafka: cfg.Kafka}, log: log}
	client, err := a.kafka(ctx)
	if err != nil {
		return nil, errors.Join(err, a.stack.Close())
	}
	s.stack.Push("Kafka client", stopTimeout, func(context.Context) error { return client.Close() })
	s.health.Add("kafka", client.Ping)
	return s, nil
}

func (s *Source) listen(reg *prometheus.Registry) error {
	if s.opt.Port == 0 {
		return nil
	}
	server, err := obs.NewServer(s.cfg.HTTP, s.opt.Port, s.health, reg, s.log)
	if err != nil {
		return fmt.Errorf("listening (--port): %w", err)
	}
	server.Start()
	s.stack.Push("health and metrics", stopTimeout, server.Shutdown)
	return nil
}

// Run sends until ctx ends, or the input of stdin.
func (s *Source) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, s.stack.Close()) }()
	s.health.SetReady(true)
	defer s.health.SetReady(false)
	deps := tail.Deps{Metrics: s.metrics, Log: s.log, Now: time.Now}
	if s.opt.Stdin {
		return tail.NewPipe(s.opt.Config, deps, s.open).Run(ctx, s.in)
	}
	deps.Open = s.open("tail-" + s.opt.Name)
	s.log.Info().Strs("patterns", s.opt.Patterns).Str("name", s.opt.Name).Msg("following files")
	err = tail.New(s.opt.Config, deps).Run(ctx)
	if errors.Is(err, exact.ErrFenced) {
		return fmt.Errorf("--name %s: %w", s.opt.Name, err)
	}
	return err
}

// open opens writers under a transactional id.
func (s *Source) open(id string) func(context.Context) (tail.Sink, error) {
	return func(ctx context.Context) (tail.Sink, error) {
		w, err := exact.Open(ctx, s.cfg.Kafka, "logmill-"+id, s.log)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
}
