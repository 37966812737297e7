package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/logmill/logmill/services/processor/internal/compact"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/obs"
)

// lap is a way through a partition's stored blocks. Laps begin where the last one ended; the first of a process begins anywhere, so that
// processes that never live long enough read everything in time, too.
type lap struct {
	at    int64 // offset to go on from
	began int64 // ns
	total int64 // bytes of the partition when it began
	read  int64 // bytes since
}

// due is how many bytes should be read by now, so that all are within every. What came in since the lap began comes on top.
func (l *lap) due(now int64, every time.Duration) int64 {
	return int64(float64(l.total) * float64(now-l.began) / float64(every))
}

// lapLeast is how long a lap takes at least: it is how often an empty partition is looked at.
const lapLeast = time.Minute

var errMissing = errors.New("its data are missing")

// scrub reads a stored block and compares it with its checksum, if it is time to. more: another one is due.
func (k *keeping) scrub(ctx context.Context, c store.Claim, next int64) (more bool, err error) {
	now, least := k.now(), int64(min(lapLeast, k.cfg.scrub))
	l := k.laps[c.Partition]
	if l == nil {
		l = &lap{at: rand.Int64N(next + 1), began: now - least}
		k.laps[c.Partition] = l
	}
	if l.total == 0 {
		if now-l.began < least {
			return false, nil
		}
		l.began, l.read = now, 0
		if l.total, err = k.store.Bytes(ctx, c); err != nil || l.total == 0 {
			return false, err
		}
	}
	if l.read > l.due(now, k.cfg.scrub) {
		return false, nil
	}
	blocks, _, err := k.store.Blocks(ctx, c, l.at, 1)
	if err != nil {
		return false, err
	}
	if len(blocks) == 0 {
		*l = lap{began: l.began}
		return false, nil
	}
	l.at, l.read = blocks[0].To+1, l.read+int64(blocks[0].Bytes)
	return l.read <= l.due(now, k.cfg.scrub), k.check(ctx, c, blocks[0])
}

// check reads one block. Its error is *compact.DamagedError for a block that is damaged and was not known to be.
func (k *keeping) check(ctx context.Context, c store.Claim, b compact.Block) error {
	err := k.open(ctx, c, b)
	var damaged *compact.DamagedError
	switch {
	case errors.As(err, &damaged) && (b.Damaged || k.left[b.ID]):
		return nil
	case err != nil:
		return err
	}
	k.metrics.scrubbed.Inc()
	k.metrics.scrubbedBytes.Add(float64(b.Bytes))
	if b.Damaged || k.left[b.ID] {
		k.log.Info().Int32("partition", c.Partition).Uint64("block", b.ID).Msg("a block that was damaged is readable again")
		delete(k.left, b.ID)
		return k.store.Mark(ctx, b.ID, false)
	}
	return nil
}

func (k *keeping) open(ctx context.Context, c store.Claim, b compact.Block) error {
	data, err := k.store.Data(ctx, []compact.Block{b})
	if errors.Is(err, store.ErrChanged) {
		again, _, err := k.store.Blocks(ctx, c, b.From, 1)
		if err != nil || len(again) == 0 || again[0].ID != b.ID { // merged or removed meanwhile
			return err
		}
		return &compact.DamagedError{Block: b, Err: errMissing}
	}
	if err != nil {
		return err
	}
	_, err = compact.Open(b, data[0])
	return err
}

// damaged notes a damaged block, for everybody.
func (k *keeping) damaged(ctx context.Context, d *compact.DamagedError) error {
	k.left[d.Block.ID] = true
	k.metrics.damaged.Inc()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	return k.store.Mark(ctx, d.Block.ID, true)
}

// namedDamaged is how many damaged blocks health names.
const namedDamaged = 5

// CheckBlocks warns of damaged blocks: everything else is served.
func (k *keeping) CheckBlocks(ctx context.Context) error {
	some, n, err := k.knownDamaged(ctx)
	if err != nil || n == 0 {
		return err
	}
	names := make([]string, len(some))
	for i, d := range some {
		names[i] = d.String()
	}
	return &obs.Warning{Err: fmt.Errorf("%d stored blocks are damaged and left out of answers: %s", n, strings.Join(names, ", "))}
}

func (k *keeping) knownDamaged(ctx context.Context) ([]store.Damaged, int, error) {
	some, n, err := k.store.Damaged(ctx, namedDamaged)
	if err == nil {
		k.metrics.damagedNow.Set(float64(n))
	}
	return some, n, err
}
