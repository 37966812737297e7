package block

import (
	"encoding/binary"
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
	hashes  []uint64 // distinct, in order of first appearance
	table   []uint64 // open addressing; 0 = free
	builder xorfilter.BinaryFuseBuilder
}

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
	clear(b.table)
	if b.table == nil {
		b.table = make([]uint64, 1<<12)
	}
}

// add keeps a hash once. 0 stands for "free" in the table; the one token in 2^64 that hashes to it is kept as 1.
func (b *filterBuilder) add(h uint64) {
	h = max(h, 1)
	mask := uint64(len(b.table) - 1)
	i := h & mask
	for ; b.table[i] != 0; i = (i + 1) & mask {
		if b.table[i] == h {
			return
		}
	}
	b.table[i] = h
	b.hashes = append(b.hashes, h)
	if len(b.hashes)*2 > len(b.table) {
		b.grow()
	}
}

func (b *filterBuilder) grow() {
	b.table = make([]uint64, 2*len(b.table))
	mask := uint64(len(b.table) - 1)
	for _, h := range b.hashes {
		i := h & mask
		for ; b.table[i] != 0; i = (i + 1) & mask {
		}
		b.table[i] = h
	}
}

func (b *filterBuilder) encode() ([]byte, error) {
	if len(b.hashes) == 0 {
		b.add(hashToken(nil)) // no token is empty: a filter that contains nothing that is asked for
	}
	f, err := xorfilter.BuildBinaryFuse[uint8](&b.builder, slices.Clone(b.hashes)) // it may reorder its keys
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
