// Package load sends lines that can be told apart, and remembers which of them were acknowledged.
package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/logmill/logmill/compose/e2e/internal/audit"
)

// Load is clients at work.
type Load struct {
	urls []string
	mu   sync.Mutex
	sent map[string]bool
	wg   sync.WaitGroup
}

const (
	services   = 24
	mostLines  = 60 // a request
	betweenMax = 60 * time.Millisecond
)

var levels = []string{"debug", "info", "info", "info", "warn", "error"}

// Start sends from so many clients until ctx ends. Each request is sent once, whatever comes of it.
func Start(ctx context.Context, url string, clients int, seed uint64) *Load {
	return start(ctx, []string{url}, clients, seed, (*Load).once)
}

// StartRepeating is Start with an Idempotency-Key for each request, which is sent again, to any of the collectors, until it is answered with
// 2xx. It gives up only long after ctx has ended.
func StartRepeating(ctx context.Context, urls []string, clients int, seed uint64) *Load {
	return start(ctx, urls, clients, seed, (*Load).untilAnswered)
}

// sender sends a request by its own rules and tells whether it was acknowledged.
type sender func(l *Load, key string, body []byte, rng *rand.Rand) bool

func start(ctx context.Context, urls []string, clients int, seed uint64, send sender) *Load {
	l := &Load{urls: urls, sent: map[string]bool{}}
	for c := range clients {
		l.wg.Go(func() { l.client(ctx, c, rand.New(rand.NewPCG(seed, uint64(c)+100)), send) })
	}
	return l
}

func (l *Load) once(_ string, body []byte, _ *rand.Rand) bool {
	return post(&http.Client{Timeout: 15 * time.Second}, l.urls[0], "", body)
}

// untilAnswered gives an answer less time than the collector takes to give up: many requests go out again that are stored, or will be.
func (l *Load) untilAnswered(key string, body []byte, rng *rand.Rand) bool {
	client := &http.Client{Timeout: 700 * time.Millisecond}
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		if post(client, l.urls[rng.IntN(len(l.urls))], key, body) {
			return true
		}
		<-time.After(time.Duration(rng.Int64N(int64(3 * betweenMax))))
	}
	return false
}

// Wait waits for the last answers and returns every line sent: true = acknowledged.
func (l *Load) Wait() map[string]bool {
	l.wg.Wait()
	return l.sent
}

func (l *Load) client(ctx context.Context, c int, rng *rand.Rand, send sender) {
	for n := 0; ctx.Err() == nil; n++ {
		body, ids := lines(c, n, rng)
		l.note(ids, false)
		if send(l, fmt.Sprintf("client-%d-request-%d", c, n), body, rng) {
			l.note(ids, true)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.Int64N(int64(betweenMax)))):
		}
	}
}

func (l *Load) note(ids []string, acked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.sent[id] = acked
	}
}

func lines(c, n int, rng *rand.Rand) (body []byte, ids []string) {
	for i := range 1 + rng.IntN(mostLines) {
		id := fmt.Sprintf("%d-%d-%d", c, n, i)
		body = fmt.Appendf(body, `{"service":"svc-%d","level":"%s","message":"line %d of request %d","%s":"%s"}`+"\n",
			rng.IntN(services), levels[rng.IntN(len(levels))], i, n, audit.Attribute, id)
		ids = append(ids, id)
	}
	return body, ids
}

// post tells whether the collector answered with 2xx. It does not end with the load: an answer is waited for. A POST is never
// sent again by Go's client once a byte of it was written: it has no GetBody.
func post(client *http.Client, url, key string, body []byte) bool {
	req, err := http.NewRequest(http.MethodPost, url, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return false
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/x-ndjson")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode/100 == 2
}
