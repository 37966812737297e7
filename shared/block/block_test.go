package block

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

var update = flag.Bool("update", false, "write golden files")

// corpus is like the bench profile: ~232 B a line as JSON, 60 % with a trace id of their own, a quarter with request fields, 8 % errors.
func corpus(n int, seed uint64) []logrec.Record {
	rng := rand.New(rand.NewPCG(seed, 2))
	verbs := []string{"finished", "started", "retrying", "rejected", "queued", "flushed"}
	things := []string{"request", "payment", "session", "segment", "upload", "connection", "job"}
	out := make([]logrec.Record, n)
	for i := range out {
		r := &out[i]
		*r = logrec.Record{
			Timestamp: 1700000000000000000 + int64(i)*50_000_000 + rng.Int64N(1e6)*1000, Observed: 1700000000100000000 + int64(i)*50_000_000, Level: logrec.LevelInfo,
			Service: fmt.Sprintf("service-%02d", int(math.Pow(rng.Float64(), 3)*24)), SrcOffset: int64(i / 400), SrcRow: int32(i % 400),
			Message: fmt.Sprintf("%s %d %s for upstream 10.%d.%d.%d after %d ms, %d bytes, key %x", things[rng.IntN(7)], rng.IntN(1e6), verbs[rng.IntN(6)], rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(900), rng.IntN(1e5), rng.Uint32()),
			Team:    "core", Env: "prod", EvalTime: 1700000000100000000 + int64(i)*50_000_000,
		}
		if rng.IntN(100) < 8 {
			r.Level = logrec.LevelError
		}
		if rng.IntN(100) < 60 {
			r.TraceID = fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
		}
		if rng.IntN(4) == 0 {
			r.RequestMethod, r.RequestPath, r.ResponseStatus = "GET", fmt.Sprintf("/api/v1/items/%d", rng.IntN(500)), 200
			r.ResponseTimeMS, r.HasResponseTime = math.Round(rng.ExpFloat64()*1000)/100, true
		}
	}
	return out
}

// odd is every edge at once.
func odd() []logrec.Record {
	many := make([]logrec.Attr, 0, 200)
	for i := range 200 {
		many = append(many, logrec.Attr{Key: fmt.Sprintf("k%03d", i), Value: fmt.Sprint(i), Kind: logrec.AttrKind(i % 2)})
	}
	return []logrec.Record{
		{Timestamp: math.MinInt64, Service: "a", Level: logrec.LevelTrace},
		{Timestamp: -1, Service: "a", Message: strings.Repeat("x", 256<<10), Level: logrec.LevelInfo, TraceID: "not hex", SpanID: "00f067aa0ba902b7"},
		{Timestamp: 0, Service: "ü", Message: "grüße \x00 😀", Level: logrec.LevelFatal, TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
			Attributes: []logrec.Attr{{Key: "empty", Value: ""}, {Key: "mixed", Value: "12"}}},
		{Timestamp: 1, Service: "a", Level: logrec.LevelWarn, Attributes: []logrec.Attr{{Key: "mixed", Value: "12", Kind: logrec.JSON}, {Key: "o", Value: `{"a":[1]}`, Kind: logrec.JSON}}},
		{Timestamp: 2, Service: "a", Level: logrec.LevelDebug, Attributes: many},
		{Timestamp: math.MaxInt64, Service: "b", Level: logrec.LevelError, UserID: "u", RequestMethod: "GET", RequestPath: "/", ResponseStatus: 500, HasResponseTime: true,
			Team: "t", Env: "e", Host: "h", PatternID: -7, EvalTime: 5, SrcOffset: 9, SrcRow: 3, Observed: 4},
	}
}

func build(t testing.TB, recs []logrec.Record) Block {
	t.Helper()
	b, err := NewBuilder(Options{})
	require.NoError(t, err)
	blk, err := b.Build(recs)
	require.NoError(t, err)
	return blk
}

func records(t testing.TB, data []byte, rows []int) []logrec.Record {
	t.Helper()
	r, err := Open(data)
	require.NoError(t, err)
	out, err := r.Records(rows)
	require.NoError(t, err)
	return out
}

// same compares record by record: a diff of whole slices would take minutes to print.
func same(t testing.TB, want, got []logrec.Record) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		w := want[i]
		w.Attributes = slices.Clone(w.Attributes)
		slices.SortFunc(w.Attributes, func(a, b logrec.Attr) int { return strings.Compare(a.Key, b.Key) })
		if !reflect.DeepEqual(w, got[i]) {
			t.Fatalf("record %d: want %.300v, got %.300v", i, w, got[i])
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, recs := range map[string][]logrec.Record{"odd": odd(), "one": odd()[:1], "corpus": corpus(3000, 1), "large": corpus(70000, 2)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := build(t, recs).Data // sorts recs
			same(t, recs, records(t, data, nil))
		})
	}
}

