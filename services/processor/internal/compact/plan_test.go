package compact

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	after  = int64(time.Minute)
	nsDay  = int64(24 * time.Hour)
	second = int64(time.Second)
)

// partition is a partition's blocks under ingest and compaction, without their bytes.
type partition struct {
	t       *testing.T
	blocks  []Block
	done    int64 // offset from which plans begin
	now     int64
	next    int64
	written int // lines, by compaction
	stored  int
}

func (p *partition) ingest(rows, bytes int) {
	p.blocks = append(p.blocks, Block{ID: uint64(p.next), From: p.next, To: p.next, Prev: p.next - 1, Rows: rows, Bytes: bytes, Raw: 4 * bytes,
		Stored: p.now, Day: uint32(p.now / nsDay), Watermark: p.now})
	p.next++
	p.stored += rows
}

func (p *partition) view(from int) *View {
	return &View{Blocks: p.blocks[from:], End: true, Now: p.now, Day: uint32(p.now / nsDay), Through: p.next, After: after}
}

// compact does all jobs there are. What is settled is not looked at again.
func (p *partition) compact() {
	for {
		from, _ := slices.BinarySearchFunc(p.blocks, p.done, func(b Block, at int64) int { return cmp.Compare(b.From, at) })
		v := p.view(from)
		job, settled := v.Plan()
		if settled > 0 {
			p.done = v.Blocks[settled-1].To + 1
		}
		if job == nil {
			return
		}
		p.replace(job)
	}
}

func (p *partition) replace(job []Block) {
	require.GreaterOrEqual(p.t, len(job), 2)
	require.LessOrEqual(p.t, len(job), MaxInputs)
	at := 0
	for p.blocks[at].ID != job[0].ID {
		at++
	}
	require.LessOrEqual(p.t, at+len(job), len(p.blocks)-Newest, "the newest blocks are left alone")
	m := job[0]
	for i, b := range job {
		require.Equal(p.t, p.blocks[at+i], b, "neighbours")
		require.Equal(p.t, m.Day, b.Day)
		require.LessOrEqual(p.t, b.Stored, p.now-after)
		if i > 0 {
			m.Rows, m.Bytes, m.Raw, m.To, m.Stored = m.Rows+b.Rows, m.Bytes+b.Bytes, m.Raw+b.Raw, b.To, b.Stored
		}
		m.Generation = max(m.Generation, b.Generation+1)
	}
	require.True(p.t, m.Rows <= TargetRows*5/4 && m.Bytes <= TargetBytes && m.Raw <= TargetRaw, m)
	p.written += m.Rows
	p.blocks = append(p.blocks[:at+1], p.blocks[at+len(job):]...)
	p.blocks[at] = m
}

func (p *partition) small() (n int) {
	for _, b := range p.blocks {
		if 2*b.Rows < TargetRows && 2*b.Bytes < TargetBytes {
			n++
		}
	}
	return n
}

// settle lets two quiet days pass and checks that nothing small has a small neighbour of its day.
func (p *partition) settle() {
	p.now += 2 * nsDay
	for range Newest + 1 {
		p.ingest(1, 100)
	}
	p.compact()
	for i := 1; i < len(p.blocks)-Newest-1; i++ {
		a, b := p.blocks[i-1], p.blocks[i]
		require.False(p.t, a.Day == b.Day && 2*a.Rows < TargetRows && 2*b.Rows < TargetRows && 2*a.Bytes < TargetBytes && 2*b.Bytes < TargetBytes,
			"%d and %d rows next to each other", a.Rows, b.Rows)
		require.Equal(p.t, a.To+1, b.From)
	}
}

