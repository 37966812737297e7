package block

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
	"github.com/stretchr/testify/require"
)

// cells are a column's values by row, nil for NULL, as parquet-go reads them: it shares nothing with our own decoding.
func cells(t *testing.T, file *parquet.File, column int) []any {
	t.Helper()
	chunk := file.RowGroups()[0].ColumnChunks()[column]
	pages := chunk.Pages()
	defer func() { require.NoError(t, pages.Close()) }()
	var out []any
	for int64(len(out)) < file.NumRows() {
		p, err := pages.ReadPage()
		require.NoError(t, err)
		values := make([]parquet.Value, p.NumValues())
		n, _ := p.Values().ReadValues(values) // io.EOF with the last ones
		require.Len(t, values, n)
		for _, v := range values {
			out = append(out, cell(chunk.Type(), v))
		}
		parquet.Release(p)
	}
	return out
}

func cell(typ parquet.Type, v parquet.Value) any {
	switch {
	case v.IsNull():
		return nil
	case typ.Kind() == parquet.Double:
		return v.Double()
	case typ.Kind() == parquet.FixedLenByteArray:
		return hex.EncodeToString(v.ByteArray())
	case typ.Kind() == parquet.ByteArray:
		return string(v.ByteArray())
	}
	unit := int64(1)
	if lt := typ.LogicalType(); lt != nil {
		if ts, ok := lt.Value.(*format.TimestampType); ok {
			unit = int64(ts.Unit.Value.Duration())
		}
	}
	return v.Int64() * unit
}

// ours are the same through a Reader.
func ours(t *testing.T, r *Reader, name string, like []any) []any {
	t.Helper()
	out := make([]any, r.Rows())
	set := func(valid []bool, value func(row int) any) {
		for row := range out {
			if valid == nil || valid[row] {
				out[row] = value(row)
			}
		}
	}
	kind := any("")
	for _, v := range like {
		if v != nil {
			kind = v
		}
	}
	switch kind.(type) {
	case int64:
		values, valid, err := r.Ints(name)
		require.NoError(t, err)
		set(valid, func(row int) any { return values[row] })
	case float64:
		values, valid, err := r.Floats(name)
		require.NoError(t, err)
		set(valid, func(row int) any { return values[row] })
	default:
		c, err := r.Strings(name)
		require.NoError(t, err)
		for row := range out {
			if s, ok := c.Get(row); ok {
				out[row] = s
			}
		}
	}
	return out
}

// blocksOfEveryKind: sizes around words of a bitmap, extreme values, and what earlier versions wrote.
func blocksOfEveryKind(t *testing.T) map[string][]byte {
	out := map[string][]byte{"odd": build(t, odd()).Data}
	for i, n := range []int{1, 2, 63, 64, 65, 129, 1000, 4001, 70_000} {
		out[fmt.Sprint(n)] = build(t, corpus(n, uint64(i))).Data
	}
	files, err := filepath.Glob("testdata/*.parquet")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		out[f], err = os.ReadFile(f)
		require.NoError(t, err)
	}
	return out
}

// TestReaderIsWhatParquetSays compares every value of every column with another implementation of the format.
func TestReaderIsWhatParquetSays(t *testing.T) {
	t.Parallel()
	for name, data := range blocksOfEveryKind(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
			require.NoError(t, err)
			r, err := Open(data)
			require.NoError(t, err)
			require.EqualValues(t, file.NumRows(), r.Rows())
			schema := file.Metadata().Schema[1:]
			require.Len(t, r.Columns(), len(schema))
			var times []any
			for i := range schema {
				column, want := schema[i].Name, cells(t, file, i)
				switch column {
				case "timestamp":
					times = want
				case evalDelayColumn:
					column = evalTimeColumn
					for row, v := range want {
						if v != nil {
							want[row] = v.(int64) + times[row].(int64)
						}
					}
				}
				require.Equal(t, column, r.Columns()[i])
				require.True(t, equalCells(want, ours(t, r, column, want)), column)
				if strings.HasPrefix(column, AttributePrefix) {
					c, err := r.Strings(column)
					require.NoError(t, err)
					ct := file.RowGroups()[0].ColumnChunks()[i].Type().ConvertedType()
					require.Equal(t, ct != nil && *ct == deprecated.Json, c.JSON)
				}
			}
		})
	}
}

func equalCells(a, b []any) bool {
	for i := range a {
		x, xf := a[i].(float64)
		y, yf := b[i].(float64)
		if xf && yf && math.Float64bits(x) == math.Float64bits(y) {
			continue
		}
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
