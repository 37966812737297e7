// Package compact decides which neighbouring blocks become one, and makes it. It is pure: blocks' metadata and bytes in, a block out.
//
// The newest lines lie in small blocks, as they came. A run of small neighbours of one day of receipt is merged as soon as it makes a
// large block; a run that cannot grow any more (a large block, or another day, follows) is merged as it is; and one that grows slowly is
// merged now and then into blocks of a size between. So a line of a busy partition is written twice in all, and every partition ends up
// with few blocks.
package compact

// Block is what planning needs of a stored block. Times are ns.
type Block struct {
	ID         uint64
	From, To   int64 // offsets, inclusive
	Prev       int64 // To of the block before it
	Generation int
	Rows       int
	Bytes, Raw int // compressed; uncompressed, 0 = not known
	Checksum   uint32
	Day        uint32 // of receipt
	Stored     int64  // when its newest line was
	Watermark  int64
	Damaged    bool // known to be
}

// View is a partition's blocks in the order of offsets, from some place on, and what is known beside them.
type View struct {
	Blocks  []Block
	End     bool   // the last one is the partition's newest
	Now     int64  // ns
	Day     uint32 // today
	Through int64  // blocks below are counted in windows
	After   int64  // ns: how old a block is when it may be merged
	Left    map[uint64]bool
}

// Plan returns the next job: neighbours that become one block; nil when there is none. settled is how many blocks at the beginning
// will never be part of a job, as far as the view tells.
func (v *View) Plan() (job []Block, settled int) {
	limit := v.eligible()
	for i := 0; i < limit; {
		if v.final(i) {
			if settled == i {
				settled++
			}
			i++
			continue
		}
		end := i + 1
		for end < limit && !v.final(end) && v.Blocks[end].Day == v.Blocks[i].Day {
			end++
		}
		closed := v.closed(end)
		if job := v.pick(v.Blocks[i:end], closed); job != nil {
			return job, settled
		}
		if closed && settled == i {
			settled = end
		}
		i = end
	}
	return nil, settled
}

// eligible is how many blocks may be touched at all. Blocks are stored in the order of offsets, so those behind are younger.
func (v *View) eligible() int {
	n := len(v.Blocks)
	if v.End {
		n = max(0, n-Newest)
	}
	for n > 0 && (v.Blocks[n-1].Stored > v.Now-v.After || v.Blocks[n-1].To >= v.Through) {
		n--
	}
	return n
}

// final blocks are never merged: they are large, or cannot be read.
func (v *View) final(i int) bool {
	b := &v.Blocks[i]
	return 2*b.Rows >= TargetRows || 2*b.Bytes >= TargetBytes || 2*rawOf(b) >= TargetRaw || b.Generation >= maxGeneration || b.Damaged || v.Left[b.ID]
}

// rawOf guesses for blocks that do not say.
func rawOf(b *Block) int {
	if b.Raw == 0 {
		return 8 * b.Bytes
	}
	return b.Raw
}

// closed tells whether the run that ends before a block can grow no more. Only what is old enough was looked at: a young neighbour of
// the same day belongs to the run, or will when it is merged itself.
func (v *View) closed(end int) bool {
	if end < len(v.Blocks) {
		return v.final(end) || v.Blocks[end].Day != v.Blocks[end-1].Day
	}
	return v.End && v.Blocks[end-1].Day < v.Day
}

// pick chooses a job from a run of small neighbours.
func (v *View) pick(run []Block, closed bool) []Block {
	if len(run) < 2 {
		return nil
	}
	if n, full := prefix(run); full || closed && n == len(run) {
		return run[:n]
	}
	for len(run) >= 2 {
		n, _ := prefix(run)
		rows, largest := 0, 0
		for i := range run[:n] {
			rows += run[i].Rows
			if run[i].Rows >= run[largest].Rows {
				largest = i
			}
		}
		if rows >= Growth*run[largest].Rows {
			if n == MaxInputs || closed || run[0].Stored <= v.Now-patience*v.After {
				return run[:n]
			}
			return nil
		}
		run = run[largest+1:]
	}
	return nil
}

// prefix is how many blocks, from the first on, one job takes; full says that the next one makes the block too large. The one that goes
// beyond TargetRows is taken when the block comes nearer to it so, which is by a quarter at the most: blocks that came in a rush are large, and
// three quarters of a block would be usual.
func prefix(run []Block) (n int, full bool) {
	rows, bytes, raw := 0, 0, 0
	for i := range run {
		b := &run[i]
		short := TargetRows - rows
		rows, bytes, raw = rows+b.Rows, bytes+b.Bytes, raw+rawOf(b)
		if bytes > TargetBytes || raw > TargetRaw {
			return i, true
		}
		if over := rows - TargetRows; over > 0 {
			if over < short {
				i++
			}
			return i, true
		}
		if i == MaxInputs {
			return i, false
		}
	}
	return len(run), false
}
