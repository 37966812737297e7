package pipeline

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/enrich"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

func newPipeline(t testing.TB, partitions int32) *Pipeline {
	t.Helper()
	p, err := New(Config{Partition: 0, Partitions: partitions, MaxLate: 5 * time.Minute, Enrich: enrich.Config{Env: "dev"}})
	require.NoError(t, err)
	return p
}

func otlp(recs ...logrec.Record) []byte {
	var enc contract.Encoder
	for i := range recs {
		enc.Add(&recs[i])
	}
	return enc.AppendTo(nil)
}

func TestSeveralMessagesMakeOneBlock(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	wm := now - 10*second
	p.Begin(now, wm)
	p.Add(Message{Offset: 5, Time: now - second, Value: otlp(logrec.Record{Service: "a", Message: "one", Timestamp: now, Observed: now - second}), ContentType: contract.ContentTypeOTLP})
	p.Add(Message{Offset: 6, Value: []byte("\xff\xff\xff"), ContentType: contract.ContentTypeOTLP})
	p.Add(Message{Offset: 7, Time: now, Value: otlp(
		logrec.Record{Service: "a", Message: "ERROR two"}, logrec.Record{Service: "a", Message: "old", Timestamp: 1, Observed: now}), ContentType: contract.ContentTypeOTLP})
	out, err := p.Finish()
	require.NoError(t, err)
	require.Equal(t, 3, out.Stats.Rows)
	require.Equal(t, now-int64(WatermarkLag), out.Watermark)
	require.Len(t, out.Dead, 1)
	require.EqualValues(t, 6, out.Dead[0].Message.Offset)
	require.Equal(t, 1, out.Stats.Unevaluated[TooOld])

	r, err := block.Open(out.Block.Data)
	require.NoError(t, err)
	recs, err := r.Records(nil)
	require.NoError(t, err)
	for _, rec := range recs {
		switch rec.Message {
		case "one": // rows count up in the order of time, each message for itself
			require.Equal(t, []int64{now, now, 5, 0}, []int64{rec.Timestamp, rec.EvalTime, rec.SrcOffset, int64(rec.SrcRow)})
		case "ERROR two":
			require.Equal(t, []int64{now, now, 7, 1}, []int64{rec.Timestamp, rec.EvalTime, rec.SrcOffset, int64(rec.SrcRow)})
			require.Equal(t, logrec.LevelError, rec.Level)
		case "old":
			require.Equal(t, []int64{1, 0, 7, 0}, []int64{rec.Timestamp, rec.EvalTime, rec.SrcOffset, int64(rec.SrcRow)})
		}
	}
}

func TestMisplacedAndUnstorableNames(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 6)
	p.Begin(now, 0)
	want := 0
	var recs []logrec.Record
	for i := range 50 {
		name := fmt.Sprintf("service-%d", i)
		recs = append(recs, logrec.Record{Service: name, Message: "x"}, logrec.Record{Service: name, Message: "y"})
		if contract.Home(name, 6) != 0 {
			want += 2
		}
	}
	p.Add(Message{Value: otlp(recs...)})
	out, err := p.Finish()
	require.NoError(t, err)
	require.Equal(t, want, out.Stats.Misplaced)

	p.Begin(now, 0)
	p.Add(Message{Value: otlp(logrec.Record{Service: strings.Repeat("é", 300), Message: "x"})})
	out, err = p.Finish()
	require.NoError(t, err)
	for _, rec := range out.Records {
		require.LessOrEqual(t, len(rec.Service), maxServiceBytes)
	}
}

func TestNothingToStore(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.Begin(now, 7)
	p.Add(Message{Value: []byte("{")})
	out, err := p.Finish()
	require.NoError(t, err)
	require.Nil(t, out.Block.Data)
	require.EqualValues(t, 7, out.Watermark, "poison moves no time")
	require.Len(t, out.Dead, 1)
}

