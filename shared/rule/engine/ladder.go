package engine

import "slices"

// ladder counts records by the highest rung that they reach. The conditions COUNT(CASE WHEN x > 1 …), … > 2 …, … > 3 … are three rungs of one
// ladder: a record is looked up once, and how many reach a rung is the sum from there on. It keeps evidence for every rung in the space of a
// few: a record matters only while fewer than two before it, or fewer than three behind it, come as high.
//
// Ladders are never changed once others can see them. A rung that is new is missing in ladders of before; windows of its rules do not look that
// far back.
type ladder struct {
	rungs []float64 // ascending
	n     []int64   // records whose highest rung this is
	marks []mark    // evidence, in the order of records
}

// mark is a record and the highest rung that it reaches.
type mark struct {
	RecordID
	rung float64
}

// mergeLadders is the ladder of the records of both.
func mergeLadders(a, b *ladder) *ladder {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	out := &ladder{rungs: make([]float64, 0, max(len(a.rungs), len(b.rungs))), n: make([]int64, 0, max(len(a.rungs), len(b.rungs)))}
	for i, j := 0, 0; i < len(a.rungs) || j < len(b.rungs); {
		switch {
		case j == len(b.rungs) || i < len(a.rungs) && a.rungs[i] < b.rungs[j]:
			out.rungs, out.n = append(out.rungs, a.rungs[i]), append(out.n, a.n[i])
			i++
		case i == len(a.rungs) || b.rungs[j] < a.rungs[i]:
			out.rungs, out.n = append(out.rungs, b.rungs[j]), append(out.n, b.n[j])
			j++
		default:
			out.rungs, out.n = append(out.rungs, a.rungs[i]), append(out.n, a.n[i]+b.n[j])
			i, j = i+1, j+1
		}
	}
	if len(a.marks)+len(b.marks) > 0 {
		marks := slices.Concat(a.marks, b.marks)
		if len(a.marks) > 0 && len(b.marks) > 0 && compareRecords(a.marks[len(a.marks)-1].RecordID, b.marks[0].RecordID) > 0 {
			slices.SortFunc(marks, func(x, y mark) int { return compareRecords(x.RecordID, y.RecordID) })
		}
		out.marks = notable(marks)
	}
	return out
}

// notable keeps, of sorted marks, those that are evidence of some rung: among the first two, or the last three, that come as high.
func notable(marks []mark) []mark {
	keep := make([]bool, len(marks))
	var first highest
	for i := range marks {
		keep[i] = first.within(evidenceFirst, marks[i].rung)
	}
	var last highest
	for i := len(marks) - 1; i >= 0; i-- {
		keep[i] = last.within(evidenceLast, marks[i].rung) || keep[i]
	}
	out := marks[:0]
	for i := range marks {
		if keep[i] {
			out = append(out, marks[i])
		}
	}
	return out
}

// highest are the highest rungs so far, the highest first.
type highest struct {
	top [max(evidenceFirst, evidenceLast)]float64
	n   int
}

// within tells whether fewer than k so far come as high as v, and counts v in.
func (h *highest) within(k int, v float64) bool {
	i := 0
	for i < h.n && h.top[i] >= v {
		i++
	}
	if i >= k {
		return false
	}
	h.n = min(h.n+1, k)
	for j := h.n - 1; j > i; j-- {
		h.top[j] = h.top[j-1]
	}
	h.top[i] = v
	return true
}

// evidence are the records that reach a rung: the first two and the last three.
func (l *ladder) evidence(rung float64) (out []RecordID) {
	for i := range l.marks {
		if l.marks[i].rung >= rung {
			out = append(out, l.marks[i].RecordID)
		}
	}
	return out
}

// take adds (sign 1) the counts of another ladder, or takes them away (−1). Rungs whose count is 0 stay until a new one comes.
func (l *ladder) take(o *ladder, sign int64) {
	i := 0
	for j, rung := range o.rungs {
		for i < len(l.rungs) && l.rungs[i] < rung {
			i++
		}
		if i == len(l.rungs) || l.rungs[i] != rung {
			*l = *mergeLadders(l.counted(), &ladder{rungs: o.rungs[j:], n: signed(o.n[j:], sign)})
			return
		}
		l.n[i] += sign * o.n[j]
	}
}

// counted is l without marks and rungs without records.
func (l *ladder) counted() *ladder {
	out := &ladder{}
	for i, n := range l.n {
		if n != 0 {
			out.rungs, out.n = append(out.rungs, l.rungs[i]), append(out.n, n)
		}
	}
	return out
}

func signed(n []int64, sign int64) []int64 {
	out := slices.Clone(n)
	for i := range out {
		out[i] *= sign
	}
	return out
}

// rungs are the counts of all cells of a ring, kept as they come and go.
type rungs struct {
	sum     ladder // without marks
	changes int64
	reach   *reach // the last that was worked out
}

// reach is a window's ladder, summed up: how many records reach each rung. It is worked out once for all rules that look at it.
type reach struct {
	key   reachKey
	rungs []float64
	from  []int64 // records that reach rungs[i]
}

// reachKey is what a reach was worked out from.
type reachKey struct {
	tick, warm int64
	open       uint64 // 0 = closed cells only, else the fold that the open ones are of
	changes    int64  // of the ring
}

// at is how many records reach a rung.
func (r *reach) at(rung float64) int64 {
	i, _ := slices.BinarySearch(r.rungs, rung)
	if i == len(r.rungs) {
		return 0
	}
	return r.from[i]
}

// reach sums up the window at a tick, from bucket warm on; open are later cells to count in up to that tick, of the fold with that number.
func (r *ring) reach(tick, warm int64, open []openCell, fold uint64) *reach {
	if r.rungs == nil {
		r.rungs = &rungs{}
	}
	key := reachKey{tick, warm, fold, r.rungs.changes}
	if r.rungs.reach != nil && r.rungs.reach.key == key {
		return r.rungs.reach
	}
	oldest := max(r.oldest(tick), warm)
	sum := &ladder{rungs: r.rungs.sum.rungs, n: slices.Clone(r.rungs.sum.n)}
	for i := 0; i < len(r.cells) && r.cells[i].at < oldest; i++ {
		sum.take(r.cells[i].cell.Ladder, -1)
	}
	for i := range open {
		if o := &open[i]; o.tick <= tick && r.bucket(o.tick) >= oldest {
			sum.take(o.cell.Ladder, 1)
		}
	}
	out := &reach{key: key, rungs: sum.rungs, from: sum.n}
	for i := len(out.from) - 2; i >= 0; i-- {
		out.from[i] += out.from[i+1]
	}
	r.rungs.reach = out
	return out
}

// rungEvidence is the evidence of a rung in the window at a tick.
func (r *ring) rungEvidence(tick, warm int64, open []openCell, rung float64) []RecordID {
	oldest := max(r.oldest(tick), warm)
	var all []RecordID
	for _, s := range r.cells {
		if s.at >= oldest {
			all = append(all, s.cell.Ladder.evidence(rung)...)
		}
	}
	for i := range open {
		if o := &open[i]; o.tick <= tick && r.bucket(o.tick) >= oldest {
			all = append(all, o.cell.Ladder.evidence(rung)...)
		}
	}
	slices.SortFunc(all, compareRecords)
	return thin(all)
}
