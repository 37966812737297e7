package app

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/services/processor/internal/worker"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

// TestZombies: three workers believe that they own the same partition, and all of them are fed. It fails in a build with mutant_nofence.
func TestZombies(t *testing.T) {
	t.Parallel()
	s := newSystem(t, testkit.Kafka(t))
	st, err := store.New(t.Context(), s.db.Text, s.db.Blob)
	require.NoError(t, err)
	stream, err := st.Stream(t.Context(), "c", contract.TopicRaw, "id", s.kafka.Partitions)
	require.NoError(t, err)
	log := kafkaLog{testkit.BusClient(t, s.kafka)}
	blocks := bus.NewPublisher(s.kafka, "blocks", true, zerolog.Nop())
	t.Cleanup(func() { _ = blocks.Close() })
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var workers []*worker.Worker
	for i := range 3 {
		p, err := st.Acquire(t.Context(), stream, 0, fmt.Sprint("owner ", i))
		require.NoError(t, err)
		w, err := worker.New(worker.Config{Pipeline: pipeline.Config{Partitions: s.kafka.Partitions, MaxLate: time.Minute}},
			worker.Deps{Progress: st, Blocks: st, Windows: st, Requests: st, Letters: st, Log: log, Enriched: blocks, Dead: s.out, Decode: worker.DecodeBlock,
				Now:     func() int64 { return time.Now().UnixNano() },
				Metrics: worker.NewMetrics(prometheus.NewRegistry()), Logger: zerolog.Nop()}, p, func(int64) {})
		require.NoError(t, err)
		wg.Go(func() { w.Run(ctx) })
		workers = append(workers, w)
	}
	for offset := range int64(300) {
		var enc contract.Encoder
		now := time.Now().UnixNano()
		enc.Add(&logrec.Record{Service: "s", Level: logrec.LevelError, Message: fmt.Sprintf("m-%d", offset), Timestamp: now, Observed: now})
		s.sent++
		s.publish(t, 0, contract.ContentTypeOTLP, enc.AppendTo(nil)) // the workers compare positions with the log
		for _, w := range workers {
			require.NoError(t, w.Put(t.Context(), pipeline.Message{Offset: offset, ContentType: contract.ContentTypeOTLP, Value: enc.AppendTo(nil), Time: now}))
		}
	}
	s.requireExact(t)
	cancel()
	wg.Wait()
	require.NoError(t, st.Close())
}
