package bridge

import (
	"context"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
)

// rebuild reads a partition of alerts.state from its start to what is its end now. Both alert topics place by fingerprint over the same
// number of partitions, so it holds the alerts of the same partition of alerts.fired. It fails only when ctx ends; f may see records again then.
func (c *consumer) rebuild(ctx context.Context, partition int32, f func(key, value []byte)) error {
	return app.Retry(ctx, c.log, "alerts.state", nil, func(ctx context.Context) error {
		end, err := c.client.EndOffset(ctx, contract.TopicAlertsState, partition)
		if err != nil {
			return err
		}
		return c.client.Read(ctx, contract.TopicAlertsState, partition, 0, end, func(r bus.Record) error {
			f(r.Key, r.Value)
			return nil
		})
	})
}
