package scan

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/logrec"
)

// view reads a block's columns when they are asked for.
type view struct {
	*vector.Layout
	data   []byte
	read   []string
	parts  *Parts
	wishes int
}

func (v *view) Parts(string) *Parts { return v.parts }
func (v *view) Wish(string)         { v.wishes++ }

func (v *view) Column(name string) (*vector.Column, error) {
	if v.Has(name) {
		v.read = append(v.read, name)
	}
	return v.Layout.Column(v.data, name)
}

// made is a block, and what is in it.
type made struct {
	block Block
	data  []byte
	recs  []logrec.Record
}

func (m *made) view(t testing.TB) *view {
	l, err := vector.ReadLayout(m.data)
	require.NoError(t, err)
	return &view{Layout: l, data: m.data}
}

// split makes parts of the messages.
func (v *view) split(t testing.TB, rows int) {
	c, err := v.Layout.Column(v.data, "message")
	require.NoError(t, err)
	v.parts, err = NewParts(c, rows, &block.Words{})
	require.NoError(t, err)
}

// names is a table of services in which places are found again.
type names struct{ all []string }

func (n *names) places(of []string) (out []uint32) {
	for _, s := range of {
		i := slices.Index(n.all, s)
		if i < 0 {
			i = len(n.all)
			n.all = append(n.all, s)
		}
		out = append(out, uint32(i))
	}
	slices.Sort(out)
	return out
}

func makeBlock(t testing.TB, n *names, recs []logrec.Record, partition int32) *made {
	t.Helper()
	b, err := block.NewBuilder(block.Options{})
	require.NoError(t, err)
	for i := range recs {
		recs[i].SrcOffset, recs[i].SrcRow = int64(i/20), int32(i%20)
	}
	blk, err := b.Build(recs)
	require.NoError(t, err)
	m := blk.Meta
	return &made{data: blk.Data, recs: recs, block: Block{ID: 1, Stream: 1, Partition: partition, To: int64(len(recs) / 20), Rows: m.Rows, MinTime: m.MinTime, MaxTime: m.MaxTime,
		LevelMask: m.LevelMask, Services: n.places(m.Services), Filter: blk.Filter}}
}

// TestRowsAreThoseOfANaiveScan asks random filters of random blocks. SEARCH_ROUNDS asks more.
func TestRowsAreThoseOfANaiveScan(t *testing.T) {
	t.Parallel()
	rounds := 60
	if n, err := strconv.Atoi(os.Getenv("SEARCH_ROUNDS")); err == nil {
		rounds = n
	}
	now := time.Unix(0, 500_000)
	matched, pruned := 0, 0
	for seed := range rounds {
		r := naive.NewRandom(uint64(seed))
		recs := make([]logrec.Record, 1+r.IntN(200))
		for i := range recs {
			recs[i] = r.Record()
		}
		var n names
		m := makeBlock(t, &n, recs, int32(seed%2))
		for range 60 {
			f := r.Filter(r.IntN(4))
			p, err := Compile(f, now, n.all)
			require.NoError(t, err)
			cand := All(len(recs))
			if r.IntN(3) == 0 {
				cand.ClearRange(r.IntN(len(recs)), len(recs))
			}
			v := m.view(t)
			if r.IntN(2) == 0 {
				v.split(t, 1+r.IntN(40))
			}
			got, err := p.Run(v, &m.block, cand)
			require.NoError(t, err)
			may, _ := p.MayMatch(&m.block)
			all := p.MatchesAll(&m.block)
			for i := range recs {
				id := logrec.ID{Stream: 1, Partition: m.block.Partition, Offset: recs[i].SrcOffset, Row: recs[i].SrcRow}
				want := naive.Match(f, &recs[i], id, now)
				if got.Has(i) != (want && cand.Has(i)) {
					t.Fatalf("seed %d: %s: row %d is %v, should be %v: %+v", seed, query.Print(f), i, got.Has(i), want, recs[i])
				}
				if want && !may || all && !want {
					t.Fatalf("seed %d: %s: row %d is %v, but the block was said to have (some, all): %v, %v", seed, query.Print(f), i, want, may, all)
				}
			}
			matched += got.Count()
			if !may {
				pruned++
			}
		}
	}
	require.Greater(t, matched, rounds*60)
	require.Greater(t, pruned, rounds*2, "filters rule something out")
}

