// Package contract is what Logmill's services promise each other and their users on Kafka: topics, keys, headers, encodings and
// limits. asyncapi.yaml says the same for people and tools; golden bytes under testdata pin it.
package contract

import "strconv"

// The topics.
const (
	TopicRaw         = "logs.raw"       // what the collector acknowledged
	TopicEnriched    = "logs.enriched"  // blocks, as stored
	TopicDead        = "logs.dead"      // what could not be processed, with the reason
	TopicAlerts      = "alerts.fired"   // alert events
	TopicAlertsState = "alerts.state"   // the last event of each alert, compacted
	TopicPositions   = "logs.positions" // how far each file and input topic has been sent, compacted; the collector's own
)

// Content types of values.
const (
	ContentTypeOTLP  = "application/x-protobuf" // ExportLogsServiceRequest
	ContentTypeJSON  = "application/json"       // a record, an array of records, or NDJSON
	ContentTypeBlock = "application/vnd.apache.parquet"
	ContentTypeEvent = "application/cloudevents+json"
)

// Consumer groups. The processor's committed offsets are its stored progress: lag displays and the collector's lag guard read them.
const (
	GroupProcessor = "logmill-processor"
	GroupEvaluator = "logmill-alert-evaluator"
)

// HeaderContentType names what the value is.
const HeaderContentType = "content-type"

// HeaderImport, "true" on a message of logs.raw, marks its records as history: stored and searchable, never evaluated by rules.
const HeaderImport = "import"

// Header is a Kafka record header.
type Header struct{ Key, Value string }

// TopicSpec is how a topic must be.
type TopicSpec struct {
	Name       string
	Partitions int32
	Config     map[string]string
}

// Retention of topics on a real Kafka, and of the development broker, which counts bytes only: it must never empty a partition.
const (
	rawRetentionMS      = 3 * 24 * 3600 * 1000 // a weekend with the processor down
	enrichedRetentionMS = 24 * 3600 * 1000     // the blocks are in MySQL as well
	alertsRetentionMS   = 7 * 24 * 3600 * 1000
	deadRetentionMS     = 30 * 24 * 3600 * 1000 // time to find out and mend
	devRetentionBytes   = 24 << 20
	devSegmentBytes     = 8 << 20
)

// Topics are the topics of an installation. embedded = the development broker: logs.raw then has neither time nor byte retention
// (the processor trims what it stored, and the collector refuses at the cap), the others keep a few megabytes a partition.
func Topics(partitions int32, embedded bool) []TopicSpec {
	return []TopicSpec{
		topic(TopicRaw, partitions, rawRetentionMS, embedded, embedded),
		topic(TopicEnriched, partitions, enrichedRetentionMS, embedded, false),
		topic(TopicDead, 1, deadRetentionMS, embedded, false),
		topic(TopicAlerts, partitions, alertsRetentionMS, embedded, false),
		compacted(topic(TopicAlertsState, partitions, -1, embedded, true)),
		compacted(topic(TopicPositions, 1, -1, embedded, true)),
	}
}

func topic(name string, partitions int32, retentionMS int, embedded, unbounded bool) TopicSpec {
	config := map[string]string{"max.message.bytes": strconv.Itoa(MaxMessageBytes), "retention.ms": strconv.Itoa(retentionMS)}
	if embedded {
		config["retention.ms"], config["segment.bytes"] = "-1", strconv.Itoa(devSegmentBytes)
		if !unbounded {
			config["retention.bytes"] = strconv.Itoa(devRetentionBytes)
		}
	}
	return TopicSpec{Name: name, Partitions: partitions, Config: config}
}

func compacted(s TopicSpec) TopicSpec {
	s.Config["cleanup.policy"] = "compact"
	return s
}

// Home is the partition that a service's records live in: murmur2 of its name, as Kafka's Java client places a key.
func Home(service string, partitions int32) int32 {
	return int32(murmur2(service)&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with Kafka's seed (org.apache.kafka.common.utils.Utils.murmur2).
func murmur2(s string) uint32 {
	const m, r = 0x5bd1e995, 24
	h := uint32(0x9747b28c) ^ uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		k := uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
		k *= m
		k ^= k >> r
		h = h*m ^ k*m
	}
	switch len(s) {
	case 3:
		h ^= uint32(s[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(s[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(s[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
