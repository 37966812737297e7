// Package ctl is logmillctl: rules as code, alerts and search on the command line. It knows the api by its REST surface only, and the rules'
// language and engine from shared, so that checking and testing rules needs no server.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
)

// Env is the world around a run.
type Env struct {
	In          io.Reader
	Out, Err    io.Writer
	Getenv      func(string) string
	Terminal    bool   // Out is one
	ErrTerminal bool   // Err is one
	Width       int    // of the terminal, characters
	Dir         string // that files are relative to, "" = the process's
	Now         func() time.Time
}

// System is the process's world.
func System() Env {
	e := Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Now: time.Now, Terminal: term.IsTerminal(int(os.Stdout.Fd())), ErrTerminal: term.IsTerminal(int(os.Stderr.Fd()))}
	if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
		e.Width = w
	}
	return e
}

// Outputs are the forms of -o.
const (
	asTable = "table"
	asJSON  = "json"
	asRaw   = "raw"
)

var outputs = []string{asTable, asJSON, asRaw}

// options are the flags of every command.
type options struct {
	url, user      string
	timeout        time.Duration
	output, colour string
	local          bool
}

// tool is one run.
type tool struct {
	env Env
	options
	screen screen.Screen
	api    *client.Client
}

const defaultURL = "http://127.0.0.1:8080"

// Run runs one command line and returns the exit code (see Exit).
func Run(ctx context.Context, env Env, args []string) int {
	t := &tool{env: env}
	root := t.root()
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	err := root.ExecuteContext(ctx)
	t.screen.Err = env.Err
	if err != nil && !errors.Is(err, errSaid) {
		t.screen.Note("%s", screen.Clean(err.Error(), true))
	}
	return exitCode(ctx, err)
}

func (t *tool) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "logmillctl",
		Short: "Logmill on the command line: rules as code, alerts, search",
		Long: `logmillctl checks, tests and applies alert rules that are kept as files, works with alerts and silences, and searches, counts, watches and exports logs.

The api is at --url or LOGMILL_URL. Output is for people on -o table; -o json is one JSON object a line; -o raw is the text of log lines alone,
elsewhere the api's answer as it came. Exit codes: logmillctl help exit-codes. Moments: logmillctl help times.`,
		SilenceErrors: true, SilenceUsage: true,
		Version:           version(),
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return t.prepare(c) },
	}
	f := root.PersistentFlags()
	f.StringVar(&t.url, "url", "", "address of the api (LOGMILL_URL, else "+defaultURL+")")
	f.StringVar(&t.user, "user", "", "who you are, for the audit (LOGMILL_USER, else your login)")
	f.DurationVar(&t.timeout, "timeout", time.Minute, "how long the api may take for one answer; 0 = for ever")
	f.StringVarP(&t.output, "output", "o", asTable, "table, json or raw")
	f.StringVar(&t.colour, "colour", "auto", "auto (on a terminal, unless NO_COLOR is set), always or never")
	f.BoolVar(&t.local, "local", false, "times of tables in the local time zone instead of UTC")
	complete(root, "output", outputs)
	complete(root, "colour", colours)
	root.AddCommand(t.search(), t.trace(), t.stats(), t.tail(), t.context(), t.export(), t.alerts(), t.silences(), t.rules(), t.storage(), t.tokens(), exitHelp(), timesHelp())
	return root
}

var colours = []string{"auto", "always", "never"}

// prepare reads the flags that all commands have.
func (t *tool) prepare(c *cobra.Command) error {
	if err := oneOf("output", t.output, outputs); err != nil {
		return err
	}
	if err := oneOf("colour", t.colour, colours); err != nil {
		return err
	}
	t.screen = screen.Screen{Out: t.env.Out, Err: t.env.Err, Terminal: t.env.Terminal,
		Colour: t.colour == "always" || t.colour == "auto" && t.env.Terminal && t.env.Getenv("NO_COLOR") == ""}
	if t.env.Terminal {
		t.screen.Width = t.env.Width
	}
	cfg := client.Config{URL: t.or(t.url, "LOGMILL_URL", defaultURL), Token: t.env.Getenv("LOGMILL_TOKEN"), User: t.or(t.user, "LOGMILL_USER", login()), Agent: "logmillctl/" + version(), Timeout: t.timeout}
	var err error
	t.api, err = client.New(cfg)
	return err
}

func (t *tool) or(flag, variable, fallback string) string {
	if flag != "" {
		return flag
	}
	if v := t.env.Getenv(variable); v != "" {
		return v
	}
	return fallback
}

func oneOf(flag, value string, allowed []string) error {
	for _, a := range allowed {
		if a == value {
			return nil
		}
	}
	return fmt.Errorf("--%s %q is not one of %v", flag, value, allowed)
}

func login() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return info.Main.Version
}
