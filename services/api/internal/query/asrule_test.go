package query_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule/expr"
)

func TestRule(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "",
		"*":                                   "",
		"timeout":                             `message REGEXP '(?is)\\btimeout\\b'`,
		`"of (it)"`:                           `message REGEXP '(?is)\\bof \\(it\\)'`,
		"time*out":                            `message REGEXP '(?is)\\btime.*out\\b'`,
		"*ß":                                  `message REGEXP '(?is)ß(?:$|[^\\pL\\p{Nd}_])'`,
		"/a.b/":                               "message REGEXP 'a.b'",
		"service:shop":                        "service = 'shop'",
		"-service:shop":                       "service <> 'shop'",
		"-region:eu":                          "attributes['region'] IS NULL OR attributes['region'] <> 'eu'",
		"service:(a OR b)":                    "service IN ('a', 'b')",
		"-host:(a OR b)":                      "host IS NULL OR host NOT IN ('a', 'b')",
		"service:a*_":                         `service LIKE 'a%\\_'`,
		"level:>=error":                       "level IN ('error', 'fatal')",
		"level:(warn OR error) x":             `level IN ('warn', 'error') AND message REGEXP '(?is)\\bx\\b'`,
		"-level:e*":                           "level <> 'error'",
		"level:>fatal":                        "FALSE",
		"level:*":                             "TRUE",
		"response_status:[500 TO 599]":        "response_status >= 500 AND response_status <= 599",
		"-response_time_ms:>5e2":              "response_time_ms IS NULL OR NOT response_time_ms > 500",
		"_exists_:trace_id -_exists_:user_id": "trace_id IS NOT NULL AND user_id IS NULL",
		"amount:>9":                           "attributes['amount'] > 9",
		`amount:>"9"`:                         "attributes['amount'] > '9'",
		"user_id:it's":                        "user_id = 'it''s'",
		"(service:a level:warn) OR NOT (x y)": `service = 'a' AND level = 'warn' OR (NOT message REGEXP '(?is)\\bx\\b' OR NOT message REGEXP '(?is)\\by\\b')`,
	} {
		p, err := query.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, query.AsRule{Filter: want}, query.Rule(p.Filter), text)
	}
}

func TestRuleNamesWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"service:a timestamp:>now-5m":  {"timestamp:>now-5m", "window"},
		"service:a id:0-0-1":           {"id:0-0-1", "no ids"},
		"service:a ip:10.0.0.0/8":      {"ip:10.0.0.0/8", "networks"},
		"service:a host:10.0.0.0/8":    {"host:10.0.0.0/8", "networks"},
		"service:a response_status:5*": {"response_status:5*", "[500 TO 599]"},
		// One side of an OR is not the whole of it.
		"service:a (x OR ip:10.0.0.0/8)":            {"x OR ip:10.0.0.0/8", "networks"},
		"service:a " + strings.Repeat("long", 1500): {strings.Repeat("long", 1500), "4096 bytes"},
	} {
		p, err := query.Parse(text)
		require.NoError(t, err, text)
		got := query.Rule(p.Filter)
		require.Equal(t, "service = 'a'", got.Filter, text)
		require.Len(t, got.Left, 1, text)
		require.Equal(t, want[0], got.Left[0].Term, text)
		require.Contains(t, got.Left[0].Reason, want[1], text)
	}
}

// TestRuleFindsWhatTheQueryFinds compares rules' own engine with queries, over lines and filters made at random.
func TestRuleFindsWhatTheQueryFinds(t *testing.T) {
	t.Parallel()
	compared, found := 0, 0
	for seed := range uint64(12) {
		r := naive.NewRandom(seed)
		recs, frame := lines(t, r)
		set := expr.NewSet()
		for range 100 {
			filter := r.Filter(3)
			got := query.Rule(filter)
			if len(got.Left) > 0 || got.Filter == "" || exotic(got.Filter) {
				continue
			}
			n, err := expr.Parse(got.Filter)
			require.NoError(t, err, got.Filter)
			require.NoError(t, expr.CheckFilter(n), got.Filter)
			mask := set.Predicate(n).Over(frame)
			require.NoError(t, frame.Err())
			for i := range recs {
				want := naive.Match(filter, &recs[i], logrec.ID{}, time.Unix(0, 0))
				require.Equal(t, want, mask.True[i>>6]>>(i&63)&1 == 1, "%s\n%s\n%+v", query.Print(filter), got.Filter, recs[i])
				if want {
					found++
				}
			}
			compared++
		}
	}
	require.Greater(t, compared, 300)
	require.Greater(t, found, 3000)
}

// lines are those whose letters rules and queries take for the same: see Rule.
func lines(t *testing.T, r *naive.Random) ([]logrec.Record, *expr.Frame) {
	t.Helper()
	var recs []logrec.Record
	for len(recs) < 150 {
		if rec := r.Record(); !exotic(rec.Message) {
			rec.Timestamp, rec.Observed = int64(len(recs)), int64(len(recs))
			recs = append(recs, rec)
		}
	}
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	built, err := b.Build(recs)
	require.NoError(t, err)
	reader, err := block.Open(built.Data)
	require.NoError(t, err)
	return recs, expr.NewFrame(reader)
}

func exotic(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > 127 })
}
