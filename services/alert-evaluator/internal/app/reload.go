package app

import (
	"context"
	"fmt"
	"time"

	"github.com/logmill/logmill/shared/bus"
)

// reloadTimeout bounds one try: a minute of the log, and MySQL's and Kafka's own time-outs.
const reloadTimeout = 2 * time.Minute

// reload puts a partition back to what is stored, and takes in again, from the log itself, all that had been taken in since: the same messages, so the
// same decisions, but for the rules that are known now. Until it succeeds the partition stays void, and nothing else is done with it. The caller
// holds p.mu.
func (ps *partitions) reload(p *partition) error {
	ctx, cancel := context.WithTimeout(p.claim.Context(), reloadTimeout)
	defer cancel()
	ps.metrics.reloads.WithLabelValues(label(p.stored.Partition)).Inc()
	eval, at, err := ps.recall(ctx, p.stored)
	if err != nil {
		return err
	}
	again := &partition{stored: p.stored, at: at, told: p.told, eval: eval}
	err = ps.reread(ctx, p.stored.Partition, at.NextOffset, p.at.NextOffset, func(m bus.Record) error { return ps.take(again, m) })
	if err != nil {
		return fmt.Errorf("reloading partition %d: %w", p.stored.Partition, err)
	}
	p.at, p.eval, p.told, p.void = again.at, again.eval, again.told, false
	return nil
}
