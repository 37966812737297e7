package contract

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

// TestRecordSchemaNamesOurFields: each name of the schema is a field by its own name, its limits are ours, and its examples are taken whole.
func TestRecordSchemaNamesOurFields(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("schemas/record.schema.json")
	require.NoError(t, err)
	var schema struct {
		Properties map[string]struct {
			MaxLength int `json:"maxLength"`
		}
		Examples []json.RawMessage
	}
	require.NoError(t, json.Unmarshal(raw, &schema))
	for name := range schema.Properties {
		require.NotEqual(t, logrec.NoField, logrec.FieldOf(name), name)
	}
	for name, most := range map[string]int{"service": logrec.MaxServiceBytes, "trace_id": logrec.MaxIDBytes, "request_path": logrec.MaxPathBytes, "request_method": logrec.MaxMethodBytes} {
		require.Equal(t, most, schema.Properties[name].MaxLength, name)
	}
	for _, example := range schema.Examples {
		var b Batch
		require.NoError(t, b.DecodeRaw(ContentTypeJSON, example, 0))
		require.Empty(t, b.Rejected)
		require.Equal(t, []logrec.Attr{{Key: "attempt", Value: "3", Kind: logrec.JSON}}, b.Records[0].Attributes)
	}
}
