package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func made(t *testing.T, source, fingerprint string, sequence int, status string) event {
	t.Helper()
	e, err := parse(fmt.Appendf(nil, `{"specversion":"1.0","id":"%s/1/%d","source":%q,"type":"logmill.alert.%s.v1","sequence":"%010d","data":{"status":%q,"fingerprint":%q,"startsAt":"2026-11-24T08:00:%02dZ"}}`,
		fingerprint, sequence, source, status, sequence, status, fingerprint, sequence))
	require.NoError(t, err)
	return e
}

func TestWhatIsNews(t *testing.T) {
	t.Parallel()
	a := alerts{}
	require.True(t, a.take(made(t, "/a", "f", 7, "firing")))
	require.False(t, a.take(made(t, "/a", "f", 7, "firing")), "a repeat")
	require.False(t, a.take(made(t, "/a", "f", 6, "firing")), "overtaken")
	require.True(t, a.take(made(t, "/a", "g", 6, "firing")), "another alert")
	require.True(t, a.take(made(t, "/b", "f", 3, "firing")), "another installation")
	var ids []string
	for _, e := range a.firing() {
		ids = append(ids, e.ID)
	}
	require.Equal(t, []string{"f/1/3", "g/1/6", "f/1/7"}, ids, "oldest first")
	require.True(t, a.take(made(t, "/a", "f", 12, "resolved")), "numbers have holes")
	require.False(t, a.take(made(t, "/a", "f", 12, "resolved")))
	require.Len(t, a.firing(), 2)
	require.True(t, a.take(made(t, "/a", "f", 13, "firing")), "it fires again")
}

func TestWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "{}", `{"sequence":"0000000001"}`, `{"sequence":"x","data":{"fingerprint":"f"}}`} {
		_, err := parse([]byte(text))
		require.Error(t, err, text)
	}
}
