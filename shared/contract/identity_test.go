package contract

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func byName(hs []Header) map[string]string {
	m := map[string]string{}
	for _, h := range hs {
		m[h.Key] = h.Value
	}
	return m
}

// TestGoldenIdentity pins the headers: a processor of one version reads what a collector of another has written.
func TestGoldenIdentity(t *testing.T) {
	t.Parallel()
	i := Identity{Producer: ProducerID{0: 1, 15: 0xfe}, Sequence: 42}
	golden := []Header{{"logmill-producer", "010000000000000000000000000000fe"}, {"logmill-sequence", "42"}}
	require.Equal(t, golden, i.Headers())
	require.Equal(t, i, ParseIdentity(byName(golden)))
	require.Empty(t, Identity{}.Headers())
}

func TestWithoutGoodHeadersThereIsNoIdentity(t *testing.T) {
	t.Parallel()
	const id = "010000000000000000000000000000fe"
	for name, hs := range map[string]map[string]string{
		"none":             {},
		"no sequence":      {HeaderProducer: id},
		"no producer":      {HeaderSequence: "1"},
		"short":            {HeaderProducer: id[2:], HeaderSequence: "1"},
		"long":             {HeaderProducer: id + "00", HeaderSequence: "1"},
		"not hex":          {HeaderProducer: "zz" + id[2:], HeaderSequence: "1"},
		"zero":             {HeaderProducer: id, HeaderSequence: "0"},
		"negative":         {HeaderProducer: id, HeaderSequence: "-1"},
		"not a number":     {HeaderProducer: id, HeaderSequence: "first"},
		"beyond 64 bits":   {HeaderProducer: id, HeaderSequence: "9223372036854775808"},
		"somebody's names": {"producer": "billing", "sequence": "1"},
	} {
		require.Zero(t, ParseIdentity(hs), name)
	}
}

// TestGoldenRequest pins the headers, and how keys and bodies are hashed: collectors of two versions must agree within ten minutes.
func TestGoldenRequest(t *testing.T) {
	t.Parallel()
	r := Request{Key: KeyOf("agent", "8e03978e-40d5-43dd-bc93-6894a57f9324"), Fingerprint: FingerprintOf("/api/logs", []byte(`{"message":"m"}`))}
	golden := []Header{{"logmill-request", "8a506ccede392e5ce4179bf585dd0142"}, {"logmill-fingerprint", "938d730fc12c2c0d"}}
	require.Equal(t, golden, r.Headers())
	require.Equal(t, r, ParseRequest(byName(golden)))
	require.NotEqual(t, r.Fingerprint, FingerprintOf("/v1/logs", []byte(`{"message":"m"}`)))
	require.Empty(t, Request{}.Headers())
	for _, bad := range []map[string]string{
		{}, {HeaderRequest: golden[0].Value}, {HeaderFingerprint: golden[1].Value}, {HeaderRequest: golden[0].Value, HeaderFingerprint: "1"},
		{HeaderRequest: "zz" + golden[0].Value[2:], HeaderFingerprint: golden[1].Value}, {HeaderRequest: "00", HeaderFingerprint: golden[1].Value},
		{HeaderRequest: golden[0].Value, HeaderFingerprint: "+00000000000000f"},
	} {
		require.Zero(t, ParseRequest(bad), bad)
	}
}