func run(t testing.TB, m *made, n *names, text string) (rows []int32, read []string) {
	t.Helper()
	q, err := query.Parse(text)
	require.NoError(t, err)
	p, err := Compile(q.Filter, time.Unix(0, 0), n.all)
	require.NoError(t, err)
	v := m.view(t)
	got, err := p.Run(v, &m.block, All(len(m.recs)))
	require.NoError(t, err)
	return got.First(nil, 1<<30), v.read
}

// TestCheapColumnsFirst: what metadata decide reads no column, and a column is only read while a row is left.
func TestCheapColumnsFirst(t *testing.T) {
	t.Parallel()
	var recs []logrec.Record
	for i := range 100 {
		recs = append(recs, logrec.Record{Timestamp: int64(i), Service: fmt.Sprintf("s%d", i%2), Level: logrec.LevelInfo, Message: fmt.Sprintf("message %d", i), TraceID: "abc"})
	}
	var n names
	m := makeBlock(t, &n, recs, 0)
	for text, want := range map[string][]string{
		"level:info": nil, "level:error message": nil, "service:(s0 OR s1)": nil, "service:s0 level:info": {"service"}, "service:s3 message": nil, "*": nil,
		"message service:s0": {"service", "message"}, `/never/ timestamp:>"1970-01-01T00:00:01Z"`: nil, "user_id:x message": nil, "nothinglikeit service:s0": nil,
		"/42/ service:nobody": nil, "response_status:500 message": nil,
	} {
		_, read := run(t, m, &n, text)
		require.Equal(t, want, read, text)
	}
	p, err := Compile(&query.Term{Field: query.Message, Pred: query.Is{Text: "nothinglikeit"}}, time.Now(), n.all)
	require.NoError(t, err)
	_, why := p.MayMatch(&m.block)
	require.Equal(t, ByFilter, why)
}

func TestLiteralsOfExpressions(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]struct {
		needles []string
		words   []string
		exact   bool
	}{
		`timeout`: {[]string{"timeout"}, nil, true}, `token=zz[0-9a-f]{6}`: {[]string{"token=zz"}, nil, false}, `a timeout of \d+ ms`: {[]string{"a timeout of "}, []string{"timeout", "of"}, false},
		`(?i)Time out now`: {[]string{"time out now"}, []string{"out"}, true}, `(?i)connection lost`: {[]string{"connection lo"}, nil, false}, `(?i)kk`: {nil, nil, false}, `foo|barbaz`: {[]string{"foo", "barbaz"}, nil, false},
		`(foo|\d+)bar`: {[]string{"bar"}, nil, false}, `x*`: {nil, nil, false}, `(abc)+d?`: {[]string{"abc"}, nil, false}, `^error: disk full$`: {[]string{"error: disk full"}, []string{"error", "disk", "full"}, false},
		`(a|b|c|d|e|f|g|h|i)xx|yy`: {[]string{"xx", "yy"}, nil, false}, `\d+`: {nil, nil, false}, `(one two three){2}`: {[]string{"one two three"}, []string{"two", "two"}, false},
	} {
		e, err := newExpression(source)
		require.NoError(t, err)
		var needles []string
		for _, n := range e.required {
			needles = append(needles, n.text)
		}
		require.Equal(t, want.needles, needles, source)
		require.Equal(t, want.words, e.whole, source)
		require.Equal(t, want.exact, e.literal, source)
	}
}

func FuzzNeedle(f *testing.F) {
	f.Add("Hello World", "LO w", true)
	f.Add("\u212aelvin", "kelvin", true)
	f.Add("xxABxxabxx", "ab", true)
	f.Fuzz(func(t *testing.T, s, want string, folded bool) {
		n := newNeedle(want, folded)
		if n.text == "" {
			return
		}
		begin, end := n.find([]byte(s), 0)
		naiveBegin := -1
		for i := range s {
			if e, ok := n.foldedPrefix([]byte(s), i); folded && ok || !folded && len(s) >= i+len(want) && s[i:i+len(want)] == want {
				naiveBegin = i
				if folded {
					require.Equal(t, e, end)
				}
				break
			}
		}
		if !folded { // range skips the inside of runes
			for i := 0; i+len(want) <= len(s) && naiveBegin != begin; i++ {
				if s[i:i+len(want)] == want {
					naiveBegin = i
					break
				}
			}
		}
		require.Equal(t, naiveBegin, begin)
	})
}
