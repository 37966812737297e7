package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/naive"
	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/services/api/internal/search"
	"github.com/logmill/logmill/shared/logrec"
)

func hits(n int) (out []search.Hit) {
	r := naive.NewRandom(3)
	for i := range n {
		rec := r.Record()
		rec.Message += "\"x\",\n\r\x00;"
		out = append(out, search.Hit{Key: query.Key{Time: rec.Timestamp, ID: logrec.ID{Stream: 1, Offset: int64(i)}}, Record: &rec})
	}
	return out
}

func write(t *testing.T, f Format, fields []query.Field, pages ...[]search.Hit) []byte {
	t.Helper()
	var b bytes.Buffer
	w := New(f, &b, fields, func(h *search.Hit) any { return h.Key.ID.String() })
	for _, p := range pages {
		require.NoError(t, w.Write(p))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestParquetHasEverything, over several row groups' worth of pages.
func TestParquetHasEverything(t *testing.T) {
	t.Parallel()
	all := hits(700)
	raw := write(t, Parquet, nil, all[:300], all[300:301], all[301:])
	rows, err := parquet.Read[row](bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	require.Len(t, rows, len(all))
	for i := range all {
		r, got := all[i].Record, rows[i]
		require.Equal(t, []any{all[i].Key.ID.String(), r.Timestamp, r.Observed, r.Level.String(), r.Service, r.Message, r.TraceID, r.SpanID, r.UserID, r.RequestMethod, r.RequestPath, r.ResponseStatus, r.Team, r.Env, r.Host, r.PatternID},
			[]any{got.ID, got.Timestamp, got.Observed, got.Level, got.Service, got.Message, got.TraceID, got.SpanID, got.UserID, got.RequestMethod, got.RequestPath, got.ResponseStatus, got.Team, got.Env, got.Host, got.PatternID})
		require.Equal(t, r.HasResponseTime, got.ResponseTimeMS != nil)
		if r.HasResponseTime {
			require.InDelta(t, r.ResponseTimeMS, *got.ResponseTimeMS, 0)
		}
		require.Len(t, got.Attributes, len(r.Attributes))
		for _, a := range r.Attributes {
			require.Equal(t, a.Value, got.Attributes[a.Key])
		}
	}
	f, err := parquet.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	column, ok := f.Schema().Lookup("timestamp")
	require.True(t, ok)
	require.Equal(t, "TIMESTAMP(isAdjustedToUTC=true,unit=NANOS)", column.Node.Type().LogicalType().String())
	raw = write(t, Parquet, nil)
	rows, err = parquet.Read[row](bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestCSVHasEverything(t *testing.T) {
	t.Parallel()
	all := hits(200)
	got, err := csv.NewReader(bytes.NewReader(write(t, CSV, nil, all[:7], all[7:]))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, append(append([]string{}, columns...), "attributes"), got[0])
	require.Len(t, got, len(all)+1)
	for i, h := range all {
		line := got[i+1]
		require.Equal(t, h.Key.ID.String(), line[0])
		at, err := time.Parse(time.RFC3339Nano, line[1])
		require.NoError(t, err)
		require.Equal(t, h.Record.Timestamp, at.UnixNano())
		require.Equal(t, h.Record.Message, line[5])
		if h.Record.HasResponseTime {
			ms, err := strconv.ParseFloat(line[12], 64)
			require.NoError(t, err)
			require.InDelta(t, h.Record.ResponseTimeMS, ms, 0)
		} else {
			require.Empty(t, line[12])
		}
		if attrs := line[len(line)-1]; len(h.Record.Attributes) > 0 {
			var o map[string]any
			require.NoError(t, json.Unmarshal([]byte(attrs), &o))
			require.Len(t, o, len(h.Record.Attributes))
		} else {
			require.Empty(t, attrs)
		}
	}
	got, err = csv.NewReader(bytes.NewReader(write(t, CSV, []query.Field{{Name: "k1", Attribute: true}, {Name: "level"}}, all))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"k1", "level"}, got[0])
	for i, h := range all {
		want, _ := naive.Value(query.Field{Name: "k1", Attribute: true}, h.Record)
		require.Equal(t, []string{want, h.Record.Level.String()}, got[i+1])
	}
	require.Equal(t, "level\n", string(write(t, CSV, []query.Field{{Name: "level"}})), "no lines, but a head")
}

// full takes so many bytes.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(b), nil
}

func TestAWriteThatFailsIsTold(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{NDJSON, CSV, Parquet} {
		w := New(f, &full{100}, nil, func(h *search.Hit) any { return h.Record.Message })
		err := w.Write(hits(100))
		require.Error(t, errors.Join(err, w.Close()), f)
	}
}
