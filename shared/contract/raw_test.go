package contract

import (
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/logmill/logmill/shared/logrec"
)

var update = flag.Bool("update", false, "write golden files")

func TestHomeIsWhereKafkasJavaClientPutsAKey(t *testing.T) {
	t.Parallel()
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		require.Equal(t, hash, int32(murmur2(key)), key)
		require.Equal(t, (hash&0x7fffffff)%6, Home(key, 6))
	}
}

// sample is one record with every field, and one with next to none.
func sample() []logrec.Record {
	return []logrec.Record{{
		Timestamp: 1700000000123456789, Observed: 1700000000200000000, Level: logrec.LevelError, Service: "checkout", Message: "card declined",
		TraceID: "4bf92f3577b34da6a3ce929d0e0e4736", SpanID: "00f067aa0ba902b7", UserID: "u-7", RequestMethod: "POST", RequestPath: "/pay",
		ResponseStatus: 402, ResponseTimeMS: 12.5, HasResponseTime: true, Host: "web-1", Env: "prod", Team: "payments",
		Attributes: []logrec.Attr{
			{Key: "region", Value: "eu"}, {Key: "attempt", Value: "-3", Kind: logrec.JSON}, {Key: "ratio", Value: "0.25", Kind: logrec.JSON},
			{Key: "ok", Value: "false", Kind: logrec.JSON}, {Key: "card", Value: `{"brand":"visa","bins":[1,2]}`, Kind: logrec.JSON},
			{Key: "exact", Value: "1.10", Kind: logrec.JSON}, {Key: "big", Value: "12345678901234567890", Kind: logrec.JSON},
		},
	}, {Service: "a", Message: "x", TraceID: "not hex"}}
}

func encode(recs []logrec.Record) []byte {
	var e Encoder
	for i := range recs {
		e.Add(&recs[i])
	}
	return e.AppendTo(nil)
}

func decode(t testing.TB, value []byte, offset int64) []logrec.Record {
	t.Helper()
	var b Batch
	require.NoError(t, b.DecodeRaw(ContentTypeOTLP, value, offset))
	require.Empty(t, b.Rejected)
	return b.Records
}

func TestWhatTheCollectorWritesTheProcessorReads(t *testing.T) {
	t.Parallel()
	got := decode(t, encode(sample()), 7)
	want := sample()
	for i := range want {
		want[i].SrcOffset, want[i].SrcRow = 7, int32(i)
		if want[i].Attributes == nil {
			got[i].Attributes = nil
		}
	}
	require.Equal(t, want, got)
}

func TestGoldenRawMessage(t *testing.T) {
	t.Parallel()
	got := hex.EncodeToString(encode(sample()))
	if *update {
		require.NoError(t, os.WriteFile("testdata/raw-v1.hex", []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile("testdata/raw-v1.hex")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(want)), got, "the bytes of logs.raw changed: old messages must stay readable; add a version")
}

func TestEncoderSpeaksOTLP(t *testing.T) {
	t.Parallel()
	req := plogotlp.NewExportRequest()
	require.NoError(t, req.UnmarshalProto(encode(sample())))
	require.Equal(t, 2, req.Logs().ResourceLogs().Len())
	rl := req.Logs().ResourceLogs().At(0)
	service, _ := rl.Resource().Attributes().Get("service.name")
	require.Equal(t, "checkout", service.Str())
	lr := rl.ScopeLogs().At(0).LogRecords().At(0)
	require.Equal(t, "card declined", lr.Body().Str())
	require.Equal(t, plog.SeverityNumberError, lr.SeverityNumber())
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", lr.TraceID().String())
	require.Equal(t, uint64(1700000000123456789), uint64(lr.Timestamp()))
	status, _ := lr.Attributes().Get("response_status")
	require.EqualValues(t, 402, status.Int())
}

func TestForeignOTLPFillsOurFields(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "cart")
	rl.Resource().Attributes().PutStr("host.name", "h1")
	rl.Resource().Attributes().PutStr("deployment.environment.name", "prod")
	lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetSeverityText("Warning")
	body := lr.Body().SetEmptyMap()
	body.PutStr("msg", "slow")
	body.PutInt("n", 3)
	lr.Attributes().PutStr("http.request.method", "GET")
	lr.Attributes().PutStr("url.path", "/c")
	lr.Attributes().PutInt("http.response.status_code", 503)
	lr.Attributes().PutStr("enduser.id", "u1")
	lr.Attributes().PutEmptySlice("tags").AppendEmpty().SetStr("x")
	value, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	require.NoError(t, err)
	got := decode(t, value, 0)[0]
	require.ElementsMatch(t, []logrec.Attr{{Key: "n", Value: "3", Kind: logrec.JSON}, {Key: "tags", Value: `["x"]`, Kind: logrec.JSON}}, got.Attributes)
	got.Attributes = nil
	require.Equal(t, logrec.Record{
		Level: logrec.LevelWarn, Service: "cart", Message: "slow", Host: "h1", Env: "prod", RequestMethod: "GET", RequestPath: "/c",
		ResponseStatus: 503, UserID: "u1",
	}, got)
}

