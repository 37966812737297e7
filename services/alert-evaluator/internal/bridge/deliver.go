package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// post is one thing to deliver, made anew for each attempt: signatures and ends carry the moment.
type post func(now time.Time) (body []byte, header http.Header)

// deliverer posts to one URL and tries again what may yet succeed.
type deliverer struct {
	Delivery
	url     string
	client  *http.Client
	now     func() time.Time
	rand    func() float64 // in [0, 1)
	retried func()
}

// newClient follows no redirect: the signature and the event are for the receiver that was named. Its connections are its own, so that
// a receiver that keeps all of its busy takes none from another.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost, transport.MaxIdleConnsPerHost = maxConnsReceiver, maxConnsReceiver
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// failure is an attempt that the receiver or the network refused.
type failure struct {
	err       error
	permanent bool
	after     time.Duration // what Retry-After asks for
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// send returns when the post was taken, will never be (a *failure), or ctx ended (its error).
func (d *deliverer) send(ctx context.Context, p post) error {
	for n := 1; ; n++ {
		err := d.once(ctx, p)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err.permanent || n >= d.Attempts {
			err.err = fmt.Errorf("attempt %d of %d: %w", n, d.Attempts, err.err)
			return err
		}
		d.retried()
		if stop := pause(ctx, d.wait(n, err.after)); stop != nil {
			return stop
		}
	}
}

// wait is how long to wait after attempt n: full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS 2015), but not less than the
// receiver asked for, nor longer than maxWait.
func (d *deliverer) wait(n int, asked time.Duration) time.Duration {
	most := d.MaxBackoff
	if n-1 < 30 && d.Backoff<<(n-1) > 0 {
		most = min(most, d.Backoff<<(n-1))
	}
	jitter := time.Duration(d.rand() * float64(most))
	return min(maxWait, max(asked, jitter))
}

func pause(ctx context.Context, wait time.Duration) error {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *deliverer) once(ctx context.Context, p post) *failure {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout)
	defer cancel()
	body, header := p(d.now())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return &failure{err: errors.New("the url is not one"), permanent: true}
	}
	req.Header = header
	req.Header.Set("User-Agent", userAgent)
	resp, err := d.client.Do(req)
	if err != nil {
		return &failure{err: withoutURL(err)}
	}
	defer func() { _ = resp.Body.Close() }()                           // read as far as it matters
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes)) // the status has decided: a body that breaks off changes nothing
	return judge(resp, answer, d.now())
}

// withoutURL takes the URL out of an error: those of chat webhooks are secrets, and errors are logged.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return fmt.Errorf("posting: %w", u.Err)
	}
	return err
}

// judge decides by the status what becomes of an attempt; nil = delivered.
func judge(resp *http.Response, answer []byte, now time.Time) *failure {
	code := resp.StatusCode
	if code/100 == 2 {
		return nil
	}
	reason := strings.ToValidUTF8(strings.TrimSpace(string(answer[:min(len(answer), maxReasonBytes)])), "\uFFFD")
	f := &failure{err: fmt.Errorf("the receiver answered %d: %q", code, reason)}
	f.permanent = code/100 != 5 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests
	if !f.permanent {
		f.after = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	return f
}

// retryAfter reads both forms of the header (RFC 9110, 10.2.3); one that makes no sense asks for nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
