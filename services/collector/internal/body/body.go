// Package body reads HTTP request bodies within limits: compressed or not, into pooled buffers, against a budget of memory.
package body

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/logmill/logmill/shared/fault"
)

const (
	step           = 64 << 10    // the budget is asked for so many bytes at a time
	retryAfter     = time.Second // a full budget empties as fast as Kafka answers
	keepBuffers    = 4 << 20     // larger buffers are not kept for the next request
	zstdWindow     = 8 << 20     // the largest window that a zstd body may ask for: what its own tools use up to level 19
	budgetFactor   = 2           // a body costs about twice its size: itself, and its records on their way to Kafka
	reasonOverload = "the collector holds as much unacknowledged data as it may (COLLECTOR_MEMORY_MB): come again"
)

// Budget bounds the bytes that all requests hold together.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget makes a budget of so many bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Used are the bytes in use.
func (b *Budget) Used() int64 { return b.used.Load() }

func (b *Budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

// Body is a request's body, in memory. Release it when its bytes, and what was made of them, are done with.
type Body struct {
	buf    *bytes.Buffer
	budget *Budget
	taken  int64
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Bytes are the decompressed bytes.
func (b *Body) Bytes() []byte { return b.buf.Bytes() }

// Release gives memory and budget back.
func (b *Body) Release() {
	b.budget.used.Add(-b.taken)
	if b.buf.Cap() <= keepBuffers {
		b.buf.Reset()
		buffers.Put(b.buf)
	}
	b.buf = nil
}

// Read reads and decompresses a request's body of at most limit bytes, before and after decompression. The error is of package fault:
// invalid (damaged), too large, unsupported encoding, overloaded (the budget is used up).
func Read(r *http.Request, limit int64, budget *Budget) (*Body, error) {
	b := &Body{buf: buffers.Get().(*bytes.Buffer), budget: budget}
	if err := b.read(r, limit); err != nil {
		b.Release()
		return nil, err
	}
	return b, nil
}

func (b *Body) read(r *http.Request, limit int64) error {
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	src, done, err := decoder(r)
	if err != nil {
		return err
	}
	defer done()
	for {
		if !b.budget.take(budgetFactor * step) {
			return fault.Overloaded(retryAfter, reasonOverload)
		}
		b.taken += budgetFactor * step
		_, err := io.CopyN(b.buf, src, step)
		if int64(b.buf.Len()) > limit {
			return tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damaged(r, err)
		}
	}
}

func tooLarge(limit int64) error {
	return fault.TooLarge("the body is larger than %d bytes, decompressed (COLLECTOR_MAX_BODY_MB): send smaller batches", limit)
}

func damaged(r *http.Request, err error) error {
	var tooSlow interface{ Timeout() bool }
	if errors.As(err, &tooSlow) && tooSlow.Timeout() {
		return fault.Invalid("the body did not arrive in time")
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" {
		return fault.Invalid(fmt.Sprintf("the %s body is damaged: %v", enc, err))
	}
	return fault.Invalid(fmt.Sprintf("the body could not be read: %v", err))
}

var (
	gzips sync.Pool
	zstds sync.Pool
)

// decoder undoes the content encoding; done gives the decoder back.
func decoder(r *http.Request) (src io.Reader, done func(), err error) {
	switch enc := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); enc {
	case "", "identity":
		return r.Body, func() {}, nil
	case "gzip", "x-gzip":
		return gunzip(r)
	case "zstd":
		return unzstd(r)
	default:
		return nil, nil, fault.Unsupported("content encoding %q is not understood (gzip, zstd, identity)", enc)
	}
}

func gunzip(r *http.Request) (io.Reader, func(), error) {
	z, ok := gzips.Get().(*gzip.Reader)
	if !ok {
		z = new(gzip.Reader)
	}
	if err := z.Reset(r.Body); err != nil {
		return nil, nil, damaged(r, err)
	}
	return z, func() { gzips.Put(z) }, nil
}

func unzstd(r *http.Request) (io.Reader, func(), error) {
	z, ok := zstds.Get().(*zstd.Decoder)
	if !ok {
		var err error
		if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true)); err != nil {
			return nil, nil, fmt.Errorf("making a zstd decoder: %w", err)
		}
	}
	if err := z.Reset(r.Body); err != nil {
		return nil, nil, damaged(r, err)
	}
	return z, func() {
		_ = z.Reset(nil) // lets go of the request
		zstds.Put(z)
	}, nil
}
