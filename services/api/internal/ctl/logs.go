package ctl

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
)

// logRow is a log line as the api answers it.
type logRow struct {
	ID             string                     `json:"id"`
	Timestamp      time.Time                  `json:"timestamp"`
	Level          string                     `json:"level"`
	Service        string                     `json:"service"`
	Message        string                     `json:"message"`
	TraceID        string                     `json:"trace_id"`
	SpanID         string                     `json:"span_id"`
	UserID         string                     `json:"user_id"`
	RequestMethod  string                     `json:"request_method"`
	RequestPath    string                     `json:"request_path"`
	ResponseStatus int32                      `json:"response_status"`
	ResponseTimeMS *float64                   `json:"response_time_ms"`
	Attributes     map[string]json.RawMessage `json:"attributes"`
}

// logChoice chooses log lines.
type logChoice struct {
	services, levels []string
	trace, user      string
	start, end       string
}

func (l *logChoice) flags(t *tool, c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVarP(&l.services, "service", "s", nil, "only of these services")
	f.StringSliceVarP(&l.levels, "level", "l", nil, "only these levels; '>=warn' for one and the worse ones")
	f.StringVar(&l.trace, "trace", "", "only of this trace")
	f.StringVar(&l.user, "user-id", "", "only of this user")
	f.StringVar(&l.start, "start", "", "from when: a moment, or 15m for that long ago (the beginning)")
	f.StringVar(&l.end, "end", "", "until when (now)")
	complete(c, "level", append(logrec.LevelNames(), ">=warn", ">=error"))
	completeBy(c, "service", t.serviceNames)
}

func (l *logChoice) query() url.Values {
	q := url.Values{}
	set(q, "service", strings.Join(l.services, ","))
	set(q, "level", strings.Join(l.levels, ","))
	set(q, "trace_id", l.trace)
	set(q, "user_id", l.user)
	set(q, "start", moment(l.start))
	set(q, "end", moment(l.end))
	return q
}

// moment lets 15m mean now-15m. A bare number is a time.
func moment(s string) string {
	if d, err := rule.ParseDuration(s); err == nil && d >= 0 && strings.Trim(s, "0123456789") != "" {
		return "now-" + s
	}
	return s
}

var logsPath = []string{"api", "logs"}

// lineForm is how lines are shown to people.
type lineForm struct {
	bare  bool      // without fields
	since time.Time // times count from here; zero: times of the clock
	mark  string    // before the line
}

func (t *tool) search() *cobra.Command {
	var l logChoice
	var e extent
	var form lineForm
	order, text, countOnly, explained := "desc", "", false, false
	c := &cobra.Command{Use: "search [QUERY…]", Short: "Search log lines",
		Long: `Search log lines: those that match the query and the flags, the newest first. Words and "phrases" are looked for in the message, in any case;
OR, -word, ( ), field:value, field:>500, field:[a TO b], field:a*, field:/regex/ and _exists_:field are described in docs/query-language.md.
--text finds a text wherever it stands, like grep -i.
When the answer is not complete, standard error says why and the exit code is 5. A query that begins with - comes behind --.`,
		Example: `  logmillctl search -s checkout -l '>=error' --start 15m declined
  logmillctl search --all -o json '"connection refused" OR response_status:>=500' > lines.ndjson
  logmillctl search -o raw -n 1000 --order asc --start 2026-01-31T12:00:00Z
  logmillctl search --explain -n 1 'request_path:/api/* -user_id:ann'`,
		RunE: func(c *cobra.Command, args []string) error {
			q := l.query()
			set(q, "q", strings.Join(args, " "))
			set(q, "search", text)
			if explained {
				q.Set("explain", "true")
			}
			set(q, "order", order)
			if countOnly {
				return t.count(c, q)
			}
			return t.pages(c.Context(), listing{logsPath, "logs", q, e}, func(p page) error {
				return each(p.items, func(raw json.RawMessage) error { return t.logLine(raw, form) })
			})
		}}
	l.flags(t, c)
	e.flags(c, "logs")
	c.Flags().StringVar(&order, "order", "desc", "desc: the newest first; asc: the oldest first")
	c.Flags().StringVar(&text, "text", "", "only with this text anywhere in the message, in any case")
	c.Flags().BoolVar(&explained, "explain", false, "say on standard error what the api did for the answer")
	c.Flags().BoolVar(&countOnly, "count", false, "only say how many there are")
	c.Flags().BoolVar(&form.bare, "no-fields", false, "without the lines' fields")
	c.MarkFlagsMutuallyExclusive("count", "limit")
	c.MarkFlagsMutuallyExclusive("count", "all")
	complete(c, "order", []string{"desc", "asc"})
	return c
}

