package vector

import (
	"encoding/binary"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// pageHeader is the head of a page.
type pageHeader struct {
	kind             int
	raw, packed      int64
	values, encoding int64
}

// page reads the page at an offset of the file and returns its bytes, uncompressed. Uncompressed pages are not copied.
func (c *chunk) page(data []byte, at int64) (h pageHeader, body []byte, err error) {
	r := &reader{b: data[at:min(at+maxPageHeader, int64(len(data)))]}
	r.fields(func(id, typ int) {
		switch {
		case id == 1:
			h.kind = int(r.int())
		case id == 2:
			h.raw = r.int()
		case id == 3:
			h.packed = r.int()
		case (id == 5 || id == 7) && typ == thriftStruct:
			r.fields(func(id, typ int) {
				switch id {
				case 1:
					h.values = r.int()
				case 2:
					h.encoding = r.int()
				default:
					r.skip(typ)
				}
			})
		default:
			r.skip(typ)
		}
	})
	body = data[at:]
	if r.bad || h.raw < 0 || h.raw > c.raw || h.packed < 0 || h.packed > int64(len(body)-r.pos) {
		return h, nil, damaged("a page of %d bytes in a column of %d", h.raw, c.raw)
	}
	body = body[r.pos : r.pos+int(h.packed)]
	if c.codec == codecZstd {
		body, err = inflate(body, int(h.raw))
	}
	if err == nil && int64(len(body)) != h.raw {
		err = damaged("a page of %d bytes instead of %d", len(body), h.raw)
	}
	return h, body, err
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxColumnBytes), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.IgnoreChecksum(true))
	if err != nil { // the options are constants
		panic(err)
	}
	return d
}}

func inflate(packed []byte, raw int) ([]byte, error) {
	var frame zstd.Header
	if err := frame.Decode(packed); err != nil {
		return nil, damaged("a page's zstd frame: %w", err)
	}
	if frame.HasFCS && frame.FrameContentSize > uint64(raw) || frame.WindowSize > maxZstdWindow {
		return nil, damaged("a page's zstd frame claims %d bytes", max(frame.FrameContentSize, frame.WindowSize))
	}
	d := decoders.Get().(*zstd.Decoder)
	defer decoders.Put(d)
	out, err := d.DecodeAll(packed, make([]byte, 0, raw))
	if err != nil {
		return nil, damaged("decompressing a page: %w", err)
	}
	return out, nil
}

// levels reads the definition levels at the beginning of a data page: valid is nil when every row has a value; n is how many have.
func levels(body []byte, rows int) (valid []uint64, n int, rest []byte, err error) {
	if len(body) < 4 || int64(binary.LittleEndian.Uint32(body)) > int64(len(body)-4) {
		return nil, 0, nil, damaged("definition levels")
	}
	size := int(binary.LittleEndian.Uint32(body))
	valid = make([]uint64, words(rows))
	h := hybrid{b: body[4 : 4+size], width: 1}
	if err := h.bits(valid, rows); err != nil {
		return nil, 0, nil, err
	}
	n = Count(valid)
	if n == rows {
		valid = nil
	}
	return valid, n, body[4+size:], nil
}
