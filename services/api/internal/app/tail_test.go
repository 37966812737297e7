package app

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

type event struct {
	name, id string
	data     map[string]any
}

// watch opens a tail and gives its events one by one.
func watch(t *testing.T, base, query string) (next func() event) {
	t.Helper()
	resp, err := http.Get(base + "/api/logs/tail?" + query)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	lines := bufio.NewScanner(resp.Body)
	return func() (e event) {
		for lines.Scan() {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "":
				return e
			case "event":
				e.name = value
			case "id":
				e.id = value
			case "data":
				require.NoError(t, json.Unmarshal([]byte(value), &e.data))
			}
		}
		return event{name: "end"}
	}
}

// processor stores blocks and publishes them, as the processor does.
type processor struct {
	t    *testing.T
	w    *blocktest.Writer
	p    *bus.Publisher
	next int64
}

func newProcessor(t *testing.T, db *mysqlx.DB, cfg config.Kafka) *processor {
	p := bus.NewPublisher(cfg, "test", false, zerolog.Nop())
	t.Cleanup(func() { _ = p.Close() })
	return &processor{t: t, w: blocktest.New(db), p: p}
}

func (p *processor) block(publish bool, n int, level logrec.Level, message string) {
	var recs []logrec.Record
	for i := range n {
		recs = append(recs, logrec.Record{Timestamp: noon.UnixNano() + p.next*1e6 + int64(i), Observed: noon.UnixNano(), Level: level, Service: "s", Message: fmt.Sprintf("%s %d", message, i), SrcOffset: p.next, SrcRow: int32(i)})
	}
	blk, err := blocktest.Build(recs)
	require.NoError(p.t, err)
	_, err = p.w.Block(p.t.Context(), 1, p.next, p.next, blk)
	require.NoError(p.t, err)
	if publish {
		h := contract.Enriched{Stream: blocktest.Stream, Partition: 1, From: p.next, To: p.next, Prev: p.next - 1, Rows: n, MinTime: blk.Meta.MinTime, MaxTime: blk.Meta.MaxTime, Checksum: blk.Meta.Checksum}
		require.NoError(p.t, p.p.Publish(p.t.Context(), contract.TopicEnriched, 1, nil, blk.Data, h.Headers()))
	}
	p.next++
}

// TestTail: the lines before, then each line that comes, once, on both brokers.
func TestTail(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		base, db := apiOn(t, cfg)
		p := newProcessor(t, db, cfg)
		p.block(true, 5, logrec.LevelError, "old")
		next := watch(t, base, "q="+url.QueryEscape("level:error")+"&lines=3")
		for i := range 3 {
			e := next()
			require.Equal(t, fmt.Sprintf("old %d", 2+i), e.data["message"])
			require.Equal(t, e.data["id"], e.id)
			documented(t, base, "Log", e.data)
		}
		require.Equal(t, "start", next().name)
		p.block(true, 2, logrec.LevelInfo, "not asked for")
		p.block(true, 2, logrec.LevelError, "new")
		require.Equal(t, "new 0", next().data["message"])
		require.Equal(t, "new 1", next().data["message"])
		slow := watch(t, base, "rate=10&lines=0")
		require.Equal(t, "start", slow().name)
		p.block(true, 1000, logrec.LevelInfo, "many")
		shown, dropped := 0, 0.0
		for shown+int(dropped) < 1000 {
			e := slow()
			if e.name == "dropped" {
				dropped += e.data["lines"].(float64)
				require.Equal(t, dropped, e.data["total"])
			} else {
				shown++
			}
		}
		require.LessOrEqual(t, shown, 20, "the rate, of two seconds at most")
	})
}

// TestFiftyViewersOneStuck over HTTP: one client reads nothing at all; the others get every line.
func TestFiftyViewersOneStuck(t *testing.T) {
	t.Parallel()
	cfg := testkit.Kafka(t)
	base, db := apiOn(t, cfg)
	p := newProcessor(t, db, cfg)
	stuck, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	require.NoError(t, err)
	defer stuck.Close()
	_, err = fmt.Fprintf(stuck, "GET /api/logs/tail?rate=5000 HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	const viewers, blocks, rows = 49, 40, 100
	var ready, done sync.WaitGroup
	var read atomic.Int64
	for range viewers {
		next := watch(t, base, "rate=5000&lines=0")
		ready.Add(1)
		done.Go(func() {
			if e := next(); e.name != "start" {
				t.Errorf("%v instead of the start", e)
			}
			ready.Done()
			for i := range blocks * rows {
				if e := next(); e.data["message"] != fmt.Sprintf("%s %d", strings.Repeat("x", 2000), i%rows) {
					t.Errorf("%s %v at line %d", e.name, e.data["lines"], i)
					return
				}
				read.Add(1)
			}
		})
	}
	ready.Wait()
	for b := range blocks { // 8 MB for each: more than the stuck one's connection holds
		p.block(true, rows, logrec.LevelInfo, strings.Repeat("x", 2000))
		for b%4 == 3 && !t.Failed() && read.Load() < int64(viewers*rows*(b+1)) { // as much as a queue holds: those who read are given the time to
			runtime.Gosched()
		}
	}
	done.Wait()
}

// TestBadTail: mistakes are answered before the stream begins.
func TestBadTail(t *testing.T) {
	t.Parallel()
	base, _ := api(t)
	for path, field := range map[string]string{"q=%22a": "q", "rate=5001": "rate", "lines=1001": "lines", "start=now": "start", "limit=1": "limit"} {
		refused(t, 400, field, "GET", base+"/api/logs/tail?"+path, "")
	}
}

// TestATailEndsWithTheAPI: its requests never end by themselves, and must not keep the api from stopping.
func TestATailEndsWithTheAPI(t *testing.T) {
	t.Parallel()
	var next func() event
	t.Run("api", func(t *testing.T) {
		base, _ := api(t)
		resp, err := http.Get(base + "/api/logs/tail")
		require.NoError(t, err)
		lines := bufio.NewScanner(resp.Body)
		next = func() event {
			for lines.Scan() {
				if lines.Text() == "event: problem" {
					return event{name: "problem"}
				}
			}
			return event{name: "end"}
		}
	})
	require.Equal(t, "problem", next().name)
	require.Equal(t, "end", next().name)
}

// TestOneCallersTails: nobody takes all places.
func TestOneCallersTails(t *testing.T) {
	t.Parallel()
	base, _ := api(t)
	for range 100 {
		resp, err := http.Get(base + "/api/logs/tail?lines=0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = resp.Body.Close() })
		require.Equal(t, 200, resp.StatusCode)
	}
	code, h, _ := call(t, "GET", base+"/api/logs/tail", "")
	require.Equal(t, http.StatusTooManyRequests, code)
	require.NotEmpty(t, h.Get("Retry-After"))
}
