package rule_test

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/engine"
	"github.com/logmill/logmill/shared/testkit"
)

// TestMySQLIsTheOracle: random conditions over random records give what MySQL computes for the same text over the same rows in a plain
// table. ORACLE=n sets how many (10,000 without; the seed is printed).
func TestMySQLIsTheOracle(t *testing.T) {
	t.Parallel()
	n := 10_000
	if v := os.Getenv("ORACLE"); v != "" {
		var err error
		n, err = strconv.Atoi(v)
		require.NoError(t, err)
	}
	db := testkit.DB(t, testkit.EmptyMySQL(t))
	conn, err := db.Text.Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	exec := func(q string, args ...any) {
		_, err := conn.ExecContext(context.Background(), q, args...)
		require.NoError(t, err, q)
	}
	exec("SET SESSION sql_mode = ''")
	exec("SET NAMES utf8mb4 COLLATE utf8mb4_0900_bin")
	exec(`CREATE TABLE r (service VARCHAR(50), level VARCHAR(10), message TEXT, user_id VARCHAR(50), response_status BIGINT, response_time_ms DOUBLE) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_0900_bin`)
	rng := rand.New(rand.NewPCG(7, 1))
	g := &generator{rng}
	nulls, compared := 0, 0
	for done := 0; done < n; {
		exec("DELETE FROM r")
		recs := g.records(rng.IntN(40))
		for _, r := range recs {
			exec("INSERT INTO r VALUES (?, ?, ?, ?, ?, ?)", r.Service, r.Level.String(), r.Message, null(r.UserID != "", r.UserID), null(r.ResponseStatus != 0, r.ResponseStatus), null(r.HasResponseTime, r.ResponseTimeMS))
		}
		for range 100 {
			cond, filter := g.condition(), g.filter()
			var want sql.NullFloat64
			q := "SELECT (" + cond.mysql + ") FROM r" + where(filter.mysql)
			require.NoError(t, conn.QueryRowContext(context.Background(), q).Scan(&want), q)
			got, null := evaluate(t, recs, cond.ours, filter.ours)
			require.Equal(t, want.Valid, !null, "%s\n%s\nMySQL: %v, we: %v", q, cond.ours, want, got)
			if want.Valid {
				require.InDelta(t, want.Float64, got, 1e-4*math.Max(1, math.Abs(want.Float64)), "%s\n%s", q, cond.ours)
				compared++
			} else {
				nulls++
			}
			done++
		}
	}
	t.Logf("%d numbers and %d NULLs equal MySQL's (seed 7)", compared, nulls)
	require.Greater(t, nulls, n/100)
	require.Greater(t, compared, n/2)
}

func null(ok bool, v any) any {
	if ok {
		return v
	}
	return nil
}

func where(filter string) string {
	if filter == "" {
		return ""
	}
	return " WHERE " + filter
}

const t0 = int64(1_800_000_000) * 1e9

// evaluate runs the engine over one window that holds all records. A rule that fires on anything tells its value.
func evaluate(t *testing.T, recs []logrec.Record, cond, filter string) (v float64, null bool) {
	t.Helper()
	e := engine.New(engine.Place{All: true}, t0)
	keep := rule.Duration(0)
	r := rule.Rule{Name: "o", Condition: cond, Filter: filter, Operator: ">=", Threshold: -math.MaxFloat64, TimeWindow: rule.Window(60e9), RepeatInterval: &keep, Enabled: true}
	r.Normalize()
	require.NoError(t, r.Validate(), cond)
	require.NoError(t, e.Schedule([]engine.Version{{RuleID: "1", Number: 1, Effective: t0, Rule: r}}, nil))
	e.Advance(t0 + 30e9)
	if len(recs) > 0 {
		b, err := block.NewBuilder(block.Options{})
		require.NoError(t, err)
		built, err := b.Build(append([]logrec.Record(nil), recs...))
		require.NoError(t, err)
		reader, err := block.Open(built.Data)
		require.NoError(t, err)
		require.NoError(t, e.Fold(reader, 0))
	}
	events, _ := e.Advance(t0 + 62e9)
	for _, ev := range events {
		if ev.Kind == engine.Firing {
			return ev.Value.N, false
		}
	}
	return 0, true
}

