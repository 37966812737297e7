package ctl

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/auth"
)

// tokens works on the tokens' file, without a server: the first token is made before anything listens.
func (t *tool) tokens() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Tokens: create, list, revoke", Args: cobra.NoArgs, RunE: showHelp,
		Long: `Tokens and their scopes lie in a file that every service reads (LOGMILL_TOKENS_FILE): as hashes, so that the file opens no door.

Scopes: read (search, metrics, rules, alerts), ingest (lines of every service), ingest:SERVICE, admin (everything). Services take a change of the
file in within seconds.`}
	var path string
	c.PersistentFlags().StringVar(&path, "file", "", "the tokens' file (LOGMILL_TOKENS_FILE)")
	file := func() (string, error) {
		if p := t.or(path, "LOGMILL_TOKENS_FILE", ""); p != "" {
			return t.path(p), nil
		}
		return "", errors.New("which file? --file, or LOGMILL_TOKENS_FILE")
	}
	c.AddCommand(t.tokenCreate(file), t.tokenList(file), t.tokenRevoke(file))
	return c
}

func (t *tool) tokenCreate(file func() (string, error)) *cobra.Command {
	var scopes []string
	var lasts time.Duration
	c := &cobra.Command{Use: "create NAME --scope SCOPE…", Short: "Make a token and print it, once", Args: cobra.ExactArgs(1)}
	c.Flags().StringSliceVar(&scopes, "scope", nil, "read, ingest, ingest:SERVICE or admin; may be given several times")
	c.Flags().DurationVar(&lasts, "expires-in", 0, "how long it is good, such as 2160h; 0 = until it is revoked")
	c.RunE = func(_ *cobra.Command, args []string) error {
		path, err := file()
		if err != nil {
			return err
		}
		var expires time.Time
		now := t.env.Now().UTC().Truncate(time.Second)
		if lasts != 0 {
			expires = now.Add(lasts)
		}
		var wanted []auth.Scope
		for _, s := range scopes {
			wanted = append(wanted, auth.Scope(s))
		}
		var text string
		err = changeTokens(path, func(f *auth.File) (err error) {
			text, err = f.Create(args[0], wanted, now, expires)
			return err
		})
		if err != nil {
			return err
		}
		t.screen.Note("Keep it: it is written nowhere else.")
		_, err = fmt.Fprintln(t.env.Out, text)
		return err
	}
	return c
}

func (t *tool) tokenList(file func() (string, error)) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Names and scopes", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		path, err := file()
		if err != nil {
			return err
		}
		f, err := auth.Load(path)
		if err != nil {
			return err
		}
		table := screen.Table{Head: []string{"NAME", "SCOPES", "CREATED", "EXPIRES"}}
		for _, k := range f.Tokens {
			var scopes []string
			for _, s := range k.Scopes {
				scopes = append(scopes, string(s))
			}
			expires := "never"
			if !k.Expires.IsZero() {
				expires = k.Expires.Format(time.DateTime)
			}
			table.Rows = append(table.Rows, []screen.Cell{{Text: k.Name}, {Text: strings.Join(scopes, " ")}, {Text: k.Created.Format(time.DateTime)}, {Text: expires}})
		}
		return t.screen.Write(table)
	}}
}

func (t *tool) tokenRevoke(file func() (string, error)) *cobra.Command {
	return &cobra.Command{Use: "revoke NAME", Short: "Take a token back", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		path, err := file()
		if err != nil {
			return err
		}
		return changeTokens(path, func(f *auth.File) error {
			if !f.Revoke(args[0]) {
				return fmt.Errorf("there is no token %q in %s", args[0], path)
			}
			return nil
		})
	}}
}

// changeTokens reads the file, changes it, and puts the new one in its place at once: a service never reads half of it.
func changeTokens(path string, change func(*auth.File) error) error {
	f, err := auth.Load(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := change(&f); err != nil {
		return err
	}
	raw, err := f.Encode()
	if err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	if fi, err := os.Stat(path); err == nil {
		mode = fi.Mode().Perm() // services under other users read it
	}
	next := path + ".new"
	if err := os.WriteFile(next, raw, mode); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("writing the tokens: %w", err)
	}
	return nil
}
