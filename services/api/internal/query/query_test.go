package query

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

func TestTokensAreOnlyWholeWords(t *testing.T) {
	t.Parallel()
	for search, want := range map[string][]string{
		"fail": nil, "fail now": nil, "a fail b": {"fail"}, " fail ": {"fail"}, "x: A.B-c_d/e": {"a", "b", "c_d"}, "": nil, "Ärger ÜBER das": {"über"},
	} {
		q := Query{Search: search}
		require.Equal(t, want, q.Tokens(), search)
	}
	require.Equal(t, []string{"trace_id=t", "user_id=u"}, (&Query{TraceID: "t", UserID: "u"}).Tokens())
}

func TestCursorsComeBackAndOthersDoNot(t *testing.T) {
	t.Parallel()
	k := Key{Time: -5, ID: logrec.ID{Stream: 2, Partition: 3, Offset: 4, Row: 5}}
	got, err := ParseCursor(k.Cursor())
	require.NoError(t, err)
	require.Equal(t, k, got)
	for _, bad := range []string{"", "x", k.Cursor() + "A", strings.ToUpper(k.Cursor())} {
		_, err := ParseCursor(bad)
		require.ErrorIs(t, err, ErrCursor, bad)
	}
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

func FuzzMatch(f *testing.F) {
	f.Add("Hello World", "LO w")
	f.Add("İstanbul", "i̇")
	f.Fuzz(func(t *testing.T, message, search string) {
		require.Equal(t, strings.Contains(strings.ToLower(message), strings.ToLower(search)) || search == "", NewMatcher(search).Match(message) || asciiOnly(message, search))
	})
}

// asciiOnly: an ASCII search is compared byte by byte; the few runes whose lower case is ASCII (the Kelvin sign) do not match it.
func asciiOnly(message, search string) bool {
	return strings.ContainsAny(message, "Kİ") && strings.Contains(strings.ToLower(message), strings.ToLower(search))
}

func FuzzParseCursor(f *testing.F) {
	f.Add(Key{Time: 1}.Cursor())
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := ParseCursor(s); err == nil {
			require.Equal(t, s, k.Cursor())
		}
	})
}
