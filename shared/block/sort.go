package block

import (
	"cmp"
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// sorter orders records by (Timestamp, SrcOffset, SrcRow). A record is large: its key is sorted, and each record is moved once.
type sorter struct{ keys []rowKey }

// rowKey is what a block is ordered by, and where the row is.
type rowKey struct {
	time, offset int64
	row          int32
	place        int32
}

func compareKeys(a, b rowKey) int {
	if a.time != b.time {
		return cmp.Compare(a.time, b.time)
	}
	if a.offset != b.offset {
		return cmp.Compare(a.offset, b.offset)
	}
	return cmp.Compare(a.row, b.row)
}

func order(a, b *logrec.Record) int {
	if c := cmp.Compare(a.Timestamp, b.Timestamp); c != 0 {
		return c
	}
	if c := cmp.Compare(a.SrcOffset, b.SrcOffset); c != 0 {
		return c
	}
	return cmp.Compare(a.SrcRow, b.SrcRow)
}

func isSorted(recs []logrec.Record) bool {
	for i := 1; i < len(recs); i++ {
		if order(&recs[i-1], &recs[i]) > 0 {
			return false
		}
	}
	return true
}

func (s *sorter) sort(recs []logrec.Record) {
	if isSorted(recs) {
		return
	}
	s.keys = s.keys[:0]
	for i := range recs {
		r := &recs[i]
		s.keys = append(s.keys, rowKey{r.Timestamp, r.SrcOffset, r.SrcRow, int32(i)})
	}
	slices.SortFunc(s.keys, compareKeys)
	s.permute(recs)
}

// permute moves recs[keys[i].place] to recs[i], one cycle of the permutation after the other; the places are used up.
func (s *sorter) permute(recs []logrec.Record) {
	for start := range s.keys {
		if s.keys[start].place < 0 {
			continue
		}
		first := recs[start]
		at := start
		for {
			from := int(s.keys[at].place)
			s.keys[at].place = -1
			if from == start {
				recs[at] = first
				break
			}
			recs[at] = recs[from]
			at = from
		}
	}
}
