package contract

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/logmill/logmill/shared/logrec"
)

// TestScopesAreKept under Loki's names; the record's own word comes first, then the scope's, then the resource's, and nothing is lost.
func TestScopesAreKept(t *testing.T) {
	t.Parallel()
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "shop")
	rl.Resource().Attributes().PutStr("zone", "resource's")
	rl.Resource().Attributes().PutStr("host.name", "alias")
	rl.Resource().Attributes().PutStr("host", "own")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("com.example.Cart")
	sl.Scope().SetVersion("1.2")
	sl.Scope().Attributes().PutStr("lib", "scope's")
	sl.Scope().Attributes().PutStr("zone", "scope's")
	sl.Scope().Attributes().PutStr("user_id", "scope's")
	with := sl.LogRecords().AppendEmpty()
	with.Body().SetStr("m")
	with.Attributes().PutStr("uid", "record's")
	with.Attributes().PutStr("zone", "record's")
	sl.LogRecords().AppendEmpty().Body().SetStr("n")
	rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("no scope")
	value, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	require.NoError(t, err)
	got := decode(t, value, 0)
	text := func(key, value string) logrec.Attr { return logrec.Attr{Key: key, Value: value} }
	require.ElementsMatch(t, []logrec.Attr{text("zone", "record's"), text("scope_name", "com.example.Cart"), text("scope_version", "1.2"), text("lib", "scope's"),
		text("scope.zone", "scope's"), text("user_id", "scope's"), text("resource.zone", "resource's"), text("host.name", "alias")}, got[0].Attributes)
	require.Equal(t, []string{"record's", "own", "shop"}, []string{got[0].UserID, got[0].Host, got[0].Service})
	require.Equal(t, "scope's", got[1].UserID)
	require.ElementsMatch(t, []logrec.Attr{text("zone", "resource's"), text("host.name", "alias")}, got[2].Attributes, "a scope ends with its records")
	hop := decode(t, encode(got), 0)
	for i := range got {
		hop[i].SrcRow = got[i].SrcRow
		require.Equal(t, got[i], hop[i], "the processor reads what the collector read")
	}
}
