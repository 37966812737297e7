package history

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

const (
	inFlight       = 16 // requests under way: an answer takes longer than a step
	requestTimeout = time.Minute
)

// Send makes the history's lines, the first of them at from, and sends them to a collector's OTLP route when the clock says that they happen, as
// an agent does that keeps the time at which it observed a line. It returns how many there are; an error unless all are acknowledged.
func Send(ctx context.Context, url string, l *Lines, c Clock, from time.Time) (lines int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	client := &http.Client{Timeout: requestTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	slots := make(chan struct{}, inFlight)
	var wg sync.WaitGroup
	for step := 1; ctx.Err() == nil; step++ {
		made, ok := l.Next()
		if !ok {
			break
		}
		end := from.Add(time.Duration(step) * Step)
		pause(ctx, c.Until(end))
		var enc contract.Encoder
		for i := range made {
			made[i].Timestamp += end.UnixNano()
			made[i].Observed += end.UnixNano()
			enc.Add(&made[i])
		}
		lines += len(made)
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := post(ctx, client, url, enc.AppendTo(nil)); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return lines, context.Cause(ctx)
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contract.ContentTypeOTLP)
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("sending the history: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("sending the history: %s %q %w", resp.Status, text, err)
	}
	return nil
}
