package backtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule/engine"
)

var errGone = errors.New("a block was deleted while it was wanted")

// part are the blocks of a partition, by offset. Its place in lines.parts is what the engine knows it by: partitions of several streams are apart.
type part struct {
	stream    uint32
	partition int32
	blocks    []Block
}

// partsOf cuts a list by stream, partition and offset into its partitions.
func partsOf(blocks []Block) (out []part) {
	for begin, i := 0, 1; i <= len(blocks); i++ {
		if i == len(blocks) || blocks[i].Stream != blocks[begin].Stream || blocks[i].Partition != blocks[begin].Partition {
			out = append(out, part{blocks[begin].Stream, blocks[begin].Partition, blocks[begin:i]})
			begin = i
		}
	}
	return out
}

// lines reads blocks, and keeps those just read for the texts of evidence.
type lines struct {
	src   Source
	parts []part
	kept  []kept // oldest first
	bytes int
}

type kept struct {
	id     uint64
	bytes  int
	reader *block.Reader
}

func (l *lines) place(b *Block) int32 {
	return int32(slices.IndexFunc(l.parts, func(p part) bool { return p.stream == b.Stream && p.partition == b.Partition }))
}

// open reads a block with fetch. errGone, block.ErrDamaged: it cannot be read.
func (l *lines) open(ctx context.Context, b *Block, fetch func(context.Context, *Block) ([]byte, error)) (*block.Reader, error) {
	if i := slices.IndexFunc(l.kept, func(k kept) bool { return k.id == b.ID }); i >= 0 {
		return l.kept[i].reader, nil
	}
	data, err := fetch(ctx, b)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, fmt.Errorf("%w: block %d", errGone, b.ID)
	}
	r, err := block.Open(data)
	if err == nil && block.Checksum(data) != b.Checksum {
		err = block.ErrDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", b.ID, err)
	}
	l.kept, l.bytes = append(l.kept, kept{b.ID, len(data), r}), l.bytes+len(data)
	for l.bytes > cacheBytes && len(l.kept) > 1 {
		l.bytes -= l.kept[0].bytes
		l.kept = slices.Delete(l.kept, 0, 1)
	}
	return r, nil
}

// texts are the lines of evidence. Those that cannot be read any more are there by their ids.
func (l *lines) texts(ctx context.Context, ids []engine.RecordID) ([]contract.AlertEvidence, error) {
	out := []contract.AlertEvidence{}
	for _, id := range ids {
		p := &l.parts[id.Partition]
		e := contract.AlertEvidence{Timestamp: at(id.EvalTime), LogID: logrec.ID{Stream: p.stream, Partition: p.partition, Offset: id.Offset, Row: id.Row}.String()}
		rec, err := l.record(ctx, p, id)
		if err != nil && !unreadable(err) {
			return nil, fmt.Errorf("reading line %s: %w", e.LogID, err)
		}
		if rec != nil {
			e.Timestamp, e.Service, e.Level, e.Message, e.TraceID = at(rec.Timestamp), rec.Service, rec.Level.String(), clip(rec.Message), rec.TraceID
		}
		out = append(out, e)
	}
	return out, nil
}

// record is nil when the block does not have it.
func (l *lines) record(ctx context.Context, p *part, id engine.RecordID) (*logrec.Record, error) {
	i, exact := slices.BinarySearchFunc(p.blocks, id.Offset, func(b Block, offset int64) int { return cmp.Compare(b.From, offset) })
	if !exact {
		i--
	}
	if i < 0 || id.Offset > p.blocks[i].To {
		return nil, errGone
	}
	r, err := l.open(ctx, &p.blocks[i], l.src.BlockData)
	if err != nil {
		return nil, err
	}
	offsets, _, err := r.Ints("src_offset")
	if err != nil {
		return nil, err
	}
	rows, _, err := r.Ints("src_row")
	if err != nil {
		return nil, err
	}
	for n := range offsets {
		if offsets[n] == id.Offset && rows[n] == int64(id.Row) {
			recs, err := r.Records([]int{n})
			if err != nil {
				return nil, err
			}
			return &recs[0], nil
		}
	}
	return nil, errGone
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage])
	}
	return s
}
