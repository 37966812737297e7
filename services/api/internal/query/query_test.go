package query

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

func TestCursorsComeBackAndOthersDoNot(t *testing.T) {
	t.Parallel()
	q := Query{Filter: Contains("x")}
	k := Key{Time: -5, ID: logrec.ID{Stream: 2, Partition: 3, Offset: 4, Row: 5}}
	got, err := q.ParseCursor(q.Cursor(k))
	require.NoError(t, err)
	require.Equal(t, k, got)
	for _, bad := range []string{"", "x", q.Cursor(k) + "A", strings.ToUpper(q.Cursor(k))} {
		_, err := q.ParseCursor(bad)
		require.ErrorIs(t, err, ErrCursor, bad)
	}
	for _, other := range []Query{{Filter: Contains("y")}, {Filter: Contains("x"), Oldest: true}, {Filter: All{}}} {
		_, err := other.ParseCursor(q.Cursor(k))
		require.ErrorIs(t, err, ErrOtherCursor)
	}
}

func TestSugar(t *testing.T) {
	t.Parallel()
	require.Equal(t, "*fail*", Print(Contains("fail")))
	require.Equal(t, `*"fail now"*`, Print(Contains("fail now")))
	require.Equal(t, "*", Print(AllOf(Contains(""), Equal(Field{Name: "service"}))))
	require.Equal(t, "(service:a OR service:b) user_id:u", Print(AllOf(Equal(Field{Name: "service"}, "a", "b"), Equal(Field{Name: "user_id"}, "u"))))
	n, err := Levels(">=WARN", "debug")
	require.NoError(t, err)
	require.Equal(t, "level:>=warn OR level:debug", Print(n))
	_, err = Levels("loud")
	require.ErrorContains(t, err, "not a level")
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	for text, want := range map[string]int64{
		"now": 1_700_000_000e9, "now-15m": 1_699_999_100e9, "now-2d": 1_699_827_200e9, "now+1h": 1_700_003_600e9,
		"1700000000": 1_700_000_000e9, "1700000000123": 1_700_000_000_123e6, "2023-11-14T22:13:20Z": 1_700_000_000e9,
	} {
		got, err := ParseTime(text, now)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "soon", "now-", "now*3", "now-5x", "now--5m", "9e99"} {
		_, err := ParseTime(bad, now)
		require.Error(t, err, bad)
	}
}

func FuzzParseCursor(f *testing.F) {
	q := Query{Filter: All{}}
	f.Add(q.Cursor(Key{Time: 1}))
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := q.ParseCursor(s); err == nil {
			require.Equal(t, s, q.Cursor(k))
		}
	})
}