// generator makes conditions in our text and in MySQL's, which differ only where MySQL has no such form (FILTER).
type generator struct{ *rand.Rand }

type text struct{ ours, mysql string }

func same(format string, args ...any) text {
	s := fmt.Sprintf(format, args...)
	return text{s, s}
}

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

var messages = []string{"", "a", "A", "ab%c", "100% done", "under_score", "back\\slash", "it's", "Zeile ä", "x\ny", "connection timeout after 30 s", "GET /api", " trailing "}

func (g *generator) records(n int) []logrec.Record {
	out := make([]logrec.Record, n)
	for i := range out {
		r := logrec.Record{Timestamp: t0 + 40e9 + int64(i), EvalTime: t0 + 40e9 + 1 + int64(i), SrcRow: int32(i), Service: pick(g, "a", "b", "c d"), Level: pick(g, logrec.Levels...), Message: pick(g, messages...)}
		if g.IntN(3) > 0 {
			r.ResponseStatus = pick(g, int32(200), 201, 404, 500, 503)
		}
		if g.IntN(3) > 0 {
			r.HasResponseTime, r.ResponseTimeMS = true, pick(g, 0, 0.5, 1, 12.25, 100, 1e6)
		}
		if g.IntN(2) > 0 {
			r.UserID = pick(g, "u1", "u2", "U1")
		}
		out[i] = r
	}
	return out
}

func (g *generator) number(depth int) text {
	if depth <= 0 || g.IntN(3) == 0 {
		return same("%s", pick(g, "response_status", "response_time_ms", "1", "2.5", "0", "-3", "NULL", "100.0"))
	}
	a, b := g.number(depth-1), g.number(depth-1)
	switch g.IntN(8) {
	case 0, 1, 2:
		op := pick(g, "+", "-", "*")
		return text{"(" + a.ours + " " + op + " " + b.ours + ")", "(" + a.mysql + " " + op + " " + b.mysql + ")"}
	case 3:
		p := g.predicate(depth - 1)
		return text{"CASE WHEN " + p.ours + " THEN " + a.ours + " ELSE " + b.ours + " END", "CASE WHEN " + p.mysql + " THEN " + a.mysql + " ELSE " + b.mysql + " END"}
	case 4:
		f := pick(g, "COALESCE", "NULLIF", "IFNULL", "GREATEST", "LEAST")
		return text{f + "(" + a.ours + ", " + b.ours + ")", f + "(" + a.mysql + ", " + b.mysql + ")"}
	case 5:
		p := g.predicate(depth - 1)
		return text{"IF(" + p.ours + ", " + a.ours + ", " + b.ours + ")", "IF(" + p.mysql + ", " + a.mysql + ", " + b.mysql + ")"}
	case 6:
		return text{"ABS(" + a.ours + ")", "ABS(" + a.mysql + ")"}
	}
	col := pick(g, "message", "service", "user_id")
	return same("%s(%s)", pick(g, "LENGTH", "CHAR_LENGTH"), col)
}

