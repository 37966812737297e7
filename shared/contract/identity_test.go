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
