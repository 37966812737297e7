package counts

import (
	"cmp"
	"encoding/binary"
	"math"

	"github.com/klauspost/compress/zstd"
)

const (
	maskTimes  = 1 << 5
	maskSingle = 1 << 6
)

// packer and unpacker are safe for concurrent use by EncodeAll and DecodeAll.
var (
	packer, _   = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	unpacker, _ = zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody))
)

func byServiceAndLevel(a, b Row) int {
	return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Level, b.Level))
}

// Encode makes the value of a window of rows, sorted by service and level, each pair once (Sort).
func Encode(rows []Row) []byte {
	services := 0
	for i := range rows {
		if i == 0 || rows[i].Service != rows[i-1].Service {
			services++
		}
	}
	out := binary.AppendUvarint(make([]byte, 0, 32*len(rows)+64), uint64(services))
	last := ""
	for len(rows) > 0 {
		n, mask := 1, byte(1)<<rows[0].Level
		for n < len(rows) && rows[n].Service == rows[0].Service {
			mask |= 1 << rows[n].Level
			n++
		}
		out = appendText(out, last, rows[0].Service)
		out = append(out, mask)
		for i := range rows[:n] {
			out = appendRow(out, &rows[i])
		}
		last, rows = rows[0].Service, rows[n:]
	}
	return pack(out)
}

// appendText writes what differs from the text before.
func appendText(out []byte, before, text string) []byte {
	n := 0
	for n < min(len(before), len(text)) && before[n] == text[n] {
		n++
	}
	out = binary.AppendUvarint(out, uint64(n))
	out = binary.AppendUvarint(out, uint64(len(text)-n))
	return append(out, text[n:]...)
}

func appendRow(out []byte, r *Row) []byte {
	out = binary.AppendUvarint(out, r.Lines)
	out = binary.AppendUvarint(out, r.Bytes)
	out = binary.AppendUvarint(out, r.Unevaluated)
	at := len(out)
	out = append(out, 0)
	for i, n := range r.Status {
		if n > 0 {
			out[at] |= 1 << i
			out = binary.AppendUvarint(out, n)
		}
	}
	if r.Times.Count == 0 {
		return out
	}
	out[at] |= maskTimes
	if r.Times.single() {
		out[at] |= maskSingle
		return binary.LittleEndian.AppendUint64(out, math.Float64bits(r.Times.SumMS))
	}
	return appendTimes(out, &r.Times)
}

// single tells whether all of it follows from the sum.
func (t *Times) single() bool {
	if t.Count != 1 || t.MaxMS != t.SumMS {
		return false
	}
	of := single(t.SumMS)
	return t.Zero == of.Zero && len(t.Bins) == len(of.Bins) && (len(of.Bins) == 0 || t.Bins[0] == of.Bins[0])
}

func single(ms float64) (t Times) {
	t.Observe([]float64{ms})
	return t
}

// appendTimes writes times as several.
func appendTimes(out []byte, t *Times) []byte {
	out = binary.AppendUvarint(out, t.Count)
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(t.SumMS))
	out = binary.LittleEndian.AppendUint64(out, math.Float64bits(t.MaxMS))
	return appendBins(out, t)
}

func appendBins(out []byte, t *Times) []byte {
	out = binary.AppendUvarint(out, t.Zero)
	out = binary.AppendUvarint(out, uint64(len(t.Bins)))
	for i, b := range t.Bins {
		if i == 0 {
			out = binary.AppendVarint(out, int64(b.Index))
		} else {
			out = binary.AppendUvarint(out, uint64(int64(b.Index)-int64(t.Bins[i-1].Index)))
		}
		out = binary.AppendUvarint(out, uint64(b.Count))
	}
	return out
}

// EncodeBins makes the value of an hour's response times (service_hour.rt_bins), whose count, sum and maximum stand beside it; empty without any.
func EncodeBins(t *Times) []byte {
	if t.Count == 0 {
		return []byte{}
	}
	return pack(appendBins(nil, t))
}

// EncodeTexts makes the value of error texts, sorted by service and text, each pair once.
func EncodeTexts(texts []Text) []byte {
	services := 0
	for i := range texts {
		if i == 0 || texts[i].Service != texts[i-1].Service {
			services++
		}
	}
	out := binary.AppendUvarint(make([]byte, 0, 64*len(texts)+64), uint64(services))
	service, message := "", ""
	for len(texts) > 0 {
		n := 1
		for n < len(texts) && texts[n].Service == texts[0].Service {
			n++
		}
		out = appendText(out, service, texts[0].Service)
		out = binary.AppendUvarint(out, uint64(n))
		for _, t := range texts[:n] {
			out = appendText(out, message, t.Message)
			out = binary.AppendUvarint(out, t.Lines)
			message = t.Message
		}
		service, texts = texts[0].Service, texts[n:]
	}
	return pack(out)
}

// pack puts the header before a body, compressed where that makes it shorter.
func pack(body []byte) []byte {
	if len(body) >= worthPacking {
		if out := packer.EncodeAll(body, []byte{version, codecZstd}); len(out) < len(body)+2 {
			return out
		}
	}
	return append([]byte{version, codecPlain}, body...)
}
