package ctl

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/logmill/logmill/services/api/internal/ctl/client"
	"github.com/logmill/logmill/services/api/internal/ctl/screen"
)

// statPoint is figures of a group or of a step of it.
type statPoint struct {
	Time   time.Time           `json:"time"`
	Count  int64               `json:"count"`
	Values map[string]*float64 `json:"values"`
}

type statGroup struct {
	By map[string]*string `json:"by"`
	statPoint
	Points []statPoint `json:"points"`
}

// statAnswer is what the api answers. Groups are kept as they came too, for -o json.
type statAnswer struct {
	Groups  []json.RawMessage `json:"groups"`
	Known   int               `json:"groups_total"`
	Others  int64             `json:"others"`
	Source  string            `json:"source"`
	Partial bool              `json:"partial"`
	Reason  string            `json:"partial_reason"`
	Start   time.Time         `json:"start"`
	Covered struct {
		Start time.Time `json:"start"`
	} `json:"covered"`
	Hints   []hint   `json:"hints"`
	Explain *explain `json:"explain"`
}

func (t *tool) stats() *cobra.Command {
	var l logChoice
	var by, metrics []string
	step, limit, explained := "", 20, false
	c := &cobra.Command{Use: "stats [QUERY…]", Short: "Count log lines, and work out figures of them",
		Long: `Count the lines that match the query and the flags, by fields and over time; with --metrics also sum(f) avg(f) min(f) max(f) p95(f) of numbers,
count(f) and distinct(f) of any field. The largest groups come first; standard error says how many there are besides.
When the answer does not cover the whole range, standard error says what it covers and the exit code is 5.`,
		Example: `  logmillctl stats --by service -l '>=error' --start 6h
  logmillctl stats --by request_path --metrics 'p95(response_time_ms),distinct(user_id)' service:shop
  logmillctl stats --step 1m --start 1h -o json '"connection refused"'`,
		RunE: func(c *cobra.Command, args []string) error {
			q := l.query()
			set(q, "q", strings.Join(args, " "))
			set(q, "by", strings.Join(by, ","))
			set(q, "metrics", strings.Join(metrics, ","))
			set(q, "step", step)
			q.Set("limit", strconv.Itoa(limit))
			if explained {
				q.Set("explain", "true")
			}
			return t.showStats(c, q, by, metrics)
		}}
	l.flags(t, c)
	f := c.Flags()
	f.StringSliceVar(&by, "by", nil, "group by these fields: columns or attributes")
	f.StringSliceVarP(&metrics, "metrics", "m", nil, "figures besides the count: avg(response_time_ms), p95(…), distinct(user_id)")
	f.StringVar(&step, "step", "", "over time, in steps of so long: 1m")
	f.IntVarP(&limit, "limit", "n", limit, "at most so many groups")
	f.BoolVar(&explained, "explain", false, "say on standard error what the api did for the answer")
	complete(c, "by", []string{"service", "level", "host", "env", "team", "request_method", "request_path", "response_status", "user_id"})
	complete(c, "metrics", []string{"avg(response_time_ms)", "p50(response_time_ms)", "p95(response_time_ms)", "p99(response_time_ms)", "max(response_time_ms)", "distinct(user_id)"})
	complete(c, "step", []string{"10s", "1m", "5m", "1h", "1d"})
	return c
}

func (t *tool) showStats(c *cobra.Command, q url.Values, by, metrics []string) error {
	raw, err := t.api.Do(c.Context(), client.Request{Path: []string{"api", "logs", "stats"}, Query: q})
	if err != nil {
		return err
	}
	var got statAnswer
	if err := json.Unmarshal(raw, &got); err != nil {
		return fmt.Errorf("reading the statistics: %w", err)
	}
	t.hint(got.Hints)
	switch t.output {
	case asRaw:
		err = t.line(compact(raw))
	case asJSON:
		err = each(got.Groups, func(g json.RawMessage) error { return t.line(g) })
	default:
		err = t.statTable(got.Groups, by, metrics)
	}
	if err != nil {
		return err
	}
	t.explain(got.Explain)
	if got.Explain != nil {
		t.screen.Note("counted: %s, %d blocks in memory", got.Source, got.Explain.Summed)
	}
	if hidden := got.Known - len(got.Groups); hidden > 0 {
		t.screen.Note("%d groups more, with %d lines: -n shows more", hidden, got.Others)
	}
	if !got.Partial {
		return nil
	}
	if got.Covered.Start.After(got.Start) {
		t.screen.Note("only what is since %s is counted: %s", t.time(got.Covered.Start), got.Reason)
	} else {
		t.screen.Note("not all is counted: %s", got.Reason)
	}
	return errPartial
}

// statTable is a row a group, or a row a step and group.
func (t *tool) statTable(groups []json.RawMessage, by, metrics []string) error {
	table := screen.Table{Head: append(append([]string{}, by...), append([]string{"COUNT"}, metrics...)...)}
	var rows []statGroup
	for _, raw := range groups {
		var g statGroup
		if err := json.Unmarshal(raw, &g); err != nil {
			return fmt.Errorf("reading the statistics: %w", err)
		}
		rows = append(rows, g)
	}
	for i := range table.Head {
		table.Head[i] = strings.ToUpper(table.Head[i])
	}
	if len(rows) > 0 && rows[0].Points != nil {
		table.Head = append([]string{"TIME"}, table.Head...)
		for s := range rows[0].Points {
			for i := range rows {
				if p := &rows[i].Points[s]; p.Count > 0 {
					table.Rows = append(table.Rows, append([]screen.Cell{{Text: t.time(p.Time), Style: screen.Dim}}, cells(&rows[i], p, by, metrics)...))
				}
			}
		}
		return t.screen.Write(table)
	}
	for i := range rows {
		table.Rows = append(table.Rows, cells(&rows[i], &rows[i].statPoint, by, metrics))
	}
	return t.screen.Write(table)
}

func cells(g *statGroup, p *statPoint, by, metrics []string) (out []screen.Cell) {
	for _, name := range by {
		value, style := g.value(name), screen.Plain
		switch name {
		case "level":
			style = levelStyle(value)
		case "service":
			style = serviceStyle(value)
		}
		out = append(out, screen.Cell{Text: value, Style: style})
	}
	out = append(out, screen.Cell{Text: strconv.FormatInt(p.Count, 10)})
	for _, m := range metrics {
		out = append(out, screen.Cell{Text: p.figure(m)})
	}
	return out
}

// value is "-" for lines without the field.
func (g *statGroup) value(name string) string {
	for k, v := range g.By {
		if v != nil && (k == name || strings.EqualFold(k, name)) {
			return *v
		}
	}
	return "-"
}

// figure is one that was asked for, however its name was written.
func (p *statPoint) figure(name string) string {
	for k, v := range p.Values {
		if v != nil && strings.EqualFold(k, strings.ReplaceAll(name, " ", "")) {
			return strconv.FormatFloat(*v, 'g', 6, 64)
		}
	}
	return "-"
}
