package tail

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// cutUp feeds text in pieces of random size and returns what comes out, with each line's bytes.
func cutUp(t *testing.T, s *splitter, text []byte, rng *rand.Rand) (lines []string, covered int64) {
	t.Helper()
	covered = s.at
	take := func(final bool) {
		for {
			l, ok := s.next(final)
			if !ok {
				return
			}
			require.Equal(t, covered, l.from, "no byte is left out, none is taken twice")
			covered = l.to
			lines = append(lines, string(s.charset.text(l.raw)))
		}
	}
	for len(text) > 0 {
		n := 1 + rng.IntN(min(len(text), 300))
		s.feed(text[:n])
		text = text[n:]
		take(false)
	}
	take(true)
	return lines, covered
}

func TestSplitterInEveryEncoding(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	want := []string{"först", "", "zweite Zeile – lang", "ö\u010a\u0a0d", "last, without a newline"} // U+010A and U+0A0D have a newline's byte in UTF-16
	text := strings.Join(want, "\r\n")
	for name, c := range map[string]struct {
		charset string
		bytes   func(string) ([]byte, error)
	}{
		"utf-8":    {"utf-8", func(s string) ([]byte, error) { return []byte(s), nil }},
		"utf-16le": {"utf-16le", encode(unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM))},
		"utf-16be": {"utf-16be", encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM))},
	} {
		raw, err := c.bytes(text)
		require.NoError(t, err)
		cs, err := CharsetOf(c.charset)
		require.NoError(t, err)
		got, covered := cutUp(t, &splitter{charset: cs}, raw, rng)
		require.Equal(t, want, got, name)
		require.EqualValues(t, len(raw), covered, name)
	}
}

func encode(e encoding.Encoding) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) { return e.NewEncoder().Bytes([]byte(s)) }
}

func TestLatinAndMarks(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	raw, err := charmap.ISO8859_1.NewEncoder().Bytes([]byte("größe\nnächste\n"))
	require.NoError(t, err)
	cs, err := CharsetOf("iso-8859-1")
	require.NoError(t, err)
	got, _ := cutUp(t, &splitter{charset: cs}, raw, rng)
	require.Equal(t, []string{"größe", "nächste"}, got)
	_, err = CharsetOf("utf-9")
	require.ErrorContains(t, err, "utf-9")

	for head, want := range map[string]int{"\xef\xbb\xbfa": 3, "\xff\xfea\x00": 2, "\xfe\xff\x00a": 2, "abc": 0, "": 0} {
		_, mark := Charset{}.sniffed([]byte(head))
		require.Equal(t, want, mark, "%q", head)
	}
	got, _ = cutUp(t, &splitter{}, []byte("bad \xff byte\n\x00\x00\x00after NULs\n"), rng)
	require.Equal(t, []string{"bad \uFFFD byte", "after NULs"}, got)
}

func TestALineThatIsTooLongLosesNothing(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 6))
	long := strings.Repeat("ä", 2*MaxLine) // twice as many bytes
	s := &splitter{}
	s.feed([]byte("short\n" + long + "\nnext\n"))
	var parts []int
	var text strings.Builder
	for {
		l, ok := s.next(false)
		if !ok {
			break
		}
		require.LessOrEqual(t, len(l.raw), MaxLine)
		parts = append(parts, l.part)
		if l.part > 0 {
			text.Write(s.charset.text(l.raw))
		}
	}
	require.Equal(t, long, text.String(), "whole, and cut between characters")
	require.Equal(t, []int{0, 1, 2, 3, 4, 0}, parts[:6])
	got, covered := cutUp(t, &splitter{}, bytes.Repeat([]byte("x"), 3*MaxLine+5), rng)
	require.Len(t, got, 4)
	require.EqualValues(t, 3*MaxLine+5, covered)
}

// FuzzSplitter: every byte is in exactly one line, whatever the bytes and however they come.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n"), uint64(1), "utf-8")
	f.Add([]byte("a\x00\n\x00b\x00"), uint64(2), "utf-16le")
	f.Fuzz(func(t *testing.T, text []byte, seed uint64, name string) {
		cs, err := CharsetOf(name)
		if err != nil {
			return
		}
		_, covered := cutUp(t, &splitter{charset: cs}, text, rand.New(rand.NewPCG(seed, 0)))
		require.EqualValues(t, len(text), covered)
	})
}
