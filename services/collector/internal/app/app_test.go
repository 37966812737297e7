package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

// collector runs a collector for the test and returns its address.
func collector(t *testing.T, kafka config.Kafka, change func(*Config)) string {
	t.Helper()
	cfg := Config{Kafka: kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MemoryMB: 40, MaxBodyMB: 16, Linger: 20 * time.Millisecond, DeliveryTimeout: 5 * time.Second}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := New(ctx, cfg, zerolog.Nop())
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done // a broker that the test took away makes its error
	})
	return "http://" + a.Addr()
}

func post(t *testing.T, url, contentType, encoding string, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, body)
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

// raw reads all records that are on logs.raw now, by partition.
func raw(t *testing.T, cfg config.Kafka) map[int32][]logrec.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	end, err := testkit.BusClient(t, cfg).EndOffsets(ctx, contract.TopicRaw)
	require.NoError(t, err)
	sc := sarama.NewConfig()
	sc.Version = sarama.V2_8_0_0
	c, err := sarama.NewConsumer(cfg.Brokers, sc)
	require.NoError(t, err)
	defer c.Close()
	out := map[int32][]logrec.Record{}
	for p, e := range end {
		if e == 0 {
			continue
		}
		pc, err := c.ConsumePartition(cfg.Topic(contract.TopicRaw), p, 0)
		require.NoError(t, err)
		for m := range pc.Messages() {
			var b contract.Batch
			require.NoError(t, b.DecodeRaw(string(m.Headers[0].Value), m.Value, m.Offset))
			require.Empty(t, b.Rejected)
			out[p] = append(out[p], b.Records...)
			if m.Offset+1 >= e {
				break
			}
		}
		require.NoError(t, pc.Close())
	}
	return out
}

func TestWhatIsAcknowledgedIsOnItsHomePartition(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		url := collector(t, cfg, nil)
		const clients, requests, lines = 4, 10, 25
		var wg sync.WaitGroup
		for c := range clients {
			wg.Go(func() {
				for r := range requests {
					var body strings.Builder
					for l := range lines {
						fmt.Fprintf(&body, `{"service":"svc-%d","message":"m-%d-%d-%d","n":%d}`+"\n", l%7, c, r, l, l)
					}
					code, text := post(t, url+"/api/logs", "application/x-ndjson", "", strings.NewReader(body.String()))
					if code != http.StatusOK {
						t.Errorf("%d %s", code, text)
					}
				}
			})
		}
		wg.Wait()
		seen := map[string]int{}
		for p, recs := range raw(t, cfg) {
			for _, r := range recs {
				require.Equal(t, contract.Home(r.Service, cfg.Partitions), p, r.Service)
				require.NotZero(t, r.Observed)
				require.Zero(t, r.Timestamp, "the processor infers it")
				seen[r.Message]++
			}
		}
		require.Len(t, seen, clients*requests*lines)
		for m, n := range seen {
			require.Equal(t, 1, n, m)
		}
	})
}

func zipped(b []byte) *bytes.Buffer {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return &out
}

