package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// design are the conditions that must work as they are.
var design = []string{
	`COUNT(CASE WHEN level = 'error' THEN 1 END) * 100.0 / COUNT(*)`,
	`AVG(response_time_ms)`,
	`COUNT(DISTINCT service)`,
	`(COUNT(CASE WHEN response_status >= 200 AND response_status < 300 THEN 1 END) * 100.0) / COUNT(CASE WHEN response_status IS NOT NULL THEN 1 END)`,
}

func TestPrintParsesToTheSame(t *testing.T) {
	t.Parallel()
	for _, text := range append([]string{
		`a = 1`, // unknown column: skipped below
		`COUNT(*) FILTER (WHERE level IN ('error','fatal') AND NOT message LIKE '%100\%%')`,
		`SUM(CASE level WHEN 'error' THEN 1 ELSE -1 END)`,
		`- -1 * -(-response_time_ms)`, `1 - (2 - 3) - 4`, `2 * (3 + 4) DIV 5 % 6`,
		`NOT (NOT level = 'error') = 1`, `(level = 'error') = (service = 'a')`,
		`response_status BETWEEN 1 + 1 AND 500 OR message REGEXP '^a\\d+''$' AND trace_id IS NOT NULL`,
		`attributes['a b'] = "x\ny" AND attributes->>'$.k' <> '' AND attributes.region NOT IN ('eu', 'us')`,
		`P99(response_time_ms) > QUANTILE(0.5, response_time_ms) + APPROX_PERCENTILE(response_time_ms, 0.999)`,
		`COALESCE(NULLIF(AVG(response_time_ms), 0), 1) + IF(COUNT(*) > 1, 2, NULL) + GREATEST(1, .5, 1e3)`,
		"`level` = 'error' AND NULL IS NULL AND TRUE",
	}, design...) {
		n, err := Parse(text)
		if err != nil {
			require.Contains(t, err.Error(), "unknown column a", text)
			continue
		}
		printed := Print(n)
		again, err := Parse(printed)
		require.NoError(t, err, printed)
		require.Equal(t, printed, Print(again), text)
	}
}

func TestErrorsSayWhereAndWhatWasMeant(t *testing.T) {
	t.Parallel()
	service := []*Column{{Name: "service"}}
	for text, want := range map[string]struct {
		pos     int
		message string
	}{
		`COUNT(*) +`:           {10, "not the end"},
		`COUNT(*`:              {7, "expected )"},
		`AVG(respose_time_ms)`: {4, "did you mean response_time_ms?"},
		`AVG(duration_ms)`:     {4, "did you mean response_time_ms?"},
		`CUONT(*)`:             {6, "expected a value"},
		`CUONT(level)`:         {0, "did you mean count?"},
		`COUNT(CASE WHEN level = error THEN 1 END)`:     {24, "level = 'error'"},
		`COUNT(CASE WHEN level = 'ERROR' THEN 1 END)`:   {24, "did you mean 'error'?"},
		`COUNT(CASE WHEN level = 'eror' THEN 1 END)`:    {24, "did you mean 'error'?"},
		`COUNT(CASE WHEN level >= 'warn' THEN 1 END)`:   {22, "no order"},
		`response_time_ms`:                              {0, "put it into an aggregate"},
		`level = 'error'`:                               {0, "put it into an aggregate"},
		`1 + 1`:                                         {2, "needs an aggregate"},
		`COUNT(COUNT(*))`:                               {6, "inside another"},
		`SUM(service)`:                                  {4, "service is a text, but must be a number"},
		`COUNT(*) FILTER (WHERE response_status = '5')`: {41, "is a text, but must be a number"},
		`COUNT(*) > NOW()`:                              {11, "no clock"},
		`SLEEP(5)`:                                      {0, "nothing but the record"},
		`COUNT(*); DROP TABLE block`:                    {8, "unexpected character"},
		`COUNT(*) -- x`:                                 {9, "comments"},
		`COUNT(*) UNION SELECT 1`:                       {9, "expected an operator or the end"},
		`(SELECT 1)`:                                    {1, "SELECT cannot stand here"},
		`COUNT(*) FILTER (WHERE message REGEXP '(')`:    {38, "cannot be read"},
		`COUNT(*) FILTER (WHERE message LIKE service)`:  {36, "in quotes"},
		`COUNT(*) FILTER (WHERE timestamp > 5)`:         {23, "through its window"},
		`QUANTILE(2, response_time_ms)`:                 {0, "between 0 and 1"},
		`COUNT(DISTINCT)`:                               {0, "takes one argument"},
		`'unclosed`:                                     {0, "never closed"},
		`1e999 + COUNT(*)`:                              {0, "out of range"},
		`COUNT(*) + 5x`:                                 {11, "followed by a letter"},
		``:                                              {0, "empty"},
		strings.Repeat("(", 65) + "1":                   {64, "64 levels"},
		strings.Repeat(" ", 4097):                       {4096, "longer than 4096"},
		"\xff":                                          {0, "UTF-8"},
		strings.Repeat("-", 3):                          {0, "comments"},
	} {
		n, err := Parse(text)
		if err == nil {
			err = CheckCondition(n, nil)
		}
		var at *Error
		require.True(t, errors.As(err, &at), "%s: %v", text, err)
		require.Contains(t, at.Message, want.message, text)
		require.Equal(t, want.pos, at.Pos, "%s: %s", text, at)
	}
	n, err := Parse(`CASE WHEN service = 'a' THEN COUNT(*) ELSE 0 END`)
	require.NoError(t, err)
	require.Error(t, CheckCondition(n, nil))
	require.NoError(t, CheckCondition(n, service))
	n, err = Parse(`COUNT(*) > 1`)
	require.NoError(t, err)
	require.ErrorContains(t, CheckFilter(n), "cannot aggregate")
}