func TestRowsComeInTheOrderAskedFor(t *testing.T) {
	t.Parallel()
	recs := corpus(500, 3)
	data := build(t, recs).Data
	got := records(t, data, []int{499, 3, 3})
	require.Equal(t, []logrec.Record{recs[499], recs[3], recs[3]}, got)
	r, err := Open(data)
	require.NoError(t, err)
	_, err = r.Records([]int{500})
	require.Error(t, err)
}

func TestBuildSortsByTimeOffsetAndRow(t *testing.T) {
	t.Parallel()
	recs := corpus(300, 4)
	want := slices.Clone(recs)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
	slices.SortFunc(want, func(a, b logrec.Record) int { return order(&a, &b) })
	same(t, want, records(t, build(t, recs).Data, nil))
}

func TestEmptyBlockIsAnError(t *testing.T) {
	t.Parallel()
	b, err := NewBuilder(Options{})
	require.NoError(t, err)
	_, err = b.Build(nil)
	require.ErrorIs(t, err, ErrEmpty)
}

func TestMeta(t *testing.T) {
	t.Parallel()
	m := build(t, odd()).Meta
	require.Equal(t, []string{"a", "b", "ü"}, m.Services)
	require.Equal(t, uint8(0b1111110), m.LevelMask)
	require.Equal(t, []int64{math.MinInt64, math.MaxInt64, 6}, []int64{m.MinTime, m.MaxTime, int64(m.Rows)})
}

// goldens are what the golden files hold. odd has times in ns, corpus in whole µs.
func goldens() map[string][]logrec.Record {
	return map[string][]logrec.Record{"odd": odd(), "corpus": corpus(500, 9)}
}

// TestOldFormatsAreRead: blocks of all versions stay readable for ever.
func TestOldFormatsAreRead(t *testing.T) {
	t.Parallel()
	for name, recs := range goldens() {
		build(t, recs) // sorts recs
		data, err := os.ReadFile(filepath.Join("testdata", name+"-v1.parquet"))
		require.NoError(t, err)
		same(t, recs, records(t, data, nil))
		filter, err := os.ReadFile(filepath.Join("testdata", name+"-v1.parquet.filter"))
		require.NoError(t, err)
		for i := range recs {
			EachToken(recs[i].Message, func(tok string) { require.True(t, MayContain(filter, tok), tok) })
		}
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	data := build(t, corpus(3, 1)).Data
	at := bytes.LastIndex(data, []byte(formatKey)) + len(formatKey) + 2 // behind the value's field and length
	require.Equal(t, formatVersion[0], data[at])
	data[at] = '3'
	_, err := Open(data)
	require.ErrorIs(t, err, ErrNewer)
}

// TestGolden pins every byte: growth must be noticed.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, recs := range goldens() {
		blk := build(t, recs) // sorts recs
		path := filepath.Join("testdata", name+"-v2.parquet")
		if *update {
			require.NoError(t, os.WriteFile(path, blk.Data, 0o644))
			require.NoError(t, os.WriteFile(path+".filter", blk.Filter, 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, len(want), len(blk.Data), name)
		require.True(t, bytes.Equal(want, blk.Data), name)
		same(t, recs, records(t, want, nil))
		filter, err := os.ReadFile(path + ".filter")
		require.NoError(t, err)
		require.True(t, bytes.Equal(filter, blk.Filter), name)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	recs := corpus(4000, 5)
	recs[7].UserID, recs[7].Attributes = "U-77", []logrec.Attr{{Key: "Region", Value: "EU west"}}
	blk := build(t, recs)
	for i := range recs {
		EachToken(recs[i].Message, func(tok string) { require.True(t, MayContain(blk.Filter, tok), tok) })
		if recs[i].TraceID != "" {
			require.True(t, MayContain(blk.Filter, "trace_id="+recs[i].TraceID))
		}
	}
	require.True(t, MayContain(blk.Filter, "user_id=u-77"))
	require.True(t, MayContain(blk.Filter, "region=eu WEST"))
	wrong := 0
	for i := range 20000 {
		if MayContain(blk.Filter, fmt.Sprintf("absent%d", i)) {
			wrong++
		}
	}
	require.Less(t, wrong, 200, "8-bit fingerprints promise 0.39 %%: about 78 of 20000")
	require.True(t, MayContain(nil, "x"))
	require.True(t, MayContain([]byte{9, 9}, "x"))
}

func TestTokens(t *testing.T) {
	t.Parallel()
	var got []string
	EachToken("GET /a_b?x=1 ÄRGER naïve—ok 日本 "+strings.Repeat("z", 300), func(s string) { got = append(got, strings.Clone(s)) })
	require.Equal(t, []string{"get", "a_b", "x", "1", "ärger", "naïve", "ok", "日本", strings.Repeat("z", MaxTokenBytes)}, got)
}

// TestAnyParquetReaderOpensIt asks DuckDB, which shares no code with us, for sums and texts of a block.
func TestAnyParquetReaderOpensIt(t *testing.T) {
	t.Parallel()
	python := duckdb(t)
	dir := t.TempDir()
	recs := append(odd(), corpus(2000, 6)...)
	recs = recs[1:] // DuckDB has no word for the first nanosecond of int64
	slices.SortFunc(recs, func(a, b logrec.Record) int { return order(&a, &b) })
	recs = slices.DeleteFunc(recs, func(r logrec.Record) bool { return r.Timestamp == math.MaxInt64 })
	path := filepath.Join(dir, "b.parquet")
	require.NoError(t, os.WriteFile(path, build(t, recs).Data, 0o600))
	errors, withTrace := 0, 0
	for _, r := range recs {
		if r.Level == logrec.LevelError {
			errors++
		}
		if r.TraceID != "" {
			withTrace++
		}
	}
	script := `import duckdb,sys
r = duckdb.sql(f"""select count(*), count(*) filter (level = 'error'), count(trace_id), max(length(message)), sum(src_row), max("attr.mixed"::varchar) from '{sys.argv[1]}'""").fetchone()
print(*r)`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	require.NoError(t, err, string(out))
	sum := 0
	for _, r := range recs {
		sum += int(r.SrcRow)
	}
	require.Equal(t, fmt.Sprintf(`%d %d %d %d %d 12`, len(recs), errors, withTrace, 256<<10, sum), strings.TrimSpace(string(out)))
}

// duckdb is a Python that can import duckdb, from a virtual environment that is made once in the repository's .local.
func duckdb(t *testing.T) string {
	t.Helper()
	venv, err := filepath.Abs("../../.local/test/duckdb")
	require.NoError(t, err)
	python := filepath.Join(venv, "bin", "python")
	if exec.Command(python, "-c", "import duckdb").Run() == nil {
		return python
	}
	for _, args := range [][]string{{"python3", "-m", "venv", venv}, {python, "-m", "pip", "-q", "install", "duckdb==1.4.1"}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("DID NOT RUN: DuckDB cannot be had: %v\n%s", err, out)
			}
			t.Skipf("DID NOT RUN: DuckDB cannot be had: %v\n%s", err, out)
		}
	}
	return python
}

