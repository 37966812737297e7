package windows

import (
	"cmp"
	"slices"

	"github.com/logmill/logmill/services/api/internal/metrics"
)

// chunk is what one partition has of one window, of 10 s or a minute. Immutable.
type chunk struct {
	start    int64 // s
	services []entry
	total    metrics.Cell
	errors   []errorCell // of chunks of a minute
	bytes    int64
	damaged  int
}

// entry is a service's part.
type entry struct {
	service uint32 // of the table of names
	last    uint32 // when its last window begins, s after the chunk
	cell    metrics.Cell
}

// errorCell is how often a masked error text of a service came.
type errorCell struct {
	text  uint32 // of the table of texts
	count uint32
}

// text is an error text of a service.
type text struct {
	service uint32 // of the table of names
	message string
}

// ErrorRow is an error text of a service in a minute.
type ErrorRow struct {
	Start   int64 // s
	Service string
	Message string
	Count   int64
}

const (
	chunkBytes = 200
	entryBytes = 112
	binBytes   = 8
	errorBytes = 8
	textBytes  = 200 // of a text, in its table
)

// builder makes chunks of rows.
type builder struct {
	width  int64
	tables *tables
	chunks map[int64]*chunk
	places map[place]int // of services in chunks
}

type place struct {
	start   int64
	service uint32
}

func newBuilder(width int64, t *tables) *builder {
	return &builder{width: width, tables: t, chunks: map[int64]*chunk{}, places: map[place]int{}}
}

// Hour is the one that a second lies in.
func Hour(s int64) int64 { return floor(s, hour) }

// Minute is the one that a second lies in.
func Minute(s int64) int64 { return floor(s, minute) }

// floor rounds down, before 1970 as well.
func floor(s, width int64) int64 { return s - (s%width+width)%width }

func (b *builder) chunk(start int64) *chunk {
	start = floor(start, b.width)
	c := b.chunks[start]
	if c == nil {
		c = &chunk{start: start}
		b.chunks[start] = c
	}
	return c
}

// add takes in a row, which is a cell.
func (b *builder) add(w *metrics.Window, cell *metrics.Cell) {
	c := b.chunk(w.Start)
	if w.Damaged {
		c.damaged++
	}
	if w.Lines == 0 {
		return
	}
	service := b.tables.name(w.Service)
	at, ok := b.places[place{c.start, service}]
	if !ok {
		at = len(c.services)
		b.places[place{c.start, service}] = at
		c.services = append(c.services, entry{service: service})
	}
	c.services[at].cell.Add(cell)
	c.services[at].last = max(c.services[at].last, uint32(w.Start-c.start))
}

func (b *builder) addError(e *ErrorRow) {
	c := b.chunk(e.Start)
	c.errors = append(c.errors, errorCell{b.tables.text(e.Service, e.Message), uint32(e.Count)})
}

// done is what was made, by start.
func (b *builder) done() []*chunk {
	out := make([]*chunk, 0, len(b.chunks))
	for _, c := range b.chunks {
		slices.SortFunc(c.services, func(x, y entry) int { return cmp.Compare(x.service, y.service) })
		c.services = slices.Clip(c.services)
		for i := range c.services {
			c.total.Add(&c.services[i].cell)
			if b.width == hour {
				c.services[i].cell.Bins = nil
			}
			c.bytes += binBytes * int64(len(c.services[i].cell.Bins))
		}
		c.bytes += chunkBytes + entryBytes*int64(len(c.services)) + binBytes*int64(len(c.total.Bins)) + errorBytes*int64(len(c.errors))
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y *chunk) int { return cmp.Compare(x.start, y.start) })
	return out
}

// find is a service's part, nil without one.
func (c *chunk) find(service uint32) *metrics.Cell {
	i, ok := slices.BinarySearchFunc(c.services, service, func(e entry, s uint32) int { return cmp.Compare(e.service, s) })
	if !ok {
		return nil
	}
	return &c.services[i].cell
}

// series are a partition's chunks of one width, by start. Immutable.
type series []*chunk

// between are the chunks with start in [from, to).
func (s series) between(from, to int64) series {
	byStart := func(c *chunk, t int64) int { return cmp.Compare(c.start, t) }
	i, _ := slices.BinarySearchFunc(s, from, byStart)
	k, _ := slices.BinarySearchFunc(s, to, byStart)
	return s[i:max(i, k)]
}

// with is a new series in which the windows of spans, and those before from, are gone, and fresh, which lies in spans, is there.
func (s series) with(fresh []*chunk, spans []Span, from int64) series {
	out := make(series, 0, len(s)+len(fresh))
	for _, c := range s {
		for len(spans) > 0 && spans[0].To <= c.start {
			spans = spans[1:]
		}
		if c.start < from || len(spans) > 0 && spans[0].From <= c.start {
			continue
		}
		for len(fresh) > 0 && fresh[0].start < c.start {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
		out = append(out, c)
	}
	out = append(out, fresh...)
	return out[len(out)-len(out.between(from, 1<<62)):]
}