func (g *generator) predicate(depth int) text {
	if depth > 0 && g.IntN(2) == 0 {
		a, b := g.predicate(depth-1), g.predicate(depth-1)
		switch g.IntN(4) {
		case 0:
			return text{"NOT (" + a.ours + ")", "NOT (" + a.mysql + ")"}
		case 1:
			return text{"(" + a.ours + " OR " + b.ours + ")", "(" + a.mysql + " OR " + b.mysql + ")"}
		}
		return text{"(" + a.ours + " AND " + b.ours + ")", "(" + a.mysql + " AND " + b.mysql + ")"}
	}
	col := pick(g, "service", "message", "user_id")
	switch g.IntN(8) {
	case 0:
		return same("level %s '%s'", pick(g, "=", "<>"), pick(g, "error", "info", "fatal"))
	case 1:
		return same("%s %s (%s)", col, pick(g, "IN", "NOT IN"), pick(g, "'a', 'b'", "'u1', NULL", "'it''s'"))
	case 2:
		return same("%s %s '%s'", col, pick(g, "LIKE", "NOT LIKE"), pick(g, "%a%", "a_", "100\\%%", "under\\_score", "%\\\\\\\\%", "%", "_", "u%", "%''%", "%ä", "%trailing "))
	case 3:
		return same("%s %s '%s'", col, pick(g, "REGEXP", "NOT REGEXP"), pick(g, "^a", "[0-9]+ s$", "time(out)?", "^u[12]$", "x.y|/api", "[[:alpha:]]{3}"))
	case 4:
		return same("%s %s NULL", pick(g, col, "response_status", "response_time_ms"), pick(g, "IS", "IS NOT"))
	case 5:
		return same("%s %s '%s'", col, pick(g, "=", "<>", "<", "<=", ">", ">="), pick(g, "a", "A", "b", "u1", " trailing", "", "c d"))
	}
	a, b := g.number(depth-1), g.number(depth-1)
	if g.IntN(4) == 0 {
		c := g.number(0)
		return text{"(" + a.ours + " BETWEEN " + b.ours + " AND " + c.ours + ")", "(" + a.mysql + " BETWEEN " + b.mysql + " AND " + c.mysql + ")"}
	}
	op := pick(g, "=", "<>", "!=", "<", "<=", ">", ">=")
	return text{a.ours + " " + op + " " + b.ours, a.mysql + " " + op + " " + b.mysql}
}

func (g *generator) aggregate() text {
	x := g.number(2)
	switch g.IntN(9) {
	case 0:
		return same("COUNT(*)")
	case 1:
		p := g.predicate(2)
		return text{"COUNT(CASE WHEN " + p.ours + " THEN 1 END)", "COUNT(CASE WHEN " + p.mysql + " THEN 1 END)"}
	case 2:
		return same("COUNT(DISTINCT %s)", pick(g, "service", "user_id", "message", "response_status", "level"))
	case 3:
		p := g.predicate(2)
		return text{"COUNT(*) FILTER (WHERE " + p.ours + ")", "COUNT(CASE WHEN " + p.mysql + " THEN 1 END)"}
	case 4:
		p := g.predicate(1)
		return text{"AVG(" + x.ours + ") FILTER (WHERE " + p.ours + ")", "AVG(CASE WHEN " + p.mysql + " THEN " + x.mysql + " END)"}
	case 5:
		return text{"COUNT(" + x.ours + ")", "COUNT(" + x.mysql + ")"}
	}
	f := pick(g, "SUM", "AVG", "MIN", "MAX")
	return text{f + "(" + x.ours + ")", f + "(" + x.mysql + ")"}
}

func (g *generator) condition() text {
	a, b := g.aggregate(), g.aggregate()
	switch g.IntN(6) {
	case 0:
		return text{a.ours + " * 100.0 / " + b.ours, a.mysql + " * 100.0 / " + b.mysql}
	case 1:
		op := pick(g, "+", "-", "*")
		return text{a.ours + " " + op + " " + b.ours, a.mysql + " " + op + " " + b.mysql}
	case 2:
		return text{"CASE WHEN " + a.ours + " > 3 THEN " + b.ours + " ELSE -1 END", "CASE WHEN " + a.mysql + " > 3 THEN " + b.mysql + " ELSE -1 END"}
	}
	return a
}

func (g *generator) filter() text {
	if g.IntN(2) == 0 {
		return text{}
	}
	return g.predicate(2)
}