func TestWords(t *testing.T) {
	t.Parallel()
	n, err := Parse(design[0])
	require.NoError(t, err)
	require.Equal(t, "the number of lines where level is 'error', as a percentage of the number of lines", Words(n))
}

func TestLike(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{`abc`, "abc", true}, {`abc`, "abcd", false}, {`%`, "", true}, {``, "", true}, {``, "a", false}, {`_`, "é", true}, {`_`, "", false}, {`__`, "é", false},
		{`a%c`, "abbc", true}, {`a%c`, "abcb", false}, {`%a%b%`, "xxaxxbxx", true}, {`%a%b%`, "ba", false}, {`100\%`, "100%", true}, {`100\%`, "1000", false},
		{`a\_b`, "a_b", true}, {`a\_b`, "axb", false}, {`%\%_`, "50%x", true}, {`a_%_c`, "abbc", true}, {`a_%_c`, "abc", false}, {`%ab`, "aab", true}, {`_%é`, "xxé", true},
		{`\\`, `\`, true}, {`A%`, "abc", false}, {`%%a`, "ba", true},
	} {
		require.Equal(t, c.want, like(c.pattern)(c.s), "%q LIKE %q", c.s, c.pattern)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range append(design, `COUNT(*) FILTER (WHERE message LIKE '%a_\%' OR attributes['x'] IN (1, -2))`, `- - 1 DIV 0 <> .5e3`, "`a`.b->>'c'[", `NOT NOT NULL IS NOT NULL`) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Pos < 0 || at.Pos > len(text) {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		printed := Print(n)
		if len(printed) > MaxTextBytes {
			return // the canonical text may be longer than what people may write
		}
		again, err := Parse(printed)
		if err != nil {
			if strings.Contains(err.Error(), "nested deeper") {
				return // so may its brackets be deeper
			}
			t.Fatalf("%q prints as %q: %v", text, printed, err)
		}
		if Print(again) != printed {
			t.Fatalf("%q prints as %q, which prints as %q", text, printed, Print(again))
		}
		_ = Words(n)
		if CheckFilter(n) == nil {
			Compile(n)(&record{f: NewFrame(fakeRow{})})
			NewSet().Predicate(n).Over(NewFrame(fakeRow{}))
		}
		_ = CheckCondition(n, nil)
	})
}
