package bridge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// answers is a receiver inside a synctest bubble, where real sockets do not block durably. It notes when it was asked.
type answers struct {
	codes []int // 0 = the network fails
	after string
	at    []time.Duration
	body  string
	begin time.Time
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.begin.IsZero() {
		a.begin = time.Now()
	}
	a.at = append(a.at, time.Since(a.begin))
	code := a.codes[min(len(a.at), len(a.codes))-1]
	switch code {
	case 0:
		return nil, errors.New("connection refused")
	case -1: // no answer at all
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {a.after}}, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

func (a *answers) deliverer(d Delivery) (*deliverer, *int) {
	retries := new(int)
	return &deliverer{Delivery: d, url: "http://receiver.example/token", client: &http.Client{Transport: a}, now: time.Now,
		rand: func() float64 { return 0.5 }, retried: func() { *retries++ }}, retries
}

func aPost() post {
	return func(time.Time) ([]byte, http.Header) { return []byte("{}"), http.Header{} }
}

func TestBackoffIsExponentialWithJitterAndBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []int{500, 503, 429, 408, 0, 200}}
		d, retries := a.deliverer(Delivery{Timeout: time.Second, Attempts: 8, Backoff: 2 * time.Second, MaxBackoff: 10 * time.Second})
		require.NoError(t, d.send(t.Context(), aPost()))
		require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 12 * time.Second, 17 * time.Second}, a.at, "half of 2, 4, 8, 10, 10 s")
		require.Equal(t, 5, *retries)
	})
}

func TestAttemptsAreExhausted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []int{0}}
		d, retries := a.deliverer(Delivery{Timeout: time.Second, Attempts: 3, Backoff: time.Second, MaxBackoff: time.Second})
		err := d.send(t.Context(), aPost())
		require.EqualError(t, err, "attempt 3 of 3: posting: connection refused", "without the URL, which is a secret")
		require.Len(t, a.at, 3)
		require.Equal(t, 2, *retries)
	})
}

func TestRetryAfterIsHonouredUpToALimit(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]time.Duration{"120": 2 * time.Minute, "99999999": maxWait, "soon": time.Second / 2, "-3": time.Second / 2, "Fri, 01 Jan 1999 00:00:00 GMT": time.Second / 2} {
		synctest.Test(t, func(t *testing.T) {
			a := &answers{codes: []int{429, 200}, after: after}
			d, _ := a.deliverer(Delivery{Timeout: time.Second, Attempts: 2, Backoff: time.Second, MaxBackoff: time.Second})
			require.NoError(t, d.send(t.Context(), aPost()))
			require.Equal(t, want, a.at[1], after)
		})
	}
	require.Equal(t, 90*time.Second, retryAfter(t0.Add(90*time.Second).Format(http.TimeFormat), t0))
}

func TestWhatIsRefusedForGood(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 307, 400, 401, 404, 410} {
		a := &answers{codes: []int{code}, body: "no: " + strings.Repeat("x", 1000) + "\xff"}
		d, _ := a.deliverer(Delivery{Timeout: time.Second, Attempts: 8, Backoff: time.Second, MaxBackoff: time.Second})
		var f *failure
		require.ErrorAs(t, d.send(t.Context(), aPost()), &f)
		require.True(t, f.permanent)
		require.Contains(t, f.Error(), "no: xxx")
		require.Less(t, len(f.Error()), 2*maxReasonBytes)
		require.Len(t, a.at, 1, "%d", code)
	}
}

func TestTimeoutAndTheEndOfRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{codes: []int{-1, 200}}
		d, _ := a.deliverer(Delivery{Timeout: 3 * time.Second, Attempts: 2, Backoff: 2 * time.Second, MaxBackoff: 2 * time.Second})
		require.NoError(t, d.send(t.Context(), aPost()))
		require.Equal(t, 4*time.Second, a.at[1], "3 s of time-out and 1 s of pause")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		a = &answers{codes: []int{-1}}
		d, _ = a.deliverer(Delivery{Timeout: time.Hour, Attempts: 2, Backoff: time.Hour, MaxBackoff: time.Hour})
		require.ErrorIs(t, d.send(ctx, aPost()), context.DeadlineExceeded)
		a = &answers{codes: []int{500}}
		ctx2, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		d.client.Transport = a
		require.ErrorIs(t, d.send(ctx2, aPost()), context.DeadlineExceeded, "in the pause")
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := 0
	mux := http.NewServeMux()
	mux.HandleFunc("/hook", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere++ })
	s := httptest.NewServer(mux)
	defer s.Close()
	d, _ := (&answers{}).deliverer(Delivery{Timeout: 5 * time.Second, Attempts: 1, Backoff: 1, MaxBackoff: 1})
	d.client, d.url = newClient(), s.URL+"/hook"
	require.ErrorContains(t, d.send(t.Context(), aPost()), "answered 307")
	require.Zero(t, elsewhere)
}

// endless is a body that never ends; it notes how much was read.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) { e.n += len(p); return len(p), nil }
func (*endless) Close() error                 { return nil }

type endlessAnswer struct{ body *endless }

func (e endlessAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: e.body}, nil
}

func TestAnswersAreReadToALimit(t *testing.T) {
	t.Parallel()
	body := &endless{}
	d, _ := (&answers{}).deliverer(Delivery{Timeout: 5 * time.Second, Attempts: 1})
	d.client = &http.Client{Transport: endlessAnswer{body}}
	require.NoError(t, d.send(t.Context(), aPost()))
	require.LessOrEqual(t, body.n, maxAnswerBytes)
}