// TestDamageIsAnErrorAndCostsLittle turns bytes of a block: an error at the worst, and no memory for what a damaged length claims.
func TestDamageIsAnErrorAndCostsLittle(t *testing.T) {
	data := build(t, corpus(20, 1)).Data
	rng := rand.New(rand.NewPCG(1, 1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 3000 {
		d := slices.Clone(data)
		for range 1 + rng.IntN(3) {
			d[rng.IntN(len(d))] = byte(rng.Uint32())
		}
		if r, err := Open(d); err == nil {
			_, _ = r.Records(nil)
		} else if !errors.Is(err, ErrNewer) {
			require.ErrorIs(t, err, ErrDamaged)
		}
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.Sys-before.Sys, uint64(512<<20), "bytes taken from the system")
}

func FuzzOpen(f *testing.F) {
	f.Add(build(f, corpus(20, 1)).Data)
	f.Add(build(f, odd()[3:4]).Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Open(data)
		if err != nil {
			require.True(t, errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer), err)
			return
		}
		_, _ = r.Records(nil) // must not panic
	})
}

func FuzzMayContain(f *testing.F) {
	f.Add(build(f, odd()).Filter, "x")
	f.Fuzz(func(_ *testing.T, filter []byte, token string) { MayContain(filter, token) })
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{10, 400, 4000, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			recs := corpus(n, 1)
			builder, err := NewBuilder(Options{})
			require.NoError(b, err)
			b.ReportAllocs()
			var blk Block
			began := cpu(b)
			for b.Loop() {
				if blk, err = builder.Build(recs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/float64(n), "cpu-ns/line")
			b.ReportMetric(float64(len(blk.Data))/float64(n), "B/line")
			b.ReportMetric(float64(len(blk.Filter))/float64(n), "filterB/line")
		})
	}
}

func BenchmarkRead(b *testing.B) {
	data := build(b, corpus(65536, 1)).Data
	b.Run("message", func(b *testing.B) {
		for b.Loop() {
			r, _ := Open(data)
			_, _ = r.Strings("message")
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/65536, "ns/line")
	})
	b.Run("records100", func(b *testing.B) {
		rows := make([]int, 100)
		for i := range rows {
			rows[i] = i * 600
		}
		for b.Loop() {
			r, _ := Open(data)
			_, _ = r.Records(rows)
		}
	})
}

// BenchmarkSort sorts a block's lines that came in four messages, each in order.
func BenchmarkSort(b *testing.B) {
	const n = 2000
	recs := corpus(n, 1)
	mixed := make([]logrec.Record, 0, n)
	for i := range n {
		mixed = append(mixed, recs[i%(n/4)*4+i/(n/4)])
	}
	var s sorter
	began := cpu(b)
	for b.Loop() {
		copy(recs, mixed)
		s.sort(recs)
	}
	b.ReportMetric(float64(cpu(b)-began)/float64(b.N)/n, "cpu-ns/line")
}