// TestBadInput is the table of what must be refused with a clear word, and harm nothing else.
func TestBadInput(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	url := collector(t, cfg, nil)
	many := make([]string, 0, 10000)
	for i := range 10000 {
		many = append(many, fmt.Sprintf(`"k%d":1`, i))
	}
	for name, c := range map[string]struct {
		path, contentType, encoding string
		body                        io.Reader
		code                        int
		want                        string
	}{
		"truncated gzip":       {"/api/logs", "", "gzip", bytes.NewReader(zipped([]byte(`{"msg":"a"}`)).Bytes()[:15]), 400, "gzip body is damaged"},
		"gzip bomb":            {"/api/logs", "", "gzip", zipped(make([]byte, 64<<20)), 413, "larger than"},
		"a line of 100 MB":     {"/api/logs", "", "", io.LimitReader(zeros{}, 100<<20), 413, "larger than"},
		"a line of 2 MB":       {"/api/logs", "", "", strings.NewReader(`{"msg":"` + strings.Repeat("x", 2<<20) + `"}`), 400, "at most 1048576 are accepted"},
		"10,000 attributes":    {"/api/logs", "", "", strings.NewReader("{" + strings.Join(many, ",") + "}"), 400, "more than 256 attributes"},
		"NaN":                  {"/api/logs", "", "", strings.NewReader(`{"msg":"a","x":NaN}`), 400, "expected a value"},
		"a time after 2262":    {"/api/logs", "", "", strings.NewReader(`{"msg":"a","time":"2263-01-01T00:00:00Z"}`), 400, "not a time between 1970 and 2262"},
		"observed after 2262":  {"/api/logs", "", "", strings.NewReader(`{"msg":"a","observed":1e19}`), 400, "not a time"},
		"wrong content type":   {"/api/logs", "text/html", "", strings.NewReader("<p>"), 415, "not understood"},
		"unknown encoding":     {"/api/logs", "", "br", strings.NewReader("x"), 415, "content encoding"},
		"nothing":              {"/api/logs", "", "", strings.NewReader(""), 400, "no record"},
		"garbage as OTLP":      {"/v1/logs", "application/x-protobuf", "", strings.NewReader("\xff\xfe\x00garbage"), 400, "damaged"},
		"garbage as OTLP/JSON": {"/v1/logs", "application/json", "", strings.NewReader(`{"resourceLogs":[`), 400, "damaged"},
		"a damaged array":      {"/api/logs", "", "", strings.NewReader(`[{"msg":"a"},{"msg":`), 400, "1 of 2 records"},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := post(t, url+c.path, c.contentType, c.encoding, c.body)
			require.Equal(t, c.code, code, text)
			require.Contains(t, text, c.want)
		})
	}
	code, text := post(t, url+"/api/logs", "application/json", "", strings.NewReader("{\"service\":\"s\",\"msg\":\"bad \xff utf8\",\"ts\":1}"))
	require.Equal(t, 200, code, text)
	all := raw(t, cfg)[contract.Home("s", cfg.Partitions)]
	require.Equal(t, "bad \uFFFD utf8", all[len(all)-1].Message)
	require.EqualValues(t, 1e9, all[len(all)-1].Timestamp)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestOTLPAnswersInKindAndSaysWhatItRefused(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	url := collector(t, cfg, nil)
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "otel")
	records := rl.ScopeLogs().AppendEmpty().LogRecords()
	records.AppendEmpty().Body().SetStr("good")
	bad := records.AppendEmpty()
	bad.Body().SetStr("bad")
	bad.SetTimestamp(1 << 63)
	req := plogotlp.NewExportRequestFromLogs(logs)
	proto, err := req.MarshalProto()
	require.NoError(t, err)
	code, text := post(t, url+"/v1/logs", "application/x-protobuf", "", bytes.NewReader(proto))
	require.Equal(t, 200, code)
	resp := plogotlp.NewExportResponse()
	require.NoError(t, resp.UnmarshalProto([]byte(text)))
	require.EqualValues(t, 1, resp.PartialSuccess().RejectedLogRecords())
	require.Contains(t, resp.PartialSuccess().ErrorMessage(), "2262")
	js, err := req.MarshalJSON()
	require.NoError(t, err)
	code, text = post(t, url+"/v1/logs", "application/json", "gzip", zipped(js))
	require.Equal(t, 200, code)
	require.Contains(t, text, "rejectedLogRecords")
	require.Len(t, raw(t, cfg)[contract.Home("otel", cfg.Partitions)], 2)
}

func TestABrokerThatIsAwayIs503AndComesBack(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), 0
	b, err := broker.Start(broker.Config{Dir: dir})
	require.NoError(t, err)
	_, text, err := net.SplitHostPort(b.Addr())
	require.NoError(t, err)
	_, err = fmt.Sscan(text, &port)
	require.NoError(t, err)
	cfg := config.Kafka{Brokers: []string{b.Addr()}, Partitions: 3, Embedded: true}
	url := collector(t, cfg, func(c *Config) { c.DeliveryTimeout = 500 * time.Millisecond })
	send := func() int {
		code, _ := post(t, url+"/api/logs", "", "", strings.NewReader(`{"msg":"a"}`))
		return code
	}
	require.Equal(t, http.StatusOK, send())
	b.Close()
	require.Equal(t, http.StatusServiceUnavailable, send())
	b, err = broker.Start(broker.Config{Dir: dir, Port: port})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	require.Eventually(t, func() bool { return send() == http.StatusOK }, 30*time.Second, 100*time.Millisecond)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	url := collector(t, cfg, func(c *Config) { c.MemoryMB = 12; c.MaxBodyMB = 16 })
	code, text := post(t, url+"/api/logs", "", "", strings.NewReader(`{"msg":"`+strings.Repeat("x", 10<<20)+`"}`))
	require.Equal(t, http.StatusTooManyRequests, code, text)
	code, _ = post(t, url+"/api/logs", "", "", strings.NewReader(`{"msg":"small"}`))
	require.Equal(t, 200, code, "the budget must come back")
}