func TestABadRecordIsRejectedAlone(t *testing.T) {
	t.Parallel()
	var b Batch
	require.NoError(t, b.DecodeRaw("", []byte(`[{"msg":"a"},{"time":"soon"},7,{"msg":"b"}]`), 3))
	require.Len(t, b.Records, 2)
	require.Equal(t, []int32{0, 3}, []int32{b.Records[0].SrcRow, b.Records[1].SrcRow})
	require.Equal(t, []int{2, 3}, []int{b.Rejected[0].Line, b.Rejected[1].Line})
	recs := sample()
	recs[0].Service = strings.Repeat("s", 300)
	b.Reset()
	require.NoError(t, b.DecodeRaw(ContentTypeOTLP, encode(recs), 0))
	require.Len(t, b.Records, 1)
	require.Equal(t, "service", b.Rejected[0].Field)
}

func TestPoison(t *testing.T) {
	t.Parallel()
	var b Batch
	require.Error(t, b.DecodeRaw("", []byte("\xff\xff\xff"), 0))
	require.Error(t, b.DecodeRaw("text/plain", []byte("hello"), 0))
	require.Error(t, b.DecodeRaw(ContentTypeOTLP, encode(sample())[:40], 0))
	require.Empty(t, b.Records)
}

func TestEnrichedHeadersRoundTrip(t *testing.T) {
	t.Parallel()
	h := Enriched{Stream: 2, Partition: 3, From: 10, To: 12, Prev: 9, Rows: 400, MinTime: -5, MaxTime: 7, Watermark: 8, Checksum: 1<<32 - 1}
	m := map[string]string{}
	for _, x := range h.Headers() {
		m[x.Key] = x.Value
	}
	got, err := ParseEnriched(m)
	require.NoError(t, err)
	require.Equal(t, h, got)
	for name := range m {
		if name == HeaderContentType {
			continue
		}
		saved := m[name]
		delete(m, name)
		_, err = ParseEnriched(m)
		require.ErrorContains(t, err, name)
		m[name] = saved
	}
}

func FuzzDecodeRaw(f *testing.F) {
	f.Add(encode(sample()))
	f.Add([]byte(`{"msg":"a"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var b Batch
		if b.DecodeRaw("", value, 1) != nil {
			require.Empty(t, b.Records)
			return
		}
		again := decodeKept(t, encode(b.Records))
		require.Len(t, again, len(b.Records))
	})
}

// decodeKept decodes what Validate let through once: it must pass again.
func decodeKept(t *testing.T, value []byte) []logrec.Record {
	var b Batch
	require.NoError(t, b.DecodeRaw(ContentTypeOTLP, value, 1))
	require.Empty(t, b.Rejected)
	return b.Records
}

func corpus(n int) []logrec.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]logrec.Record, n)
	for i := range out {
		out[i] = logrec.Record{
			Timestamp: 1700000000000000000 + int64(i)*1000, Observed: 1700000000100000000, Level: logrec.LevelInfo, Service: fmt.Sprintf("svc-%d", rng.IntN(24)),
			Message: fmt.Sprintf("request %d to upstream %x finished after %d ms with %d bytes", rng.IntN(1e6), rng.Uint32(), rng.IntN(900), rng.IntN(1e5)),
			TraceID: fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64()),
		}
		if i%4 == 0 {
			out[i].RequestMethod, out[i].RequestPath, out[i].ResponseStatus, out[i].ResponseTimeMS, out[i].HasResponseTime = "GET", "/api/v1/items", 200, 3.5, true
		}
	}
	return out
}

func BenchmarkEncode(b *testing.B) {
	recs := corpus(4000)
	var e Encoder
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		e.Reset()
		for i := range recs {
			e.Add(&recs[i])
		}
		dst = e.AppendTo(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(recs)), "ns/line")
}

func BenchmarkDecode(b *testing.B) {
	value := encode(corpus(4000))
	var batch Batch
	b.SetBytes(int64(len(value)))
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		if err := batch.DecodeRaw(ContentTypeOTLP, value, 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4000, "ns/line")
}
