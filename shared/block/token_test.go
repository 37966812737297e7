package block

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// slowTokens is EachToken, said simply.
func slowTokens(s string) (out []string) {
	for _, t := range strings.FieldsFunc(s, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		low := strings.Map(unicode.ToLower, t)
		out = append(out, low[:min(len(low), MaxTokenBytes)])
	}
	return out
}

func FuzzEachToken(f *testing.F) {
	for _, s := range []string{"", "a", "ab cd", "Ab cD", "über Straße", "a÷b", "ÀB", "x\xffy", "_", "K\u212a", "日本 語a", strings.Repeat("x", 200) + " Y", "tail É"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			EachToken(s, func(string) {}) // records are valid: it must not panic
			return
		}
		var got []string
		EachToken(s, func(token string) { got = append(got, strings.Clone(token)) })
		require.Equal(t, slowTokens(s), got)
	})
}

// BenchmarkFilter is the filter of a block as ingest makes it: tokens, their hashes, repeats sorted out, the filter itself.
func BenchmarkFilter(b *testing.B) {
	recs := corpus(4000, 1)
	var f filterBuilder
	began := cpu(b)
	for b.Loop() {
		if _, err := f.build(recs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/float64(len(recs)), "cpu-ns/line")
}