// count says how many lines there are.
func (t *tool) count(c *cobra.Command, q url.Values) error {
	q.Set("count", "true")
	q.Set("limit", "0")
	raw, err := t.api.Do(c.Context(), client.Request{Path: logsPath, Query: q})
	if err != nil {
		return err
	}
	var got struct {
		Total   int64    `json:"total"`
		Partial bool     `json:"partial"`
		Reason  string   `json:"partial_reason"`
		Hints   []hint   `json:"hints"`
		Explain *explain `json:"explain"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("reading the count: %w", err)
	}
	t.hint(got.Hints)
	if t.output == asTable {
		err = t.screen.Print("%d", got.Total)
	} else {
		err = t.line(compact(raw))
	}
	t.explain(got.Explain)
	if err == nil && got.Partial {
		t.screen.Note("at least so many: %s", got.Reason)
		err = errPartial
	}
	return err
}

func (t *tool) trace() *cobra.Command {
	var form lineForm
	var start, end string
	c := &cobra.Command{Use: "trace ID", Short: "Show all lines of a trace, the oldest first", Args: cobra.ExactArgs(1),
		Long: "Show all lines of a trace, of all services, the oldest first, with the time since the first.",
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			set(q, "start", moment(start))
			set(q, "end", moment(end))
			n := 0
			err := t.pages(c.Context(), listing{append(slices.Clone(logsPath), "trace", args[0]), "logs", q, extent{all: true}}, func(p page) error {
				return each(p.items, func(raw json.RawMessage) error {
					if n++; n == 1 {
						var first logRow
						if err := json.Unmarshal(raw, &first); err != nil {
							return err
						}
						form.since = first.Timestamp
					}
					return t.logLine(raw, form)
				})
			})
			if err == nil && n == 0 {
				t.screen.Note("there are no lines of trace %s", args[0])
			}
			return err
		}}
	c.Flags().StringVar(&start, "start", "", "from when: a moment, or 15m for that long ago (the beginning)")
	c.Flags().StringVar(&end, "end", "", "until when (now)")
	c.Flags().BoolVar(&form.bare, "no-fields", false, "without the lines' fields")
	return c
}

// logLine writes one line in the form that was asked for.
func (t *tool) logLine(raw json.RawMessage, form lineForm) error {
	if t.output == asJSON {
		return t.line(raw)
	}
	var r logRow
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("reading a log line: %w", err)
	}
	if t.output == asRaw {
		if t.env.Terminal {
			r.Message = screen.Clean(r.Message, true)
		}
		return t.line([]byte(r.Message))
	}
	return t.screen.Print("%s", t.forPeople(&r, form))
}

const levelWidth = 5

// forPeople is time, level, service, message and fields.
func (t *tool) forPeople(r *logRow, form lineForm) string {
	at := t.time(r.Timestamp)
	if !form.since.IsZero() {
		at = fmt.Sprintf("%+12.3fms", float64(r.Timestamp.Sub(form.since).Microseconds())/1000)
	}
	text := form.mark + t.screen.Paint(screen.Dim, at) + " " + t.screen.Paint(levelStyle(r.Level), fmt.Sprintf("%-*s", levelWidth, r.Level)) + " " +
		t.screen.Paint(serviceStyle(r.Service), screen.Clean(r.Service, false)) + " " + screen.Clean(r.Message, false)
	if form.bare {
		return text
	}
	for _, f := range r.fields(!form.since.IsZero()) {
		text += " " + t.screen.Paint(screen.Dim, screen.Clean(f[0]+"="+quoted(f[1]), false))
	}
	return text
}

// quoted puts what would run into the next field into quotes.
func quoted(s string) string {
	if strings.ContainsAny(s, " =\"\t\n") {
		return strconv.Quote(s)
	}
	return s
}

// serviceStyle gives a service the same colour everywhere.
func serviceStyle(name string) screen.Style {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return []screen.Style{screen.Cyan, screen.Blue, screen.Purple, screen.Green, screen.Bold}[h.Sum32()%5]
}

// fields are what a line has besides time, level, service and message; all lines of a trace have its id.
func (r *logRow) fields(ofTrace bool) (out [][2]string) {
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	add("request", strings.TrimSpace(r.RequestMethod+" "+r.RequestPath))
	if r.ResponseStatus != 0 {
		add("status", strconv.Itoa(int(r.ResponseStatus)))
	}
	if r.ResponseTimeMS != nil {
		add("ms", strconv.FormatFloat(*r.ResponseTimeMS, 'f', -1, 64))
	}
	add("user_id", r.UserID)
	if !ofTrace {
		add("trace_id", r.TraceID)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Attributes)) {
		value := string(r.Attributes[k])
		var text string
		if json.Unmarshal(r.Attributes[k], &text) == nil {
			value = text
		}
		add(k, value)
	}
	return out
}
