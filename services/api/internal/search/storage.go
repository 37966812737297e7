package search

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/logmill/logmill/services/api/internal/scan"
)

// sampleBytes bounds what is read of blocks for one look at the storage. It is enough for shares within about a percent: blocks of one
// installation are much alike.
const (
	sampleBlocks = 24
	sampleBytes  = 48 << 20
)

// Storage says what stored blocks take. Sizes of columns and services are estimates, made from a sample of blocks that is spread evenly over
// all bytes; everything else is exact.
type Storage struct {
	Taken
	Columns  []ColumnSize  // largest first
	Services []ServiceSize // largest first
	Days     []DaySize     // of receipt, oldest first
	Sampled  Taken
	Damaged  []string // blocks of the sample that cannot be read
}

// Taken is what some blocks take, bytes.
type Taken struct {
	Blocks  int   `json:"blocks"`
	Lines   int64 `json:"lines"`
	Bytes   int64 `json:"bytes"`        // of blocks, compressed
	Filters int64 `json:"filter_bytes"` // of their token filters
}

// ColumnSize is what a column takes in all blocks together.
type ColumnSize struct {
	Column string `json:"column"`
	Bytes  int64  `json:"bytes"`
	Raw    int64  `json:"raw_bytes"` // before compression
}

// ServiceSize is what a service's lines take: of the messages by their length, of everything else by the number of lines.
type ServiceSize struct {
	Service string `json:"service"`
	Lines   int64  `json:"lines"`
	Bytes   int64  `json:"bytes"` // filters included
}

// DaySize is what came in on a day, UTC.
type DaySize struct {
	Day string `json:"day"`
	Taken
}

func (t *Taken) add(b *scan.Block) {
	t.Blocks++
	t.Lines += int64(b.Rows)
	t.Bytes += int64(b.Bytes)
	t.Filters += int64(b.FilterBytes)
}

// Storage looks at all blocks that are stored now.
func (e *Engine) Storage(ctx context.Context) (Storage, error) {
	ctx, cancel := context.WithTimeout(ctx, hardTimes*e.budget.Time)
	defer cancel()
	set, err := e.index.Fresh(ctx)
	if err != nil {
		return Storage{}, err
	}
	out := Storage{Columns: []ColumnSize{}, Services: []ServiceSize{}, Days: []DaySize{}, Damaged: []string{}}
	days := map[uint32]*Taken{}
	for _, b := range set.Newest {
		out.add(b)
		if days[b.Day] == nil {
			days[b.Day] = &Taken{}
		}
		days[b.Day].add(b)
	}
	for _, d := range slices.Sorted(maps.Keys(days)) {
		out.Days = append(out.Days, DaySize{time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly), *days[d]})
	}
	s := &sample{columns: map[string]*ColumnSize{}, services: map[string]*share{}}
	w := &walk{e: e, set: set}
	blocks := spread(set.Newest, out.Bytes)
	err = e.parallel(ctx, len(blocks), func(ctx context.Context, i int) error {
		return w.visit(ctx, blocks[i], func(ctx context.Context, b *scan.Block) error {
			v, err := e.view(ctx, b, &w.cost)
			if err != nil {
				return err
			}
			return s.take(v)
		})
	})
	if err != nil {
		return Storage{}, err
	}
	s.scale(&out)
	out.Damaged = append(out.Damaged, w.damaged...)
	return out, nil
}

// spread chooses blocks at even distances of bytes.
func spread(blocks []*scan.Block, total int64) (out []*scan.Block) {
	step := max(1, total/sampleBlocks)
	at, next, left := int64(0), step/2, int64(sampleBytes)
	for _, b := range blocks {
		at += int64(b.Bytes)
		if at > next && left >= int64(b.Bytes) {
			out = append(out, b)
			left -= int64(b.Bytes)
			next = at + step - (at-next)%step
		}
	}
	return out
}

// sample adds blocks up.
type sample struct {
	mu       sync.Mutex
	taken    Taken
	columns  map[string]*ColumnSize
	services map[string]*share
}

type share struct {
	lines int64
	bytes float64
}

func (s *sample) take(v *view) error {
	lines, text, err := byService(v)
	if err != nil {
		return err
	}
	messages := float64(v.layout.EncodedBytes("message"))
	rest := float64(v.block.Bytes+v.block.FilterBytes) - messages
	all := int64(0)
	for _, n := range text {
		all += n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken.add(v.block)
	for _, name := range v.Names() {
		c := s.columns[name]
		if c == nil {
			c = &ColumnSize{Column: name}
			s.columns[name] = c
		}
		c.Bytes, c.Raw = c.Bytes+int64(v.layout.EncodedBytes(name)), c.Raw+int64(v.layout.RawBytes(name))
	}
	for service, n := range lines {
		sh := s.services[service]
		if sh == nil {
			sh = &share{}
			s.services[strings.Clone(service)] = sh // it points into the column
		}
		sh.lines += n
		sh.bytes += rest*float64(n)/float64(v.Rows()) + messages*float64(text[service])/math.Max(1, float64(all))
	}
	return nil
}

// byService counts a block's lines and the bytes of their messages.
func byService(v *view) (lines, text map[string]int64, err error) {
	service, err := v.Column("service")
	if err != nil {
		return nil, nil, err
	}
	message, err := v.Column("message")
	if err != nil || service == nil {
		return nil, nil, err
	}
	lines, text = map[string]int64{}, map[string]int64{}
	for row := range v.Rows() {
		name, _ := service.Text(row)
		lines[name]++
		if message != nil {
			m, _ := message.Text(row)
			text[name] += int64(len(m))
		}
	}
	return lines, text, nil
}

// scale makes estimates for all blocks of what the sample has.
func (s *sample) scale(out *Storage) {
	out.Sampled = s.taken
	if s.taken.Bytes == 0 || s.taken.Lines == 0 {
		return
	}
	bytes := float64(out.Bytes) / float64(s.taken.Bytes)
	for _, c := range s.columns {
		out.Columns = append(out.Columns, ColumnSize{c.Column, int64(float64(c.Bytes) * bytes), int64(float64(c.Raw) * bytes)})
	}
	slices.SortFunc(out.Columns, func(a, b ColumnSize) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Column, b.Column))
	})
	lines, all := float64(out.Lines)/float64(s.taken.Lines), float64(out.Bytes+out.Filters)/float64(s.taken.Bytes+s.taken.Filters)
	for name, sh := range s.services {
		out.Services = append(out.Services, ServiceSize{name, int64(float64(sh.lines) * lines), int64(sh.bytes * all)})
	}
	slices.SortFunc(out.Services, func(a, b ServiceSize) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Service, b.Service))
	})
}
