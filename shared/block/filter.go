package block

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"slices"

	"github.com/FastFilter/xorfilter"

	"github.com/logmill/logmill/shared/logrec"
)

const (
	filterVersion = 1
	filterHeader  = 17
)

// MayContain says whether a block's filter may hold a token. false = certainly not in the block. The token is lower-cased here;
// words must be whole tokens of EachToken, ids "trace_id=<id>" or "user_id=<id>", attributes "<name>=<value>".
// A filter that is empty, damaged or of a later version may contain everything.
func MayContain(filter []byte, token string) bool {
	return mayContainHash(filter, max(hashToken(cut(appendLower(nil, token))), 1))
}

func mayContainHash(filter []byte, hash uint64) bool {
	f, ok := parseFilter(filter)
	return !ok || f.Contains(hash)
}

func parseFilter(b []byte) (f xorfilter.BinaryFuse[uint8], ok bool) {
	if len(b) < filterHeader || b[0] != filterVersion {
		return f, false
	}
	f.Seed = binary.LittleEndian.Uint64(b[1:])
	f.SegmentLength = binary.LittleEndian.Uint32(b[9:])
	f.SegmentCount = binary.LittleEndian.Uint32(b[13:])
	f.SegmentLengthMask = f.SegmentLength - 1
	f.Fingerprints = b[filterHeader:]
	want := (uint64(f.SegmentCount) + 2) * uint64(f.SegmentLength)
	if f.SegmentCount == 0 || bits.OnesCount32(f.SegmentLength) != 1 || want != uint64(len(f.Fingerprints)) {
		return f, false
	}
	f.SegmentCountLength = f.SegmentCount * f.SegmentLength
	return f, true
}

// filterBuilder collects the distinct token hashes of a block. Reuse one a goroutine.
type filterBuilder struct {
	tokens  tokenizer
	scratch []byte
	recent  [recentHashes]uint64 // the last hash of each slot: most tokens of a line were in the lines before
	hashes  []uint64             // what recent let through, some more than once
	parted  []uint64             // the same by bucket
	table   []uint64             // open addressing; 0 = free
	builder xorfilter.BinaryFuseBuilder
}

// Words makes token filters of texts' words alone. Reuse one a goroutine: its tables are what a filter costs most.
type Words struct{ b filterBuilder }

// Filter is a filter of the words of all texts, see MayContain.
func (w *Words) Filter(texts iter.Seq[string]) ([]byte, error) {
	w.b.reset()
	add := func(t []byte) { w.b.add(hashToken(t)) }
	for s := range texts {
		w.b.tokens.each(s, add)
	}
	return w.b.encode()
}

const (
	recentHashes = 4096 // 32 KiB: stays in the nearest cache
	hashBuckets  = 256  // of 64k lines' hashes each takes a table that stays there too
)

func (b *filterBuilder) build(recs []logrec.Record) ([]byte, error) {
	b.reset()
	lastUser := ""
	add := func(t []byte) { b.add(hashToken(t)) }
	for i := range recs {
		r := &recs[i]
		b.tokens.each(r.Message, add)
		b.pair("trace_id", r.TraceID)
		if r.UserID != lastUser {
			b.pair("user_id", r.UserID)
			lastUser = r.UserID
		}
		for k := range r.Attributes {
			b.pair(r.Attributes[k].Key, r.Attributes[k].Value)
		}
	}
	return b.encode()
}

func (b *filterBuilder) pair(name, value string) {
	if value == "" {
		return
	}
	b.scratch = appendLower(b.scratch[:0], name)
	b.scratch = appendLower(append(b.scratch, '='), value)
	b.add(hashToken(cut(b.scratch)))
}

func (b *filterBuilder) reset() {
	b.hashes = b.hashes[:0]
	clear(b.recent[:])
}

// add keeps a hash. 0 stands for "free" in the tables; the one token in 2^64 that hashes to it is kept as 1.
func (b *filterBuilder) add(h uint64) {
	h = max(h, 1)
	last := &b.recent[h%recentHashes]
	if *last != h {
		*last = h
		b.hashes = append(b.hashes, h)
	}
}

// distinct sorts repeats out, bucket by bucket: one table of all of a large block's hashes would miss the cache with every token.
func (b *filterBuilder) distinct() []uint64 {
	var at [hashBuckets + 1]int
	for _, h := range b.hashes {
		at[h>>56+1]++
	}
	for i := range hashBuckets {
		at[i+1] += at[i]
	}
	b.parted = slices.Grow(b.parted[:0], len(b.hashes))[:len(b.hashes)]
	for _, h := range b.hashes {
		b.parted[at[h>>56]] = h
		at[h>>56]++ // ends where the next bucket began
	}
	out, from := b.hashes[:0], 0
	for i := range hashBuckets {
		out = b.appendDistinct(out, b.parted[from:at[i]])
		from = at[i]
	}
	b.hashes = out
	return out
}

func (b *filterBuilder) appendDistinct(out, hashes []uint64) []uint64 {
	size := 1 << bits.Len(uint(2*len(hashes)))
	b.table = slices.Grow(b.table[:0], size)[:size]
	clear(b.table)
	mask := uint64(size - 1)
	for _, h := range hashes {
		i := h & mask
		for b.table[i] != 0 && b.table[i] != h {
			i = (i + 1) & mask
		}
		if b.table[i] == 0 {
			b.table[i] = h
			out = append(out, h)
		}
	}
	return out
}

func (b *filterBuilder) encode() ([]byte, error) {
	if len(b.hashes) == 0 {
		b.add(hashToken(nil)) // no token is empty: a filter that contains nothing that is asked for
	}
	f, err := xorfilter.BuildBinaryFuse[uint8](&b.builder, b.distinct())
	if err != nil {
		return nil, err
	}
	out := make([]byte, filterHeader, filterHeader+len(f.Fingerprints))
	out[0] = filterVersion
	binary.LittleEndian.PutUint64(out[1:], f.Seed)
	binary.LittleEndian.PutUint32(out[9:], f.SegmentLength)
	binary.LittleEndian.PutUint32(out[13:], f.SegmentCount)
	return append(out, f.Fingerprints...), nil
}
