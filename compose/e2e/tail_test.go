package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
	"github.com/logmill/logmill/compose/e2e/internal/stack"
)

// rotating writes numbered lines to a file that is rotated now by renaming, now by copying and truncating.
type rotating struct {
	t    *testing.T
	path string
	f    *os.File
	n    int
	old  int
	sent map[string]bool
}

func newRotating(t *testing.T, path string) *rotating {
	r := &rotating{t: t, path: path, sent: map[string]bool{}}
	r.reopen()
	return r
}

func (r *rotating) reopen() {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(r.t, err)
	r.f = f
}

// write writes so many lines, one of them a record with a stack trace in it.
func (r *rotating) write(lines int) {
	w := bufio.NewWriter(r.f)
	for range lines {
		r.n++
		id := fmt.Sprintf("%s-%d", filepath.Base(r.path), r.n)
		r.sent[id] = true
		_, _ = fmt.Fprintf(w, `{"time":%q,"service":"file-%d","level":"info","message":"line %d of a file that is rotated while it is read","%s":%q}`+"\n",
			time.Now().Format(time.RFC3339Nano), r.n%5, r.n, audit.Attribute, id)
	}
	require.NoError(r.t, w.Flush())
}

func (r *rotating) rotate() {
	r.old++
	to := r.path + "." + strconv.Itoa(r.old)
	if r.old%2 == 0 {
		require.NoError(r.t, os.Rename(r.path, to))
		require.NoError(r.t, r.f.Close())
		r.reopen()
		return
	}
	from, err := os.Open(r.path)
	require.NoError(r.t, err)
	copied, err := os.Create(to)
	require.NoError(r.t, err)
	_, err = io.Copy(copied, from)
	require.NoError(r.t, err)
	require.NoError(r.t, copied.Close())
	require.NoError(r.t, from.Close())
	require.NoError(r.t, r.f.Truncate(0))
}

// TestTail: a file that is written at TAIL_RATE lines a second and rotated every second or two is followed while the follower is killed
// with kill -9, TAIL_KILLS times: every line is stored, once.
func TestTail(t *testing.T) {
	kills, rate := setting(t, "TAIL_KILLS", 4), setting(t, "TAIL_RATE", 5000)
	for name, nodes := range map[string]int{"embedded": 0, "kafka": 1} {
		t.Run(name, func(t *testing.T) {
			s := stack.New(t, nodes)
			s.Services(1, stack.Processor)
			r := newRotating(t, filepath.Join(t.TempDir(), "app.log"))
			r.write(1000)
			s.Start("tail", "collector tail --name e2e "+r.path+"*")
			rng := rand.New(rand.NewPCG(uint64(setting(t, "TAIL_SEED", 1)), 1))
			rotate, kill := time.Now().Add(time.Second), time.Now().Add(3*time.Second)
			for done := 0; done < kills || time.Now().Before(kill); {
				pause(20 * time.Millisecond)
				r.write(rate / 50)
				if now := time.Now(); now.After(rotate) {
					r.rotate()
					rotate = now.Add(time.Duration(500+rng.IntN(1500)) * time.Millisecond)
				}
				if now := time.Now(); done < kills && now.After(kill) {
					require.True(t, s.Alive("tail"), s.Tail("tail"))
					require.NoError(t, s.Kill("tail"))
					require.NoError(t, s.Restart("tail"))
					done++
					kill = now.Add(time.Duration(500+rng.IntN(3000)) * time.Millisecond)
				}
			}
			awaitLines(t, s, len(r.sent))
			report := settle(t, s, r.sent)
			t.Logf("%d lines, %d rotations, %d kills: %s", len(r.sent), r.old, kills, report)
			require.True(t, report.OK(), report.String())
		})
	}
}

// awaitLines waits until so many lines are stored. When there are fewer in the end, the audit says which.
func awaitLines(t *testing.T, s *stack.Stack, n int) {
	t.Helper()
	for range 120 {
		pause(500 * time.Millisecond)
		resp, err := http.Get(s.URL("api") + "/api/metrics?start=now-1h&end=now%2B1h")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		_ = resp.Body.Close()
		_, rest, _ := strings.Cut(string(body), `"total_logs":`)
		if got, _ := strconv.Atoi(rest[:max(0, strings.IndexAny(rest, ",}"))]); got >= n {
			return
		}
	}
}

// TestStdin: what is piped in is stored, a stack trace as one record.
func TestStdin(t *testing.T) {
	s := stack.New(t, 0)
	s.Services(1, stack.Processor)
	var in bytes.Buffer
	for i := range 500 {
		_, _ = fmt.Fprintf(&in, "%s INFO line %d\n", time.Now().Format("2006-01-02 15:04:05.000"), i)
	}
	in.WriteString(time.Now().Format("2006-01-02 15:04:05.000") + " ERROR it broke\njava.lang.IllegalStateException: no\n\tat com.shop.Cart.add(Cart.java:41)\n")
	out, err := s.Feed(&in, "collector", "stdin", "--service", "piped")
	require.NoError(t, err, string(out))
	awaitLines(t, s, 501)
	a := find(t, s, url.Values{"service": {"piped"}, "search": {"Cart.java"}, "count": {"true"}, "level": {"error"}})
	require.EqualValues(t, 1, a.Total)
}
