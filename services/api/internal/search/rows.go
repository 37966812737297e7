package search

import (
	"slices"

	"github.com/logmill/logmill/services/api/internal/query"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

// rows are the rows of a block that match, in order: the cheapest columns are asked first, and a column is only read while a row is left.
func (r *run) rows(rd *block.Reader, b BlockInfo) ([]int, error) {
	rows := make([]int, rd.Rows())
	for i := range rows {
		rows[i] = i
	}
	steps := []struct {
		wanted bool
		filter func(*block.Reader, []int) ([]int, error)
	}{
		{b.MinTime < r.q.Start || b.MaxTime >= r.q.End, r.byTime},
		{r.q.LevelMask != 0 && b.LevelMask&^r.q.LevelMask != 0, r.byLevel},
		{len(r.q.Services) > 0 && len(b.Services) > 1, byText("service", func(s string) bool { return slices.Contains(r.q.Services, s) })},
		{r.q.TraceID != "", byText("trace_id", func(s string) bool { return s == r.q.TraceID })},
		{r.q.UserID != "", byText("user_id", func(s string) bool { return s == r.q.UserID })},
		{r.q.Search != "", byText("message", r.matcher.Match)},
		{r.q.After != nil, r.byCursor(b)},
	}
	for _, s := range steps {
		if !s.wanted || len(rows) == 0 {
			continue
		}
		var err error
		if rows, err = s.filter(rd, rows); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (r *run) byTime(rd *block.Reader, rows []int) ([]int, error) {
	t, _, err := rd.Ints("timestamp")
	return keep(rows, func(i int) bool { return t[i] >= r.q.Start && t[i] < r.q.End }), err
}

func (r *run) byLevel(rd *block.Reader, rows []int) ([]int, error) {
	l, _, err := rd.Ints("level")
	return keep(rows, func(i int) bool { return r.q.LevelMask&(1<<l[i]) != 0 }), err
}

// byText asks each distinct value once.
func byText(column string, match func(string) bool) func(*block.Reader, []int) ([]int, error) {
	return func(rd *block.Reader, rows []int) ([]int, error) {
		c, err := rd.Strings(column)
		if err != nil {
			return nil, err
		}
		const yes, no = 1, 2
		known := make([]uint8, len(c.Dict))
		return keep(rows, func(i int) bool {
			code := c.Codes[i]
			if code < 0 {
				return column == "message" && match("")
			}
			if known[code] == 0 {
				known[code] = no
				if match(c.Dict[code]) {
					known[code] = yes
				}
			}
			return known[code] == yes
		}), nil
	}
}

// byCursor leaves out what earlier pages had.
func (r *run) byCursor(b BlockInfo) func(*block.Reader, []int) ([]int, error) {
	return func(rd *block.Reader, rows []int) ([]int, error) {
		t, _, err := rd.Ints("timestamp")
		if err != nil {
			return nil, err
		}
		offsets, _, err := rd.Ints("src_offset")
		if err != nil {
			return nil, err
		}
		places, _, err := rd.Ints("src_row")
		return keep(rows, func(i int) bool {
			k := query.Key{Time: t[i], ID: logrec.ID{Stream: b.Stream, Partition: b.Partition, Offset: offsets[i], Row: int32(places[i])}}
			return r.order(k, *r.q.After) > 0
		}), err
	}
}

func keep(rows []int, f func(int) bool) []int {
	return slices.DeleteFunc(rows, func(i int) bool { return !f(i) })
}
