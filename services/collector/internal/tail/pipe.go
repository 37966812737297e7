package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/logrec"
)

// Pipe sends what comes in on a reader, once: the count of bytes sent goes into the transaction of the lines, under a key of this run, so
// that a transaction whose outcome is unknown is neither lost nor repeated. Only the death of the process itself loses what it had read.
type Pipe struct {
	cfg  Config
	deps Deps
	key  string
	sink Sink

	split  splitter
	join   joiner
	ready  []Entry
	sent   int64 // all before it is committed
	batch  []logrec.Record
	bytes  int
	upTo   int64 // where the batch ends
	opened bool  // the stream's charset is known
}

// NewPipe makes a Pipe. Patterns are not used. open opens writers under an id of this run.
func NewPipe(cfg Config, deps Deps, open func(id string) func(context.Context) (Sink, error)) *Pipe {
	p := &Pipe{cfg: cfg, deps: deps, key: newKey("stdin/"), split: splitter{charset: cfg.Charset}, join: joiner{how: cfg.Join}}
	p.deps.Open = open(strings.ReplaceAll(p.key, "/", "-"))
	return p
}

// Run sends until in ends, or ctx, which also ends waiting for Kafka: the error then says how much was not sent.
func (p *Pipe) Run(ctx context.Context, in io.Reader) error {
	chunks, failed := make(chan []byte), make(chan error, 1)
	go read(ctx, in, chunks, failed)
	idle := time.NewTimer(joinWait)
	defer idle.Stop()
	for {
		idle.Reset(joinWait)
		select {
		case b, ok := <-chunks:
			if !ok {
				return errors.Join(p.end(ctx), <-failed)
			}
			p.take(b)
		case <-idle.C: // nobody goes on with the entry
			p.add(p.join.flush())
		case <-ctx.Done():
			return p.left(ctx.Err())
		}
		if err := p.send(ctx); err != nil {
			return err
		}
	}
}

// read passes on what comes. It may be stuck in Read when ctx ends: the process ends then.
func read(ctx context.Context, in io.Reader, chunks chan<- []byte, failed chan<- error) {
	defer close(chunks)
	for {
		b := make([]byte, chunk)
		n, err := in.Read(b)
		if n > 0 {
			select {
			case chunks <- b[:n]:
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			failed <- err
			return
		}
	}
}

func (p *Pipe) take(b []byte) {
	if !p.opened {
		p.opened = true
		sniffed, mark := p.split.charset.sniffed(b)
		p.split.charset = sniffed
		p.split.reset(int64(mark))
		b = b[mark:]
	}
	p.split.feed(b)
	p.lines(false)
}

func (p *Pipe) lines(final bool) {
	for {
		l, ok := p.split.next(final)
		if !ok {
			return
		}
		text := p.split.charset.text(l.raw)
		if l.part == 0 {
			p.add(p.join.add(text, l.from, l.to))
			continue
		}
		p.add(p.join.flush())
		p.add(Entry{Text: string(text), From: l.from, To: l.to, Part: l.part}, true)
	}
}

func (p *Pipe) add(e Entry, ok bool) {
	if ok {
		p.ready = append(p.ready, e)
	}
}

// end sends the rest and forgets the run.
func (p *Pipe) end(ctx context.Context) error {
	p.lines(true)
	p.add(p.join.flush())
	if err := p.send(ctx); err != nil {
		return err
	}
	if p.sink == nil {
		return nil
	}
	defer p.sink.Close()
	err := p.sink.Commit(ctx, exact.Transaction{Positions: []exact.Position{{Key: p.key}}})
	if err != nil {
		p.deps.Log.Debug().Err(err).Msg("the run's position stays behind")
	}
	return nil
}

// send commits all that is ready.
func (p *Pipe) send(ctx context.Context) error {
	for len(p.ready) > 0 {
		p.fill()
		for wait := retryMin; ; wait = min(2*wait, retryMax) {
			err := p.commit(ctx)
			switch {
			case err == nil:
			case ctx.Err() != nil:
				return p.left(ctx.Err())
			case errors.Is(err, exact.ErrFenced):
				return err
			default:
				p.deps.Metrics.restarts.Inc()
				p.deps.Log.Warn().Err(err).Msg("Kafka did not take the lines, trying again")
				pause(ctx, wait)
				continue
			}
			break
		}
		p.deps.Metrics.sent(len(p.batch), p.bytes, 0)
	}
	return nil
}

// fill makes a batch of the entries that are ready.
func (p *Pipe) fill() {
	p.batch, p.bytes = p.batch[:0], 0
	n := 0
	for now := p.deps.Now().UnixNano(); n < len(p.ready) && p.bytes < batchBytes; n++ {
		e := p.ready[n]
		p.bytes += len(e.Text)
		p.upTo = e.To
		if strings.TrimSpace(e.Text) != "" {
			p.batch = append(p.batch, p.cfg.Records.record(e, "", now))
		}
	}
	p.ready = p.ready[n:]
}

// commit sends the batch unless it turns out to be sent already.
func (p *Pipe) commit(ctx context.Context) error {
	if p.sink == nil {
		sink, err := p.deps.Open(ctx)
		if err != nil {
			return err
		}
		stored, err := sink.Load(ctx, p.key)
		if err != nil {
			sink.Close()
			return err
		}
		p.sink = sink
		if v, ok := stored[p.key]; ok {
			if p.sent, err = strconv.ParseInt(string(v), 10, 64); err != nil {
				return fmt.Errorf("reading position %s: %w", p.key, err)
			}
		}
	}
	if p.sent >= p.upTo {
		return nil
	}
	err := p.sink.Commit(ctx, exact.Transaction{Parts: []exact.Part{{Records: p.batch}}, Positions: []exact.Position{{Key: p.key, Value: strconv.AppendInt(nil, p.upTo, 10)}}})
	if err != nil {
		p.sink.Close()
		p.sink = nil
		return err
	}
	p.sent = p.upTo
	return nil
}

func (p *Pipe) left(err error) error {
	if n := len(p.batch) + len(p.ready); n > 0 && p.sent < p.upTo || len(p.ready) > 0 {
		return fmt.Errorf("stopped with up to %d records not sent: %w", n, err)
	}
	return nil
}
