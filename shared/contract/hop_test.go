package contract

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

// The collector reads a record, places it by its service and writes OTLP; the processor reads that. Both must see the same record,
// whatever names the sender's other attributes have.
func TestTheProcessorReadsWhatTheCollectorRead(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`{"service":"shop","app":"web","message":"m"}`,
		`{"service":"shop","service":"web","message":"m"}`,
		`{"app":"web","service":"shop","message":"m"}`,
		`{"service":"shop","service.name":"web","message":"m"}`,
		`{"message":"m","trace_id":"0123456789abcdef0123456789abcdef","traceId":"abc"}`,
		`{"message":"m","span_id":"0123456789abcdef","spanId":"abc"}`,
		`{"message":"m","traceId":"abc","trace_id":"0123456789abcdef0123456789abcdef"}`,
		`{"message":"m","x\u0000json":"not json"}`,
		`{"message":"m","x":{"a":[1,2.50,1e400]}}`,
		`{"message":"m","level":"info","severity":"error","status":404,"status_code":500,"host":"a","hostname":"b"}`,
	} {
		var b Batch
		require.NoError(t, b.DecodeJSON([]byte(s)), s)
		require.Len(t, b.Records, 1, s)
		in := b.Records[0]
		require.Equal(t, in, decode(t, encode([]logrec.Record{in}), 0)[0], s)
	}
}

func TestARecordOfManyAttributesIsRefusedInLinearTime(t *testing.T) {
	t.Parallel()
	var sb strings.Builder
	sb.WriteString(`{"message":"m"`)
	for i := range 50_000 { // one error for each took minutes when they were joined
		fmt.Fprintf(&sb, `,"k%d":1`, i)
	}
	var b Batch
	require.NoError(t, b.DecodeJSON([]byte(sb.String()+"}")))
	require.Len(t, b.Rejected, 1)
	require.Equal(t, "attributes", b.Rejected[0].Field)
}

func TestPoisonLeavesTheBatchAsItWas(t *testing.T) {
	t.Parallel()
	var b Batch
	require.Error(t, b.DecodeJSON([]byte(`[{"timestamp":"never"},`)))
	require.Empty(t, b.Records)
	require.Empty(t, b.Rejected)
}
