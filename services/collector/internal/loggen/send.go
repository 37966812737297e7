package loggen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Options of a run.
type Options struct {
	URL         string        // of POST /api/logs
	Rate        int           // lines a second; 0 = as fast as they are taken
	Lines       int           // stop after so many; 0 = no end
	For         time.Duration // stop after so long; 0 = no end
	Batch       int           // lines a request
	Concurrency int           // requests under way
	Gzip        bool
	Token       string        // shown to the collector; empty: none
	Span        time.Duration // spread the lines' times over so long, ending now; 0 = now. Needs Lines
}

// Summary is what came of a run.
type Summary struct {
	Sent         int     `json:"sent"`   // lines in requests that were made
	Acknowledged int     `json:"acked"`  // lines in requests that were answered with 2xx
	Failed       int     `json:"failed"` // lines given up: unanswered, or refused for good. Some may be stored
	Retried      int     `json:"retried"`
	Seconds      float64 `json:"seconds"`
	LinesPerSec  float64 `json:"lines_per_second"`
	P50          float64 `json:"latency_p50_ms"`
	P99          float64 `json:"latency_p99_ms"`
}

const (
	requestTimeout = 30 * time.Second
	backoffMin     = 100 * time.Millisecond
	backoffMax     = 2 * time.Second
	keepLatencies  = 1 << 20
	tick           = 20 * time.Millisecond
	spanStream     = 3 // of random numbers: the moments of lines
)

// request is a body ready to send.
type request struct {
	body  []byte
	lines int
}

type sender struct {
	o         Options
	client    *http.Client
	mu        sync.Mutex
	sum       Summary
	latencies []float64
}

// Run makes lines and sends them until it has made enough or ctx ends.
func Run(ctx context.Context, p Profile, o Options) Summary {
	s := &sender{o: o, client: &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: o.Concurrency, MaxConnsPerHost: o.Concurrency}}}
	begun := time.Now()
	queue := make(chan request, o.Concurrency)
	var wg sync.WaitGroup
	for range o.Concurrency {
		wg.Go(func() {
			for r := range queue {
				s.send(ctx, r)
			}
		})
	}
	produce(ctx, p, o, queue)
	close(queue)
	wg.Wait()
	return s.summary(time.Since(begun))
}

// produce fills the queue at the rate asked for.
func produce(ctx context.Context, p Profile, o Options, queue chan<- request) {
	begun := time.Now()
	for made := 0; ctx.Err() == nil && (o.Lines == 0 || made < o.Lines) && (o.For == 0 || time.Since(begun) < o.For); {
		n := o.Batch
		if o.Lines > 0 {
			n = min(n, o.Lines-made)
		}
		if o.Rate > 0 {
			if n = min(n, int(time.Since(begun).Seconds()*float64(o.Rate))-made); n <= 0 {
				wait(ctx, tick)
				continue
			}
		}
		r := render(p, n, func(i int) time.Time { return o.At(made+i, begun) })
		if o.Gzip {
			r.body = zip(r.body)
		}
		made += n
		select {
		case queue <- r:
		case <-ctx.Done():
		}
	}
}

// At is when line i of a run that began then happened. Over a span, lines come at a steady rate and at odd moments, as they do in life:
// even steps would compress to nothing.
func (o Options) At(i int, begun time.Time) time.Time {
	if o.Span == 0 || o.Lines == 0 {
		return time.Now()
	}
	place := float64(i) + rand.New(rand.NewPCG(uint64(i), spanStream)).Float64()
	return begun.Add(-o.Span).Add(time.Duration(float64(o.Span) * place / float64(o.Lines)))
}

// bytesPerLine is a first guess at a body's size.
const bytesPerLine = 260

func render(p Profile, n int, at func(i int) time.Time) request {
	b := make([]byte, 0, n*bytesPerLine)
	for i := range n {
		b = p.Append(b, at(i))
	}
	return request{b, n}
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // the level is valid
	_, _ = w.Write(b)                                 // a bytes.Buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

var errRefused = errors.New("refused")

// send tries again only what was certainly not taken: 429, and a connection that was refused.
func (s *sender) send(ctx context.Context, r request) {
	s.count(func(sum *Summary) { sum.Sent += r.lines })
	for backoff := backoffMin; ; backoff = min(2*backoff, backoffMax) {
		begun := time.Now()
		again, err := s.post(ctx, r)
		if err == nil {
			s.done(r.lines, time.Since(begun))
			return
		}
		if !again || ctx.Err() != nil {
			s.count(func(sum *Summary) { sum.Failed += r.lines })
			return
		}
		s.count(func(sum *Summary) { sum.Retried++ })
		wait(ctx, backoff)
	}
}

func (s *sender) post(ctx context.Context, r request) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(r.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if s.o.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	if s.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.o.Token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return isRefused(err), err
	}
	_, _ = io.Copy(io.Discard, resp.Body) // so that the connection can be used again
	_ = resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	return resp.StatusCode == http.StatusTooManyRequests, fmt.Errorf("%w: %s", errRefused, resp.Status)
}

func (s *sender) count(f func(*Summary)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.sum)
}

func (s *sender) done(lines int, d time.Duration) {
	s.count(func(sum *Summary) {
		sum.Acknowledged += lines
		if len(s.latencies) < keepLatencies {
			s.latencies = append(s.latencies, float64(d)/1e6)
		}
	})
}

func (s *sender) summary(d time.Duration) Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.latencies)
	if n := len(s.latencies); n > 0 {
		s.sum.P50, s.sum.P99 = s.latencies[n/2], s.latencies[min(n-1, n*99/100)]
	}
	s.sum.Seconds = d.Seconds()
	s.sum.LinesPerSec = float64(s.sum.Acknowledged) / d.Seconds()
	return s.sum
}
