module github.com/logmill/logmill/services/collector

go 1.26.0

require (
	github.com/logmill/logmill/migrations v0.0.0
	github.com/logmill/logmill/shared v0.0.0
)

require github.com/confluentinc/confluent-kafka-go/v2 v2.11.1 // indirect

replace github.com/logmill/logmill/migrations => ../../migrations

replace github.com/logmill/logmill/shared => ../../shared
