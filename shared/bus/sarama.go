// Package bus wires Kafka into services: Watermill subscribers whose positions live in MySQL, a publisher to explicit partitions,
// and the few questions that services ask a broker. All of it is sarama; the traps that shaped it are in docs/kafka.md.
package bus

import (
	"cmp"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
)

// Limits of the client, each with its reason.
const (
	dialTimeout    = 5 * time.Second
	ioTimeout      = 15 * time.Second       // a broker under load answers late, a dead one never; who joins a group waits for rebalanceWait at most
	sessionTimeout = 10 * time.Second       // a consumer that died is replaced after this long, unless KAFKA_SESSION_TIMEOUT says otherwise
	beats          = 5                      // heartbeats a session: four may be lost
	rebalanceWait  = 12 * time.Second       // handlers may take this long when partitions move; above a database's time-out, below ioTimeout
	channelBuffer  = 8                      // messages a partition: with ~1 MiB messages the default of 256 is 256 MiB
	maxProcessing  = 2 * time.Second        // longer, and a slow partition stalls its siblings; shorter, and it is fetched anew too often
	fetchDefault   = 2 << 20                // bytes a partition and fetch: two full messages
	fetchMaxWait   = 250 * time.Millisecond // a quiet partition costs four requests a second
	commitInterval = 500 * time.Millisecond
	maxMessage     = contract.MaxMessageBytes
)

// Nobody reads sarama's own metrics: samples of every request, and a goroutine for the life of the process.
func init() { metrics.UseNilMetrics = true }

func saramaConfig(cfg config.Kafka, clientID string) (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.ClientID = "logmill-" + clientID
	c.Version = sarama.V2_8_0_0 // zstd and topic ids need it; every broker from 2.8 on speaks it
	c.Net.DialTimeout, c.Net.ReadTimeout, c.Net.WriteTimeout = dialTimeout, ioTimeout, ioTimeout
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 3, 250*time.Millisecond
	c.Metadata.Timeout = ioTimeout
	c.Metadata.RefreshFrequency = time.Minute
	c.Metadata.AllowAutoTopicCreation = false
	c.Admin.Timeout = ioTimeout
	return c, secure(c, cfg)
}

func consumerConfig(cfg config.Kafka, clientID string) (*sarama.Config, error) {
	c, err := saramaConfig(cfg, clientID)
	c.ChannelBufferSize = channelBuffer
	c.Consumer.Return.Errors = true
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = true // commits what Claim.MarkStored marked
	c.Consumer.Offsets.AutoCommit.Interval = commitInterval
	c.Consumer.MaxProcessingTime = maxProcessing
	c.Consumer.MaxWaitTime = fetchMaxWait
	c.Consumer.Fetch.Default = fetchDefault
	session := cmp.Or(cfg.SessionTimeout, sessionTimeout)
	c.Consumer.Group.Session.Timeout = session
	c.Consumer.Group.Heartbeat.Interval = session / beats
	c.Consumer.Group.Rebalance.Timeout = rebalanceWait
	// Eager: the hook seeks in Setup, which cooperative strategies do not call for partitions added later.
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	return c, err
}

func producerConfig(cfg config.Kafka, clientID string, codec sarama.CompressionCodec) (*sarama.Config, error) {
	c, err := saramaConfig(cfg, clientID)
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent = true
	c.Net.MaxOpenRequests = 1 // idempotence needs it
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.MaxMessageBytes = maxMessage
	c.Producer.Compression = codec
	c.Producer.Timeout = ioTimeout
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 5, 300*time.Millisecond
	c.Producer.Partitioner = newPartitioner
	return c, err
}
