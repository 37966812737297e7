package expr

import "github.com/logmill/logmill/shared/block"

// fakeRow is one record without any value.
type fakeRow struct{}

func (fakeRow) Rows() int                                  { return 1 }
func (fakeRow) Columns() []string                          { return nil }
func (fakeRow) Ints(string) ([]int64, []bool, error)       { return nil, nil, nil }
func (fakeRow) Floats(string) ([]float64, []bool, error)   { return nil, nil, nil }
func (fakeRow) Strings(string) (block.StringColumn, error) { return block.StringColumn{}, nil }
