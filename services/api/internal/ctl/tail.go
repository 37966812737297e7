package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

const (
	// silentFor: the api says something every 10 s; after so long without a word it is gone.
	silentFor = 35 * time.Second

	// againAfter a connection was lost.
	againAfter = time.Second

	// remembered ids of lines shown, so that those that come again after a lost connection are not shown twice.
	remembered = 5000

	// maxEvent of the stream, bytes: far more than a line may have.
	maxEvent = 16 << 20
)

func (t *tool) tail() *cobra.Command {
	var l logChoice
	var form lineForm
	lines, rate := 10, 0
	c := &cobra.Command{Use: "tail [QUERY…]", Short: "Show log lines as they come",
		Long: `Show the last lines that match the query and the flags, and then each line as it comes, until Ctrl-C. Lines that are left out, because the terminal or
the rate is too slow, are told on standard error. When the connection is lost it is made again, and goes on where it was.`,
		Example: `  logmillctl tail -l '>=warn'
  logmillctl tail -s checkout -n 100 declined OR timeout
  logmillctl tail -o raw --rate 5000 > lines.txt`,
		RunE: func(c *cobra.Command, args []string) error {
			q := l.query()
			set(q, "q", strings.Join(args, " "))
			if rate > 0 {
				q.Set("rate", strconv.Itoa(rate))
			}
			w := &watching{t: t, form: form, q: q, seen: map[string]bool{}}
			return w.run(c.Context(), lines)
		}}
	l.flags(t, c)
	for _, name := range []string{"start", "end"} {
		_ = c.Flags().MarkHidden(name) // a tail has neither: they are refused below
	}
	c.PreRunE = func(c *cobra.Command, _ []string) error {
		if l.start != "" || l.end != "" {
			return errors.New("a tail has no --start and no --end: search has")
		}
		return nil
	}
	f := c.Flags()
	f.IntVarP(&lines, "lines", "n", lines, "so many of the lines that are there")
	f.IntVar(&rate, "rate", 0, "lines a second at most (500)")
	f.BoolVar(&form.bare, "no-fields", false, "without the lines' fields")
	return c
}

// watching is a tail under way.
type watching struct {
	t     *tool
	form  lineForm
	q     url.Values
	seen  map[string]bool
	order []string // of seen, the oldest first
}

// run reads until ctx ends. An api that refuses, or has never answered, is an error.
func (w *watching) run(ctx context.Context, lines int) error {
	connected := false
	for {
		w.q.Set("lines", strconv.Itoa(lines))
		began, err := w.once(ctx)
		connected = connected || began
		var refused *client.Problem
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !connected, errors.As(err, &refused) && exitCode(ctx, err) == exitRefused:
			return err
		case errors.Is(err, errWriting):
			return err
		}
		w.t.screen.Note("the connection is lost (%v): trying again", err)
		lines = pageSize
		timer := time.NewTimer(againAfter)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// errWriting is output that nobody takes any more.
var errWriting = errors.New("writing")

// once reads one connection; began says that the api answered.
func (w *watching) once(ctx context.Context) (began bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(silentFor, cancel)
	defer silence.Stop()
	resp, err := w.t.api.Send(ctx, client.Request{Path: []string{"api", "logs", "tail"}, Query: w.q})
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	in := bufio.NewScanner(resp.Body)
	in.Buffer(nil, maxEvent)
	var name, id string
	var data []byte
	for in.Scan() {
		silence.Reset(silentFor)
		key, value, _ := strings.Cut(in.Text(), ": ")
		switch key {
		case "event":
			name = value
		case "id":
			id = value
		case "data":
			data = append(data, value...)
		case "":
			if err := w.event(name, id, data); err != nil {
				return true, err
			}
			name, id, data = "", "", nil
		}
	}
	if err := in.Err(); err != nil {
		return true, w.t.api.Lost(ctx, err)
	}
	return true, errors.New("the api ended it")
}

func (w *watching) event(name, id string, data []byte) error {
	var told struct {
		Lines  int64  `json:"lines"`
		Detail string `json:"detail"`
	}
	switch name {
	case "":
		return w.line(id, data)
	case "dropped", "problem":
		if err := json.Unmarshal(data, &told); err != nil {
			return fmt.Errorf("reading an event: %w", err)
		}
		if name == "dropped" {
			w.t.screen.Note("%d lines were left out here: too many for the connection or for --rate", told.Lines)
		} else {
			w.t.screen.Note("%s", told.Detail)
		}
	}
	return nil
}

func (w *watching) line(id string, data []byte) error {
	if w.seen[id] {
		return nil
	}
	w.seen[id] = true
	if w.order = append(w.order, id); len(w.order) > remembered {
		delete(w.seen, w.order[0])
		w.order = w.order[1:]
	}
	if err := w.t.logLine(data, w.form); err != nil {
		return fmt.Errorf("%w: %w", errWriting, err)
	}
	return nil
}
