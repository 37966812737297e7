package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
)

// formats that export writes.
const (
	asNDJSON  = "ndjson"
	asCSV     = "csv"
	asParquet = "parquet"
)

// tries is how often in a row a download that breaks off without a line goes on.
const tries = 5

func (t *tool) export() *cobra.Command {
	var l logChoice
	d := download{t: t}
	order, limit, fields := "asc", 0, []string(nil)
	c := &cobra.Command{Use: "export [QUERY…]", Short: "Write log lines as a file: NDJSON, CSV, Parquet",
		Long: `Write all lines that match the query and the flags, the oldest first, to standard output or a file. A download of ndjson that breaks off goes on behind
its last line. When something is missing, standard error says so and the exit code is 5.`,
		Example: `  logmillctl export --format parquet --file day.parquet --start 1d service:shop
  logmillctl export --format csv --fields timestamp,user_id,message -l error --start 6h
  logmillctl export '"connection refused"' > lines.ndjson`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := oneOf("format", d.format, []string{asNDJSON, asCSV, asParquet}); err != nil {
				return err
			}
			d.q = l.query()
			set(d.q, "q", strings.Join(args, " "))
			set(d.q, "format", d.format)
			set(d.q, "fields", strings.Join(fields, ","))
			set(d.q, "order", order)
			d.left = limit
			return d.run(c.Context())
		}}
	l.flags(t, c)
	f := c.Flags()
	f.StringVar(&d.format, "format", asNDJSON, "ndjson, csv or parquet")
	f.StringSliceVar(&fields, "fields", nil, "columns of csv (all)")
	f.StringVar(&order, "order", order, "asc: the oldest first; desc: the newest first")
	f.IntVarP(&limit, "limit", "n", 0, "at most so many lines; 0 = all")
	f.StringVarP(&d.file, "file", "f", "", "write to this file, which must not be there yet")
	complete(c, "format", []string{asNDJSON, asCSV, asParquet})
	complete(c, "order", []string{"asc", "desc"})
	complete(c, "fields", []string{"id", "timestamp", "level", "service", "message", "trace_id", "user_id", "host", "request_path", "response_status", "response_time_ms"})
	return c
}

// download is an export under way.
type download struct {
	t            *tool
	q            url.Values
	format, file string
	left         int // lines; 0: all
	out          io.Writer
	lines        int
	last         []byte // the last line of ndjson
	headed       bool   // the head of csv was written
	seen         progress
}

func (d *download) run(ctx context.Context) (err error) {
	d.out, d.seen = d.t.env.Out, progress{t: d.t, what: "logs"}
	if d.format != asNDJSON {
		d.seen.what = "KiB"
	}
	if d.file != "" {
		path := d.file
		if !filepath.IsAbs(path) {
			path = filepath.Join(d.t.env.Dir, path)
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		d.out = f
	}
	defer d.seen.end()
	for failed := 0; ; {
		before := d.lines
		next, err := d.part(ctx)
		switch {
		case err == nil && next == "":
			return nil
		case err == nil && d.left > 0 && d.lines >= d.left:
			return nil
		case err == nil && d.format == asParquet:
			d.t.screen.Note("not all logs: one file takes half an hour at most; a narrower range is one")
			return errPartial
		case err == nil:
			d.q.Set("cursor", next)
			d.q.Del("after")
			failed = 0
			continue
		}
		var away *client.Unreachable
		if failed++; d.lines > before {
			failed = 1
		}
		if ctx.Err() != nil || !errors.As(err, &away) || d.format != asNDJSON || d.last == nil || failed > tries {
			return err
		}
		if err := d.behindLast(); err != nil {
			return err
		}
		d.t.screen.Note("%v: going on behind line %d", err, d.lines)
	}
}

// behindLast asks for what comes behind the last line that arrived.
func (d *download) behindLast() error {
	var line struct{ ID string }
	if err := json.Unmarshal(d.last, &line); err != nil {
		return fmt.Errorf("reading the last line: %w", err)
	}
	d.q.Set("after", line.ID)
	d.q.Del("cursor")
	return nil
}

// part downloads one answer. next is where another one goes on, "" at the end.
func (d *download) part(ctx context.Context) (next string, err error) {
	if d.left > 0 {
		d.q.Set("limit", strconv.Itoa(d.left-d.lines))
	}
	resp, err := d.t.api.Send(ctx, client.Request{Path: []string{"api", "logs", "export"}, Query: d.q})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if d.format == asNDJSON {
		err = d.copyLines(ctx, resp.Body)
	} else {
		err = d.copyBytes(ctx, resp.Body)
	}
	if err != nil {
		return "", err
	}
	return d.ended(resp.Trailer)
}

// ended reads what is said at the end.
func (d *download) ended(trailer http.Header) (next string, err error) {
	if d.format == asCSV {
		n, _ := strconv.Atoi(trailer.Get("Logmill-Lines")) // absent: an api that ends without a word is told below
		d.lines += n
	}
	if trailer.Get("Logmill-Lines") == "" {
		return "", errors.New("the answer ends without its trailers: a proxy must not take them away, or the file may be a part")
	}
	if reason := trailer.Get("Logmill-Partial-Reason"); reason != "" {
		d.t.screen.Note("not all logs: %s", reason)
		return "", errPartial
	}
	return trailer.Get("Logmill-Next-Cursor"), nil
}

// copyLines copies whole lines only: what broke off comes again.
func (d *download) copyLines(ctx context.Context, body io.Reader) error {
	in := bufio.NewReaderSize(body, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil {
			return d.t.api.Lost(ctx, err)
		}
		if _, err := d.out.Write(line); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		d.last = line
		d.lines++
		d.seen.add(1)
	}
}

// copyBytes copies a file; the head of csv only once.
func (d *download) copyBytes(ctx context.Context, body io.Reader) error {
	in := bufio.NewReaderSize(body, 1<<20)
	if d.format == asCSV && d.headed {
		if _, err := in.ReadBytes('\n'); err != nil {
			return d.t.api.Lost(ctx, err)
		}
	}
	d.headed = true
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		if _, werr := d.out.Write(buf[:n]); werr != nil {
			return fmt.Errorf("writing: %w", werr)
		}
		d.seen.add(n >> 10)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return d.t.api.Lost(ctx, err)
		}
	}
}
