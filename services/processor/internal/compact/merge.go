package compact

import (
	"errors"
	"fmt"

	"github.com/logmill/logmill/shared/block"
)

// Level is zstd's "better", and Window how far it looks back: what repeats in logs is near, and a near place takes fewer bits. Against
// "default" with its 8 MiB they save 4 % of the bytes for 30 % more CPU of a merge; with 8 MiB "better" would take 65 % more, for no less bytes.
const (
	Level  = 3
	Window = 128 << 10
)

// Merged is a job's block and its place.
type Merged struct {
	block.Block
	From, To, Prev int64
	Generation     int
	Day            uint32
	Stored         int64 // ns: when its newest line was
	Watermark      int64
}

// DamagedError is a block of a job that cannot be read. It stays as it is.
type DamagedError struct {
	Block Block
	Err   error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("block %d, offsets %d to %d: %v", e.Block.ID, e.Block.From, e.Block.To, e.Err)
}
func (e *DamagedError) Unwrap() error { return e.Err }

var (
	errChecksum = errors.New("its checksum is another")
	errRows     = errors.New("it has another number of rows than its metadata")
)

// Merger does jobs. Reuse one: its buffers are as large as the largest job.
type Merger struct{ m *block.Merger }

// NewMerger makes a merger.
func NewMerger() (*Merger, error) {
	m, err := block.NewMerger(block.Options{Level: Level, Window: Window})
	if err != nil {
		return nil, err
	}
	return &Merger{m}, nil
}

// Merge does a job; data are its blocks' bytes, in order. Errors: *DamagedError, for the first block that cannot be read.
func (m *Merger) Merge(job []Block, data [][]byte) (Merged, error) {
	readers := make([]*block.Reader, len(job))
	rows := 0
	for i := range job {
		r, err := Open(job[i], data[i])
		if err != nil {
			return Merged{}, err
		}
		readers[i] = r
		rows += r.Rows()
	}
	blk, err := m.m.Merge(readers)
	var in *block.InputError
	if errors.As(err, &in) {
		return Merged{}, &DamagedError{job[in.Input], in.Err}
	}
	if err != nil {
		return Merged{}, fmt.Errorf("merging %d blocks: %w", len(job), err)
	}
	if blk.Meta.Rows != rows {
		return Merged{}, fmt.Errorf("merging %d blocks of %d rows made one of %d", len(job), rows, blk.Meta.Rows)
	}
	return place(job, blk), nil
}

// Open checks a block against its metadata and opens it. Errors: *DamagedError.
func Open(b Block, data []byte) (*block.Reader, error) {
	if block.Checksum(data) != b.Checksum {
		return nil, &DamagedError{b, errChecksum}
	}
	r, err := block.Open(data)
	if err != nil {
		return nil, &DamagedError{b, err}
	}
	if r.Rows() != b.Rows {
		return nil, &DamagedError{b, errRows}
	}
	return r, nil
}

// place says where a merged block stands: from the first one's beginning to the last one's end.
func place(job []Block, blk block.Block) Merged {
	first, last := &job[0], &job[len(job)-1]
	out := Merged{Block: blk, From: first.From, Prev: first.Prev, To: last.To, Watermark: last.Watermark, Day: first.Day}
	for i := range job {
		out.Generation = max(out.Generation, job[i].Generation+1)
		out.Stored = max(out.Stored, job[i].Stored)
	}
	return out
}
