package tail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/logrec"
)

var errSink = errors.New("the sink failed")

// memory is a Sink that keeps what is committed, and can fail before or after it has.
type memory struct {
	stored        map[string][]byte
	live, history []logrec.Record
	fail          func() (before, after bool)
}

func (m *memory) Load(_ context.Context, prefix string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for k, v := range m.stored {
		if strings.HasPrefix(k, prefix) {
			out[k] = v
		}
	}
	return out, nil
}

func (m *memory) Commit(_ context.Context, t exact.Transaction) error {
	before, after := false, false
	if m.fail != nil {
		before, after = m.fail()
	}
	if before {
		return errSink
	}
	for _, p := range t.Parts {
		for _, r := range p.Records {
			r.Message = strings.Clone(r.Message)
			if p.Import {
				m.history = append(m.history, r)
			} else {
				m.live = append(m.live, r)
			}
		}
	}
	for _, p := range t.Positions {
		if p.Value == nil {
			delete(m.stored, p.Key)
		} else {
			m.stored[p.Key] = p.Value
		}
	}
	if after {
		return errSink
	}
	return nil
}

func (m *memory) Close() {}

// bench is a folder, a tail on it, and a clock.
type bench struct {
	t    *testing.T
	dir  string
	sink *memory
	f    *Follower
	s    *session
	now  time.Time
}

func newBench(t *testing.T, patterns ...string) *bench {
	b := &bench{t: t, dir: t.TempDir(), sink: &memory{stored: map[string][]byte{}}, now: time.Now()}
	b.process(patterns...)
	return b
}

// process is a new process of the tail: what is not stored is forgotten.
func (b *bench) process(patterns ...string) {
	if b.s != nil {
		b.s.close()
		b.s = nil
	}
	cfg := Config{Name: "t", Records: Recorder{Service: ServiceOf, Host: "h"}}
	for _, p := range patterns {
		cfg.Patterns = append(cfg.Patterns, filepath.Join(b.dir, p))
	}
	if len(patterns) == 0 {
		cfg.Patterns = b.f.cfg.Patterns
	}
	b.f = New(cfg, Deps{Metrics: NewMetrics(prometheus.NewRegistry()), Log: zerolog.Nop(), Now: func() time.Time { return b.now }})
}

// turn runs one turn, with a new session where there is none, or where the last one failed.
func (b *bench) turn() {
	b.t.Helper()
	if b.s == nil {
		stored, err := b.sink.Load(b.t.Context(), Prefix("t"))
		require.NoError(b.t, err)
		k, err := readKnown(stored)
		require.NoError(b.t, err)
		b.s = newSession(b.f, b.sink, k)
	}
	if _, err := b.s.turn(b.t.Context()); err != nil {
		require.ErrorIs(b.t, err, errSink)
		b.s.close()
		b.s = nil
	}
}

// pass lets time pass and turns, until everything that is there is read.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); {
		b.now = b.now.Add(min(d, 500*time.Millisecond))
		b.turn()
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(b.t, err)
	_, err = f.WriteString(text)
	require.NoError(b.t, err)
	require.NoError(b.t, f.Close())
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	require.NoError(b.t, os.Rename(b.path(from), b.path(to)))
}

func (b *bench) copyTruncate(from, to string) {
	b.t.Helper()
	text, err := os.ReadFile(b.path(from))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(b.path(to), text, 0o600))
	require.NoError(b.t, os.Truncate(b.path(from), 0))
}

// copySlowly is copyTruncate in steps, between which anything may happen to the tail.
func (b *bench) copySlowly(from, to string, rng *rand.Rand) {
	b.t.Helper()
	text, err := os.ReadFile(b.path(from))
	require.NoError(b.t, err)
	half := rng.IntN(len(text))
	for _, part := range [][]byte{nil, text[:half], text[half:]} {
		b.write(to, string(part))
		switch rng.IntN(6) {
		case 0:
			b.process()
		case 1:
			b.process()
			b.pass(time.Duration(1+rng.IntN(3)) * time.Second)
		case 2:
			b.pass(time.Duration(1+rng.IntN(3)) * time.Second)
		}
	}
	require.NoError(b.t, os.Truncate(b.path(from), 0))
}

func texts(recs []logrec.Record) (out []string) {
	for _, r := range recs {
		out = append(out, r.Message)
	}
	return out
}

func TestFollowsAndResumes(t *testing.T) {
	t.Parallel()
	b := newBench(t, "*.log")
	b.write("shop.log", "old 1\nold 2\n")
	b.pass(3 * time.Second)
	require.Equal(t, []string{"old 1", "old 2"}, texts(b.sink.history), "what was there before is history")
	b.write("shop.log", "new 1\nhal")
	b.write("late.log", "late 1\n")
	b.pass(3 * time.Second)
	require.ElementsMatch(t, []string{"new 1", "late 1"}, texts(b.sink.live), "half a line is none; a file that comes later is no history")
	b.process()
	b.write("shop.log", "f\nnew 2\n")
	b.pass(3 * time.Second)
	require.ElementsMatch(t, []string{"new 1", "late 1", "half", "new 2"}, texts(b.sink.live))
	require.Len(t, b.sink.history, 2)
	r := b.sink.live[0]
	require.Equal(t, "shop", r.Service)
	require.Equal(t, []logrec.Attr{{Key: "log.file.path", Value: b.path("shop.log")}}, r.Attributes)
}

