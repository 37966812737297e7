package idempotency

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values    []string
		want, err string
	}{
		"none":                {nil, "", ""},
		"bare":                {[]string{"8e03978e-40d5-43dd-bc93-6894a57f9324"}, "8e03978e-40d5-43dd-bc93-6894a57f9324", ""},
		"as the draft quotes": {[]string{`"8e03978e"`}, "8e03978e", ""},
		"one quote":           {[]string{`"`}, `"`, ""},
		"as long as may be":   {[]string{strings.Repeat("k", 255)}, strings.Repeat("k", 255), ""},
		"longer":              {[]string{strings.Repeat("k", 256)}, "", "longer than 255 bytes"},
		"empty":               {[]string{""}, "", "is empty"},
		"quoted nothing":      {[]string{`""`}, "", "is empty"},
		"two":                 {[]string{"a", "a"}, "", "more than one"},
		"not ASCII":           {[]string{"é"}, "", "printable ASCII"},
		"control":             {[]string{"a\tb"}, "", "printable ASCII"},
	} {
		h := http.Header{}
		for _, v := range c.values {
			h.Add(Header, v)
		}
		got, err := KeyOf(h)
		require.Equal(t, c.want, got, name)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, name)
			require.Equal(t, fault.InvalidInput, fault.KindOf(err), name)
		} else {
			require.NoError(t, err, name)
		}
	}
}

// clock is a memory with a clock that the test moves.
type clock struct {
	*Memory
	at time.Time
}

func newClock() *clock {
	c := &clock{at: time.Unix(1000, 0)}
	c.Memory = NewMemory(func() time.Time { return c.at })
	return c
}

func req(key string, fingerprint uint64) contract.Request {
	return contract.Request{Key: contract.KeyOf("", key), Fingerprint: fingerprint}
}

func (c *clock) begin(t *testing.T, key string, fingerprint uint64) *Attempt {
	t.Helper()
	a, err := c.Begin(req(key, fingerprint))
	require.NoError(t, err)
	require.Equal(t, req(key, fingerprint), a.Request())
	return a
}

func TestAnAnsweredRequestIsNotSentAgain(t *testing.T) {
	t.Parallel()
	c := newClock()
	first := c.begin(t, "a", 1)
	require.False(t, first.Replayed())
	second := c.begin(t, "a", 1)
	require.False(t, second.Replayed(), "the first is under way: the second is sent too, and stored once")
	second.Answered()
	c.at = c.at.Add(Honoured)
	require.True(t, c.begin(t, "a", 1).Replayed())
	require.False(t, c.begin(t, "b", 1).Replayed())
	c.at = c.at.Add(kept)
	require.False(t, c.begin(t, "a", 1).Replayed(), "forgotten")
}

func TestAKeyNamesOneRequest(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.begin(t, "a", 1)
	_, err := c.Begin(req("a", 2))
	require.Equal(t, fault.Unprocessable, fault.KindOf(err))
	c.at = c.at.Add(9 * time.Minute)
	c.begin(t, "a", 1) // may be the first that reaches Kafka: the processor counts from here
	c.at = c.at.Add(Honoured)
	_, err = c.Begin(req("a", 2))
	require.Equal(t, fault.Unprocessable, fault.KindOf(err))
	c.at = c.at.Add(time.Minute)
	c.begin(t, "a", 2)
}

func TestARefusedRequestFreesItsKey(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.begin(t, "a", 1).Refused()
	c.begin(t, "a", 2)
	c.begin(t, "a", 2).Refused() // not the first try: that one may have sent something
	_, err := c.Begin(req("a", 1))
	require.Equal(t, fault.Unprocessable, fault.KindOf(err))
}

func TestMemoryIsBoundedAndComesBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	c.max = 3
	c.begin(t, "a", 1)
	c.at = c.at.Add(time.Minute)
	c.begin(t, "b", 1)
	c.begin(t, "c", 1)
	_, err := c.Begin(req("d", 1))
	require.Equal(t, fault.Overload, fault.KindOf(err))
	var fe *fault.Error
	require.ErrorAs(t, err, &fe)
	require.Equal(t, longestWait, fe.RetryAfter)
	c.begin(t, "a", 1) // known ones still come; this moves when it is forgotten
	c.at = c.at.Add(kept - time.Second)
	_, err = c.Begin(req("d", 1))
	require.ErrorAs(t, err, &fe)
	require.Equal(t, time.Second, fe.RetryAfter)
	c.at = c.at.Add(time.Second)
	c.begin(t, "d", 1)
	require.Equal(t, 1, c.Len())
}

func TestWithoutKeyNothingIsDone(t *testing.T) {
	t.Parallel()
	var a *Attempt
	a.Answered()
	a.Refused()
	require.False(t, a.Replayed())
	require.Zero(t, a.Request())
}
