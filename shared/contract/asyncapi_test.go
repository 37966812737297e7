package contract

import (
	"os"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// TestAsyncAPINamesWhatTheCodeHas compares topics, headers and content types with the document, both ways.
func TestAsyncAPINamesWhatTheCodeHas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("asyncapi.yaml")
	require.NoError(t, err)
	var doc struct {
		Channels   map[string]struct{ Address string }
		Components struct {
			Messages map[string]struct {
				ContentType string `yaml:"contentType"`
			}
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &doc))
	var documented, have []string
	for _, c := range doc.Channels {
		documented = append(documented, c.Address)
	}
	for _, s := range Topics(6, false) {
		have = append(have, s.Name)
	}
	require.ElementsMatch(t, have, documented)
	raw := append(append(append(Identity{Sequence: 1}.Headers(), Request{Fingerprint: 1}.Headers()...), Replay{Stream: 1}.Headers()...), Header{Key: HeaderContentType}, Header{Key: HeaderImport})
	require.Equal(t, keysOf(raw), keys(doc.Components.Schemas["rawHeaders"].Properties))
	require.Equal(t, keysOf(Enriched{}.Headers()), keys(doc.Components.Schemas["enrichedHeaders"].Properties))
	require.Equal(t, keysOf(append(Dead{Stream: 1, Time: 1}.Headers(), Header{Key: HeaderContentType})), keys(doc.Components.Schemas["deadHeaders"].Properties))
	require.Equal(t, keysOf((&AlertEvent{}).Headers()), keys(doc.Components.Schemas["eventHeaders"].Properties))
	for message, want := range map[string]string{"otlp": ContentTypeOTLP, "json": ContentTypeJSON, "block": ContentTypeBlock, "event": ContentTypeEvent} {
		require.Equal(t, want, doc.Components.Messages[message].ContentType, message)
	}
}

func keysOf(hs []Header) []string {
	var out []string
	for _, h := range hs {
		out = append(out, h.Key)
	}
	sort.Strings(out)
	return out
}

func keys(m map[string]any) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
