package block

import (
	"cmp"
	"slices"

	"github.com/logmill/logmill/shared/logrec"
)

// sorter orders records by (Timestamp, SrcOffset, SrcRow). A record is large: places are sorted, and each record is moved once.
type sorter struct{ places []int32 }

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
	s.places = s.places[:0]
	for i := range recs {
		s.places = append(s.places, int32(i))
	}
	slices.SortFunc(s.places, func(a, b int32) int { return order(&recs[a], &recs[b]) })
	s.permute(recs)
}

// permute moves recs[places[i]] to recs[i], one cycle of the permutation after the other; places is used up.
func (s *sorter) permute(recs []logrec.Record) {
	for start := range s.places {
		if s.places[start] < 0 {
			continue
		}
		first := recs[start]
		at := start
		for {
			from := int(s.places[at])
			s.places[at] = -1
			if from == start {
				recs[at] = first
				break
			}
			recs[at] = recs[from]
			at = from
		}
	}
}