// TestALineIsRewrittenAboutOnce runs a day of ingest at several rates and block sizes.
func TestALineIsRewrittenAboutOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows  int
		every time.Duration
		most  float64 // rewrites a line
		small int     // blocks that are not large, at the worst
	}{
		"4,000 lines a second":      {2000, 500 * time.Millisecond, 1.05, 240},
		"1,000 lines a second":      {300, 300 * time.Millisecond, 1.05, 600},
		"100 lines a second":        {20, 200 * time.Millisecond, 2.5, 1500},
		"a line a second":           {1, time.Second, 2.5, 800},
		"a line in ten minutes":     {1, 10 * time.Minute, 2.5, 80},
		"large blocks, a few a day": {TargetRows * 5 / 8, time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &partition{t: t, now: 20000*nsDay + 6*3600*second}
			worst := 0
			begun := p.now
			for k := 0; p.now < begun+nsDay/4 || k < 60 && p.now < begun+nsDay; k++ {
				p.now += int64(c.every)
				p.ingest(c.rows, 35*c.rows+3000)
				if k%50 == 0 {
					p.compact()
				}
				worst = max(worst, p.small())
			}
			p.settle()
			rewrites := float64(p.written) / float64(p.stored)
			t.Logf("%.2f rewrites a line, at most %d small blocks, %d blocks at the end", rewrites, worst, len(p.blocks))
			require.LessOrEqual(t, rewrites, c.most)
			require.LessOrEqual(t, worst, c.small)
		})
	}
}

// TestRandomHistoriesEndWithFewBlocks: sizes and pauses of every kind.
func TestRandomHistoriesEndWithFewBlocks(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 4))
	for range 200 {
		p := &partition{t: t, now: 20000 * nsDay}
		for range rng.IntN(600) {
			p.now += rng.Int64N(int64(1) << rng.IntN(44))
			p.ingest(1+rng.IntN(1<<rng.IntN(17)), 1+rng.IntN(1<<rng.IntN(24)))
			if rng.IntN(20) == 0 {
				p.compact()
			}
		}
		p.settle()
	}
}

func TestPlanLeavesAlone(t *testing.T) {
	t.Parallel()
	const third = TargetRows * 3 / 10 // three of them are nearer to a block's worth than four
	make := func(change func(*View)) *View {
		p := &partition{t: t, now: 20000*nsDay + 10*3600*second}
		for range 6 {
			p.ingest(third, 1000)
		}
		p.now += 10 * after
		v := p.view(0)
		change(v)
		return v
	}
	plan := func(change func(*View)) int {
		job, _ := make(change).Plan()
		return len(job)
	}
	require.Equal(t, 3, plan(func(*View) {}), "three blocks fill one")
	require.Equal(t, 3, plan(func(v *View) { v.Blocks[0].Rows, v.Blocks[1].Rows, v.Blocks[2].Rows = 38000, 38000, 38000 }), "114,000 rows are nearer to a block's worth than 76,000")
	require.Equal(t, 2, plan(func(v *View) { v.Blocks[0].Rows, v.Blocks[1].Rows, v.Blocks[2].Rows = 38000, 38000, 45000 }), "and 121,000 are not")
	require.Equal(t, 2, plan(func(v *View) {
		v.Blocks[0].Rows, v.Blocks[1].Rows, v.Blocks[2].Rows, v.Blocks[2].Bytes = 38000, 38000, 38000, TargetBytes
	}), "nor may it have more bytes")
	require.Equal(t, 0, plan(func(v *View) { v.Blocks = v.Blocks[:4] }), "the newest two, and two that do not fill a block yet")
	require.Equal(t, 3, plan(func(v *View) { v.Blocks, v.End = v.Blocks[:4], false }), "the newest ones are elsewhere")
	require.Equal(t, 0, plan(func(v *View) { v.Now = v.Blocks[5].Stored }), "young blocks")
	require.Equal(t, 0, plan(func(v *View) { v.Through = 2 }), "blocks that are not counted in windows")
	require.Equal(t, 0, plan(func(v *View) { v.Left = map[uint64]bool{1: true, 2: true} }), "blocks that cannot be read")
	require.Equal(t, 2, plan(func(v *View) { v.Left = map[uint64]bool{2: true} }), "a run that ends before a block that cannot be read")
	require.Equal(t, 2, plan(func(v *View) { v.Blocks[2].Day, v.Blocks[3].Day = v.Day+1, v.Day+1 }), "a run that ends with the day")
	require.Equal(t, 0, plan(func(v *View) { v.Blocks[1].Generation = maxGeneration }))
	_, settled := make(func(v *View) { v.Blocks[0].Rows, v.Blocks[1].Rows = TargetRows, TargetRows; v.Blocks = v.Blocks[:4] }).Plan()
	require.Equal(t, 2, settled)
}