func TestFromEndAndWhatADownTailMissed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "*.log")
	b.f.cfg.FromEnd = true
	b.write("a.log", "old\n")
	b.pass(time.Second)
	b.write("a.log", "new\n")
	b.pass(3 * time.Second)
	require.Equal(t, []string{"new"}, texts(b.sink.live))
	require.Empty(t, b.sink.history)
	b.process()
	b.now = b.now.Add(time.Hour)
	b.write("b.log", "written while nobody looked\n")
	require.NoError(t, os.Chtimes(b.path("b.log"), b.now, b.now))
	b.pass(3 * time.Second)
	require.Equal(t, []string{"new", "written while nobody looked"}, texts(b.sink.live))
}

func TestRotationByRename(t *testing.T) {
	t.Parallel()
	b := newBench(t, "app.log") // the rotated name matches nothing
	b.write("app.log", "1\n")
	b.pass(3 * time.Second)
	b.write("app.log", "2\n")
	b.rename("app.log", "app.log.1")
	b.write("app.log.1", "3, by a writer that has not reopened\n")
	b.write("app.log", "4\n")
	b.pass(3 * time.Second)
	b.write("app.log.1", "5\nthe last, without a newline")
	b.pass(orphanWait + 5*time.Second)
	require.ElementsMatch(t, []string{"2", "3, by a writer that has not reopened", "4", "5", "the last, without a newline"}, texts(b.sink.live))

	// A rotation while the tail is down.
	b.write("app.log", "6\n")
	b.pass(3 * time.Second)
	b.process()
	b.write("app.log", "7\n")
	b.rename("app.log", "app.log.2")
	b.write("app.log", "8\n")
	require.NoError(t, os.Chtimes(b.path("app.log"), b.now, b.now)) // the test's clock is ahead
	b.pass(5 * time.Second)
	require.Subset(t, texts(b.sink.live), []string{"6", "7", "8"})
	require.Len(t, b.sink.live, 8)
}

func TestCopyTruncate(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"app.log", "app.log*"} {
		b := newBench(t, pattern)
		b.write("app.log", "1\n")
		b.pass(3 * time.Second)
		b.write("app.log", "2\n")
		b.pass(3 * time.Second)
		b.write("app.log", "3, only in the copy\n")
		b.copyTruncate("app.log", "app.log.1")
		b.write("app.log", "4\n")
		b.pass(copyWait + 5*time.Second)
		require.ElementsMatch(t, []string{"2", "3, only in the copy", "4"}, texts(b.sink.live), pattern)
		require.Equal(t, []string{"1"}, texts(b.sink.history), pattern)
	}
}

func TestTwoFilesThatBeginAlike(t *testing.T) {
	t.Parallel()
	b := newBench(t, "*.log")
	b.write("a.log", "banner\n")
	b.pass(3 * time.Second)
	b.write("b.log", "banner\nb's own\n")
	b.pass(copyWait + 5*time.Second)
	require.Equal(t, []string{"banner", "b's own"}, texts(b.sink.live))
	require.NoError(t, os.Remove(b.path("a.log")))
	b.pass(5 * time.Second)
	b.write("a.log", "banner\nanother file under the old name\n")
	b.pass(copyWait + 5*time.Second)
	require.Equal(t, []string{"banner", "b's own", "banner", "another file under the old name"}, texts(b.sink.live))
}

// TestEveryLineOnce: writers append, rename and copy-truncate at random, the process dies at random, commits fail at random, before and
// after they are stored: every line is sent, none twice.
func TestEveryLineOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 9))
			b := newBench(t, []string{"*.log", "*.log*"}[seed%2])
			b.sink.fail = func() (before, after bool) { return rng.IntN(12) == 0, rng.IntN(12) == 0 }
			var want []string
			rotated, n := 0, 0
			line := func(name string) {
				n++
				text := fmt.Sprintf("2026-11-24 10:00:%02d line %d of %s", n%60, n, name)
				if rng.IntN(5) == 0 {
					text += "\n\tat trace.line(" + fmt.Sprint(n) + ")"
				}
				want = append(want, text)
				b.write(name, text+"\n")
			}
			for range 150 {
				name := []string{"a.log", "b.log"}[rng.IntN(2)]
				switch k := rng.IntN(20); {
				case k < 12:
					for range 1 + rng.IntN(5) {
						line(name)
					}
				case k == 12:
					b.pass(2 * time.Second) // a stack trace is not torn by rotation
					if _, err := os.Stat(b.path(name)); err == nil {
						rotated++
						b.rename(name, fmt.Sprintf("%s.%d", name, rotated))
					}
				case k == 13:
					b.pass(2 * time.Second)
					if fi, err := os.Stat(b.path(name)); err == nil && fi.Size() > 0 {
						line(name)
						rotated++
						b.copySlowly(name, fmt.Sprintf("%s.%d", name, rotated), rng)
						if seed%2 == 0 || rng.IntN(2) == 0 {
							b.pass(2 * time.Second) // a writer as fast as to cut the file again before anybody looks is beyond a pattern without the copies
							continue
						}
						line(name)
						rotated++
						b.rename(name, fmt.Sprintf("%s.%d", name, rotated))
					}
				case k == 14:
					b.process()
				default:
					b.pass(time.Duration(1+rng.IntN(4)) * 300 * time.Millisecond)
				}
			}
			b.sink.fail = nil
			b.pass(orphanWait + copyWait)
			got := map[string]int{}
			for _, r := range append(texts(b.sink.live), texts(b.sink.history)...) {
				got[r]++
			}
			for _, w := range want {
				require.Equal(t, 1, got[w], "%q", w)
			}
			require.Len(t, got, len(want))
		})
	}
}
