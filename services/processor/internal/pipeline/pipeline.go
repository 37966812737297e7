// Package pipeline is the processor's pure core: messages of logs.raw in, one block out. It decodes, enriches, decides each record's
// eval_time and the watermark after the block, and says what was poison. It knows neither Kafka nor MySQL nor a clock.
package pipeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/logmill/logmill/services/processor/internal/enrich"
	"github.com/logmill/logmill/services/processor/internal/redact"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/catalogue"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// Config of a Pipeline.
type Config struct {
	Partition  int32
	Partitions int32 // of logs.raw: decides which services are at home here
	MaxLate    time.Duration
	Enrich     enrich.Config
	Catalogue  func() (c *catalogue.Catalogue, version int) // of services and redaction; nil: Enrich's, and nothing is redacted
	ZstdLevel  int                                          // of blocks; 0 = the block package's default
}

// Message is one message of logs.raw.
type Message struct {
	Offset      int64
	Time        int64 // Kafka's timestamp, ns
	ContentType string
	Import      bool // history: stored, never evaluated
	Key, Value  []byte
	Identity    contract.Identity // which batch it is, if its producer said so
	Request     contract.Request  // whose records it has, if the client said so
	Replay      contract.Replay   // which dead letter it is, if it is one that was sent once more
	Only        Rows              // of a replay: the records that are not stored; empty = all
}

// Dead is a message that could not be read, wholly or in part.
type Dead struct {
	Message Message
	Reason  string // for people
	Kind    string // for metrics: undecodable, rejected_rows, panic, idempotency_conflict
	Rows    Rows   // that are not stored; empty = all
}

// Stats count what happened to the records of a block.
type Stats struct {
	Rows, Bytes int // Bytes of message values
	Late        int
	Unevaluated [reasonsEnd]int
	Misplaced   int // records of services that are at home on another partition
	Rejected    int
	Redacted    map[string]int // finds, by redaction
}

// Output is what Finish makes. Records are sorted as in the block and live until the next Begin; the block is the caller's to keep.
type Output struct {
	Block       block.Block // empty when Rows is 0
	Records     []logrec.Record
	Watermark   int64 // the partition's after this block, ns
	MaxObserved int64 // ns; 0 when there are no records
	Dead        []Dead
	Stats       Stats
}

// Pipeline turns messages into blocks, one block at a time: Begin, Add…, Finish. Not safe for concurrent use.
type Pipeline struct {
	cfg      Config
	enricher *enrich.Enricher
	redactor *redact.Redactor
	version  int // of the catalogue in use
	builder  *block.Builder
	batch    contract.Batch

	now, watermark int64
	maxObserved    int64
	dead           []Dead
	stats          Stats

	service string // of the record before
	clean   string // its name as it can be stored
	away    bool   // it is not at home on this partition
}

// New makes a Pipeline.
func New(cfg Config) (*Pipeline, error) {
	builder, err := block.NewBuilder(block.Options{Level: cfg.ZstdLevel})
	if err != nil {
		return nil, fmt.Errorf("making the block builder: %w", err)
	}
	return &Pipeline{cfg: cfg, enricher: enrich.New(cfg.Enrich), redactor: redact.New(catalogue.Redaction{}), builder: builder}, nil
}

// noService is what no record can be of: names are UTF-8.
const noService = "\xff"

// Begin starts a block. now is MySQL's clock and watermark the partition's, both ns.
func (p *Pipeline) Begin(now, watermark int64) {
	p.batch.Reset()
	p.enricher.Reset()
	p.now, p.watermark, p.maxObserved = now, watermark, 0
	p.dead, p.stats = nil, Stats{}
	p.look()
	p.service, p.away = noService, false
}

// Add decodes m into the block. Its value must stay untouched until Finish has returned. What cannot be read is kept as dead;
// Add never fails and never panics.
func (p *Pipeline) Add(m Message) {
	from := len(p.batch.Records)
	rejected := len(p.batch.Rejected)
	p.stats.Bytes += len(m.Value)
	if kind, err := p.decode(m); err != nil {
		p.batch.Records = p.batch.Records[:from]
		p.batch.Rejected = p.batch.Rejected[:rejected]
		p.bury(m, kind, err.Error(), m.Only)
		return
	}
	if bad := p.batch.Rejected[rejected:]; len(bad) > 0 {
		p.reject(m, bad)
	}
	p.stats.Rows = len(p.batch.Records)
}

// reject keeps m as dead for some of its records. A replay's that are stored are no matter any more.
func (p *Pipeline) reject(m Message, bad []contract.Rejected) {
	rows := rowsOf(bad)
	if len(m.Only) > 0 {
		if rows = rows.and(m.Only); len(rows) == 0 {
			return
		}
	}
	p.stats.Rejected += len(bad)
	p.bury(m, "rejected_rows", rejectedReason(bad), rows)
}

