package contract

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// alertSchema compiles the schema, with formats checked.
func alertSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(AlertSchema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("alert.json", doc))
	s, err := c.Compile("alert.json")
	require.NoError(t, err)
	return s
}

func TestAlertEventIsAsItsSchemaSays(t *testing.T) {
	t.Parallel()
	at, v, p, off := time.Date(2026, 11, 24, 1, 2, 3, 250e6, time.UTC), 4.5, int32(2), int64(7)
	const fp = "0123456789abcdef0123456789abcdef"
	e := &AlertEvent{SpecVersion: "1.0", ID: AlertID(fp, at, 12), Source: "/s", Type: AlertResolved, Time: at, Subject: "r", DataContentType: "application/json", DataSchema: AlertDataSchema, PartitionKey: fp, Sequence: "0000000012",
		Data: AlertData{Status: "resolved", Reason: "condition", Early: true, Fingerprint: fp, DedupKey: fp, Rule: AlertRule{ID: "1", Name: "r", Version: 3, Description: "d"}, Severity: "high",
			Labels: map[string]string{"alertname": "r"}, Annotations: map[string]string{"summary": "s"}, Team: "t", StartsAt: at, EndsAt: &at, PendingSince: &at, LastTrueAt: &at, Value: &v, Peak: &v,
			Condition:  AlertCondition{Expression: "COUNT(*)", Operator: ">", Threshold: 1, ResolveThreshold: &v, Filter: "f", ForSeconds: 3},
			Window:     AlertWindow{Start: at, End: at, Seconds: 60, Samples: 3, Approximate: true},
			Aggregates: map[string]*float64{"COUNT(*)": nil}, Evidence: []AlertEvidence{{Timestamp: at, Service: "s", Level: "error", Message: "m", TraceID: "t", LogID: "1-2-3", Kafka: "logs.raw/1/2/3"}},
			Links: map[string]string{"rule": "/api/alert-rules/1"}, SourceState: AlertSourceState{Partition: &p, Offset: &off, Watermark: at, Outbox: "p2:9"}}}
	raw, err := e.Encode()
	require.NoError(t, err)
	var doc any
	require.NoError(t, json.Unmarshal(raw, &doc))
	require.NoError(t, alertSchema(t).Validate(doc))
	back, err := ParseAlert(raw)
	require.NoError(t, err)
	require.Equal(t, e, back)
	delete(doc.(map[string]any), "sequence")
	require.Error(t, alertSchema(t).Validate(doc))
	_, err = ParseAlert([]byte(`{"specversion":"1.0"}`))
	require.Error(t, err)
}

func FuzzParseAlert(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"x","data":{"fingerprint":"y"}}`))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = ParseAlert(b) })
}
