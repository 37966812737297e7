package tail

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// TestPipeSendsEachLineOnce: commits fail at random, before and after they are stored.
func TestPipeSendsEachLineOnce(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	sink := &memory{stored: map[string][]byte{}}
	sink.fail = func() (before, after bool) { return rng.IntN(6) == 0, rng.IntN(6) == 0 }
	in, out := io.Pipe()
	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint("line ", i))
	}
	go func() {
		text := []byte(strings.Join(want, "\n"))
		for len(text) > 0 {
			n := min(len(text), 97)
			_, _ = out.Write(text[:n])
			text = text[n:]
		}
		_ = out.Close()
	}()
	cfg := Config{Records: Recorder{Service: func(string) string { return "job" }}}
	p := NewPipe(cfg, Deps{Metrics: NewMetrics(prometheus.NewRegistry()), Log: zerolog.Nop(), Now: time.Now}, func(string) func(context.Context) (Sink, error) {
		return func(context.Context) (Sink, error) { return sink, nil }
	})
	require.NoError(t, p.Run(t.Context(), in))
	require.Equal(t, want, texts(sink.live))
	require.Equal(t, "job", sink.live[0].Service)
}

func TestPipeSaysWhatItLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	sink := &memory{stored: map[string][]byte{}, fail: func() (bool, bool) { cancel(); return true, false }}
	p := NewPipe(Config{Records: Recorder{Service: ServiceOf}}, Deps{Metrics: NewMetrics(prometheus.NewRegistry()), Log: zerolog.Nop(), Now: time.Now}, func(string) func(context.Context) (Sink, error) {
		return func(context.Context) (Sink, error) { return sink, nil }
	})
	require.ErrorContains(t, p.Run(ctx, strings.NewReader("a\nb\n")), "not sent")
}

func TestServiceOf(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/var/log/shop.log": "shop", "/var/log/shop.log.1": "shop", "/srv/shop/2026-11-24.log": "shop", "/x/shop-api.out": "shop-api", "/x/shop.v2.log": "shop.v2", "/x/messages": "messages"} {
		require.Equal(t, want, ServiceOf(path), path)
	}
}
