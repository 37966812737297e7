package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/testkit"
)

// BenchmarkBacklog stores a backlog of b.N messages of 1,024 lines through embedded broker, processor and MySQL; the broker's work is in it.
func BenchmarkBacklog(b *testing.B) {
	kafka, my := testkit.Kafka(b), testkit.MySQL(b)
	db := testkit.DB(b, my)
	lines := backlog(b, kafka, b.N)
	a, err := New(b.Context(), Config{MySQL: my, Kafka: kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxLate: 5 * time.Minute}, zerolog.Nop())
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	b.ResetTimer()
	go func() { done <- a.Run(ctx) }()
	stored, blocks := 0, 0
	for stored < lines && b.Elapsed() < 2*time.Minute {
		<-time.After(20 * time.Millisecond)
		require.NoError(b, db.Text.QueryRowContext(ctx, "SELECT COALESCE(SUM(row_count), 0), COUNT(*) FROM block").Scan(&stored, &blocks))
	}
	b.StopTimer()
	cancel()
	<-done
	require.Equal(b, lines, stored)
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(lines)/float64(blocks), "lines/block")
}

func backlog(b *testing.B, kafka config.Kafka, messages int) (lines int) {
	b.Helper()
	out := bus.NewPublisher(kafka, "bench", false, zerolog.Nop())
	defer out.Close()
	r := rand.New(rand.NewPCG(1, 2))
	var enc contract.Encoder
	for m := range messages {
		enc.Reset()
		for range 1024 {
			now := time.Now().UnixNano()
			enc.Add(&logrec.Record{Timestamp: now, Observed: now, Level: logrec.LevelInfo, Service: fmt.Sprintf("service-%d", r.IntN(24)),
				Message: fmt.Sprintf("request %d for customer %d done", r.IntN(1e6), r.IntN(5000)), TraceID: fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64()),
				RequestMethod: "GET", RequestPath: "/api/v1/items", ResponseStatus: 200, ResponseTimeMS: r.ExpFloat64() * 50, HasResponseTime: true})
			lines++
		}
		require.NoError(b, out.Publish(b.Context(), contract.TopicRaw, int32(m)%kafka.Partitions, nil, enc.AppendTo(nil), []contract.Header{{Key: contract.HeaderContentType, Value: contract.ContentTypeOTLP}}))
	}
	return lines
}
