package contract

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"time"
)

// AlertSchema is the JSON Schema of an alert event (draft 2020-12).
//
//go:embed schemas/alert.schema.json
var AlertSchema []byte

// Types of alert events.
const (
	AlertFiring   = "logmill.alert.firing.v1"
	AlertUpdated  = "logmill.alert.updated.v1"
	AlertResolved = "logmill.alert.resolved.v1"
)

// AlertSource is the source attribute of every alert event.
const AlertSource = "/logmill/alerting"

// AlertDataSchema is the dataschema attribute of every alert event.
const AlertDataSchema = "urn:logmill:schema:alert:1"

// AlertEvent is a CloudEvents 1.0 event of alerts.fired and alerts.state, in structured mode. Source and ID name it for ever: an event that
// comes again under them is a repeat. Sequence grows by one with each event of a fingerprint; some may be missing (withheld as history).
type AlertEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"` // <fingerprint>/<startsAt, Unix ms>/<sequence>
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Time            time.Time `json:"time"` // event time of the tick that decided
	Subject         string    `json:"subject"`
	DataContentType string    `json:"datacontenttype"`
	DataSchema      string    `json:"dataschema"`
	PartitionKey    string    `json:"partitionkey"` // the fingerprint, also the Kafka key
	Sequence        string    `json:"sequence"`     // ten digits
	Data            AlertData `json:"data"`
}

// AlertData is the body of an alert event. The schema says what each field means.
type AlertData struct {
	Status       string              `json:"status"` // firing or resolved
	Reason       string              `json:"reason,omitempty"`
	Early        bool                `json:"early,omitempty"`
	Fingerprint  string              `json:"fingerprint"`
	DedupKey     string              `json:"dedup_key,omitempty"`
	Rule         AlertRule           `json:"rule"`
	Severity     string              `json:"severity"`
	Labels       map[string]string   `json:"labels"`
	Annotations  map[string]string   `json:"annotations"`
	Team         string              `json:"team,omitempty"`
	StartsAt     time.Time           `json:"startsAt"`
	EndsAt       *time.Time          `json:"endsAt"`
	PendingSince *time.Time          `json:"pendingSince,omitempty"`
	LastTrueAt   *time.Time          `json:"lastTrueAt,omitempty"`
	Value        *float64            `json:"value"`
	Peak         *float64            `json:"peak"`
	Condition    AlertCondition      `json:"condition"`
	Window       AlertWindow         `json:"window"`
	Aggregates   map[string]*float64 `json:"aggregates,omitempty"`
	Evidence     []AlertEvidence     `json:"evidence,omitempty"`
	Links        map[string]string   `json:"links,omitempty"`
	SourceState  AlertSourceState    `json:"source_state"`
}

// AlertRule names the rule that fired.
type AlertRule struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Version     int    `json:"version"`
	Description string `json:"description,omitempty"`
}

// AlertCondition is what was compared.
type AlertCondition struct {
	Expression       string   `json:"expression"`
	Operator         string   `json:"operator"`
	Threshold        float64  `json:"threshold"`
	ResolveThreshold *float64 `json:"resolve_threshold,omitempty"`
	Filter           string   `json:"filter,omitempty"`
	ForSeconds       int      `json:"for_seconds,omitempty"`
}

// AlertWindow is the window that the value is of: (Start, End].
type AlertWindow struct {
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Seconds     int       `json:"seconds"`
	Samples     int64     `json:"samples"`
	Approximate bool      `json:"approximate,omitempty"`
}

// AlertEvidence is a log line that made the rule fire.
type AlertEvidence struct {
	Timestamp time.Time `json:"timestamp"`
	Service   string    `json:"service"`
	Level     string    `json:"level"`
	Message   string    `json:"message"` // at most 1,024 characters
	TraceID   string    `json:"trace_id,omitempty"`
	LogID     string    `json:"log_id,omitempty"`
	Kafka     string    `json:"kafka,omitempty"` // topic/partition/offset/index
}

// AlertSourceState says where in the stream the decision was taken.
type AlertSourceState struct {
	Partition  *int32    `json:"partition"` // nil for a rule over all partitions
	Offset     *int64    `json:"offset"`    // on logs.enriched
	Watermark  time.Time `json:"watermark"`
	Historical bool      `json:"historical"`
	Outbox     string    `json:"outbox,omitempty"` // <source>:<sequence>
}

// AlertID is the id of an alert's event.
func AlertID(fingerprint string, startsAt time.Time, sequence int64) string {
	return fmt.Sprintf("%s/%013d/%d", fingerprint, startsAt.UnixMilli(), sequence)
}

// Headers are the Kafka headers of an alert event: the same attributes as in CloudEvents' binary mode, so that a consumer can choose without parsing.
func (e *AlertEvent) Headers() []Header {
	return []Header{
		{HeaderContentType, ContentTypeEvent},
		{"ce_specversion", e.SpecVersion}, {"ce_id", e.ID}, {"ce_source", e.Source}, {"ce_type", e.Type},
		{"ce_time", e.Time.Format(time.RFC3339Nano)}, {"ce_subject", e.Subject}, {"ce_dataschema", e.DataSchema},
		{"ce_partitionkey", e.PartitionKey}, {"ce_sequence", e.Sequence},
	}
}

// ParseAlert reads an event of alerts.fired or alerts.state. What it does not know it passes over.
func ParseAlert(value []byte) (*AlertEvent, error) {
	var e AlertEvent
	if err := json.Unmarshal(value, &e); err != nil {
		return nil, fmt.Errorf("reading an alert event: %w", err)
	}
	if e.SpecVersion != "1.0" || e.ID == "" || e.Data.Fingerprint == "" {
		return nil, fmt.Errorf("reading an alert event: not a CloudEvent 1.0 of an alert")
	}
	return &e, nil
}

// Encode is the event as it goes on a topic.
func (e *AlertEvent) Encode() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding an alert event: %w", err)
	}
	return b, nil
}