// Refuse keeps m as dead, unread.
func (p *Pipeline) Refuse(m Message, kind, reason string) {
	p.stats.Bytes += len(m.Value)
	p.bury(m, kind, reason, m.Only)
}

// Full says that the block has its worth of rows or bytes.
func (p *Pipeline) Full() bool { return p.stats.Rows >= MaxRows || p.stats.Bytes >= MaxBytes }

// Rows in the block so far.
func (p *Pipeline) Rows() int { return p.stats.Rows }

// Finish builds the block. An error means that these messages together make no block, whatever is tried.
func (p *Pipeline) Finish() (out Output, err error) {
	defer func() {
		if r := recover(); r != nil { // a defect, but one that must not stop the partition for ever
			err = fmt.Errorf("building a block: panic: %v", r)
		}
	}()
	recs := p.batch.Records
	out = Output{Records: recs, Watermark: p.watermark, Dead: p.dead, Stats: p.stats}
	if len(recs) == 0 {
		return out, nil
	}
	p.builder.Sort(recs)
	number(recs)
	if out.Block, err = p.builder.Build(recs); err != nil {
		return Output{}, fmt.Errorf("building a block of %d rows: %w", len(recs), err)
	}
	out.MaxObserved, out.Stats.Redacted = p.maxObserved, p.redactor.Take()
	out.Watermark = nextWatermark(p.watermark, p.now, p.maxObserved)
	return out, nil
}

// number gives records, which are in the block's order, their rows: a message's records count up in the order of time. In the order in
// which they came the rows would be noise in the block, a byte and a half a line. Ids are final once the block is committed, not before.
func number(recs []logrec.Record) {
	next := map[int64]int32{}
	for i := range recs {
		row := next[recs[i].SrcOffset]
		recs[i].SrcRow, next[recs[i].SrcOffset] = row, row+1
	}
}

// decode reads m and enriches its records. A panic of a parser is turned into poison: garbage must not stall the partition.
func (p *Pipeline) decode(m Message) (kind string, err error) {
	defer func() {
		if r := recover(); r != nil {
			kind, err = "panic", fmt.Errorf("decoding panicked: %v", r)
		}
	}()
	from, saved := len(p.batch.Records), p.stats
	if err := p.batch.DecodeRaw(m.ContentType, m.Value, m.Offset); err != nil {
		return "undecodable", err
	}
	if len(m.Only) > 0 {
		keep(&p.batch, from, m.Only)
	}
	maxObserved := p.maxObserved
	defer func() {
		if r := recover(); r != nil {
			p.stats, p.maxObserved = saved, maxObserved
			panic(r)
		}
	}()
	for i := from; i < len(p.batch.Records); i++ {
		p.record(&p.batch.Records[i], m)
	}
	return "", nil
}

func (p *Pipeline) record(rec *logrec.Record, m Message) {
	rec.Observed = observedAt(rec.Observed, m.Time, p.now)
	p.maxObserved = max(p.maxObserved, rec.Observed)
	if rec.Service != p.service {
		p.newService(rec.Service)
	}
	rec.Service = p.clean
	p.enricher.Record(rec, rec.Observed)
	eval, late, why := evalTime(rec.Timestamp, rec.Observed, p.watermark, int64(p.cfg.MaxLate))
	if m.Import {
		eval, late, why = 0, false, Imported
	}
	rec.EvalTime = eval
	p.stats.Unevaluated[why]++
	if late {
		p.stats.Late++
	}
	if !p.redactor.Empty() {
		p.redactor.Record(rec)
	}
	if p.away {
		p.stats.Misplaced++
	}
}

// look takes a catalogue in that has changed.
func (p *Pipeline) look() {
	if p.cfg.Catalogue == nil {
		return
	}
	c, version := p.cfg.Catalogue()
	if version != p.version {
		p.version, p.redactor = version, redact.New(c.Redaction)
		p.enricher.Use(c)
	}
}

// newService looks at a service's name once for a run of records: where it is at home, and how it can be stored.
func (p *Pipeline) newService(name string) {
	p.service = name
	p.away = contract.Home(name, p.cfg.Partitions) != p.cfg.Partition
	p.clean = name
	if len(name) > maxServiceBytes {
		p.clean = name[:maxServiceBytes]
	}
	p.clean = strings.ToValidUTF8(p.clean, "")
}

func (p *Pipeline) bury(m Message, kind, reason string, rows Rows) {
	if len(reason) > maxReasonBytes {
		reason = strings.ToValidUTF8(reason[:maxReasonBytes], "") + " …"
	}
	p.dead = append(p.dead, Dead{Message: m, Kind: kind, Reason: reason, Rows: rows})
}

func rejectedReason(bad []contract.Rejected) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d records rejected", len(bad))
	for i, r := range bad {
		if i == maxReasonsNamed {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; row %d: %s", r.Row, r.Reason)
	}
	return b.String()
}