// FuzzAdd: no bytes whatever stop the pipeline.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(`{"message":"x","service":"s"}`), "application/json")
	f.Add(otlp(logrec.Record{Service: "a", Message: "b"}), contract.ContentTypeOTLP)
	p := newPipeline(f, 3)
	f.Fuzz(func(t *testing.T, value []byte, contentType string) {
		p.Begin(now, now-second)
		p.Add(Message{Offset: 1, Value: value, ContentType: contentType})
		out, err := p.Finish()
		require.NoError(t, err)
		for _, rec := range out.Records {
			require.True(t, rec.EvalTime == 0 || rec.EvalTime > now-second)
		}
	})
}

// corpus is a block's worth of request logs, about 220 bytes of JSON a line, in messages of 1024 lines.
func corpus() (messages []Message, lines, bytes int) {
	r := rand.New(rand.NewPCG(1, 2))
	for m := range int64(8) {
		recs := make([]logrec.Record, 1024)
		for i := range recs {
			at := now - 2*second + int64(i)*1_000_000
			recs[i] = logrec.Record{Timestamp: at, Observed: at, Level: logrec.Level(3 + r.IntN(3)), Service: fmt.Sprintf("service-%d", r.IntN(24)),
				Message: fmt.Sprintf("request %d for customer %d done in %d steps", r.IntN(1e6), r.IntN(5000), r.IntN(40)),
				TraceID: fmt.Sprintf("%016x%016x", r.Uint64(), uint64(i/7)), UserID: fmt.Sprintf("user-%d", r.IntN(9000)), RequestMethod: "GET",
				RequestPath: fmt.Sprintf("/api/v1/items/%d", r.IntN(300)), ResponseStatus: 200, ResponseTimeMS: r.ExpFloat64() * 50, HasResponseTime: true}
		}
		v := otlp(recs...)
		messages = append(messages, Message{Offset: m, Time: now, ContentType: contract.ContentTypeOTLP, Value: v})
		lines, bytes = lines+len(recs), bytes+len(v)
	}
	return messages, lines, bytes
}

// BenchmarkPipeline is decode + enrich + time rules + block with filter.
func BenchmarkPipeline(b *testing.B) {
	messages, lines, bytes := corpus()
	p := newPipeline(b, 6)
	b.SetBytes(int64(bytes))
	b.ReportAllocs()
	for b.Loop() {
		p.Begin(now, now-10*second)
		for _, m := range messages {
			p.Add(m)
		}
		if _, err := p.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
}

// TestHistoryIsNeverEvaluated: what the collector marks as an import is stored and has no eval_time, however new it looks.
func TestHistoryIsNeverEvaluated(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.Begin(now, now-10*second)
	p.Add(Message{Offset: 1, Import: true, Value: otlp(logrec.Record{Service: "a", Message: "of yesterday, and no time in it", Observed: now})})
	out, err := p.Finish()
	require.NoError(t, err)
	require.Zero(t, out.Records[0].EvalTime)
	require.Equal(t, 1, out.Stats.Unevaluated[Imported])
}

// TestWhatMustNotBeStored: redaction is done when the block is built, and a changed catalogue is in force from the next block on.
func TestWhatMustNotBeStored(t *testing.T) {
	t.Parallel()
	first, err := catalogue.Parse([]byte("services: {a: {team: one}}"))
	require.NoError(t, err)
	next, err := catalogue.Parse([]byte("services: {a: {team: two}}\nredaction: {builtin: [card, email]}"))
	require.NoError(t, err)
	current, version := first, 1
	p, err := New(Config{Partitions: 1, MaxLate: 5 * time.Minute, Catalogue: func() (*catalogue.Catalogue, int) { return current, version }})
	require.NoError(t, err)
	block := func() Output {
		p.Begin(now, now-10*second)
		p.Add(Message{Offset: 1, Value: otlp(logrec.Record{Service: "a", Message: "4111 1111 1111 1111 of ann@example.org", Observed: now})})
		out, err := p.Finish()
		require.NoError(t, err)
		return out
	}
	out := block()
	require.Equal(t, "one", out.Records[0].Team)
	require.Contains(t, out.Records[0].Message, "4111")
	current, version = next, 2
	out = block()
	require.Equal(t, "two", out.Records[0].Team)
	require.Equal(t, "[card] of [email]", out.Records[0].Message)
	require.Equal(t, map[string]int{"card": 1, "email": 1}, out.Stats.Redacted)
	require.NotContains(t, string(out.Block.Data), "4111")
}
