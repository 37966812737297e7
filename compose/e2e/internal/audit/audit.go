// Package audit compares what was sent with what is stored, counted and published, line by line.
package audit

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/IBM/sarama"

	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/counts"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

// Attribute is the attribute that names a line.
const Attribute = "line_id"

// Report is what an audit found.
type Report struct {
	Sent, Acked, Stored int
	UnknownStored       int // stored, though nobody was told so
	Repeated            int // messages that logs.raw has twice
	RepeatedRequests    int // messages of requests, with an Idempotency-Key, that logs.raw has already
	Lost, Double        []string
	Problems            []string // everything else that must be equal and is not

	records  map[string]uint64  // stored, by id
	ingested map[place]ingested // blocks as they were made, as far as merging has left their rows
}

// OK tells whether all promises held.
func (r Report) OK() bool { return len(r.Lost)+len(r.Double)+len(r.Problems) == 0 }

func (r Report) String() string {
	return fmt.Sprintf("sent %d, acknowledged %d, stored %d (%d of them unanswered), messages twice on logs.raw %d and of repeated requests %d, lost %d, double %d, other problems %d %q", r.Sent, r.Acked, r.Stored,
		r.UnknownStored, r.Repeated, r.RepeatedRequests, len(r.Lost), len(r.Double), len(r.Problems), r.Problems[:min(5, len(r.Problems))])
}

// key is a window's.
type key struct {
	start   int64 // s
	service string
	level   logrec.Level
}

// place is where a block begins.
type place struct {
	part int32
	from int64
}

// ingested is what the headers on logs.enriched must say of a block.
type ingested struct {
	to, prev, watermark int64
	rows                int
	checksum            uint32
}

// stored is what MySQL has of one block.
type stored struct {
	part int32
	from int64
	data []byte
}

// Run audits an installation. sent are all ids, the value says whether they were acknowledged.
func Run(ctx context.Context, my config.MySQL, kafka config.Kafka, sent map[string]bool) (Report, error) {
	db, err := mysqlx.Open(my)
	if err != nil {
		return Report{}, err
	}
	defer func() { _ = db.Close() }()
	r := Report{Sent: len(sent)}
	blocks, err := readBlocks(ctx, db.Blob)
	if err != nil {
		return r, err
	}
	lines, err := r.lines(blocks, sent)
	if err != nil {
		return r, err
	}
	if err := r.windows(ctx, db.Text, lines); err != nil {
		return r, err
	}
	if err := r.raw(kafka); err != nil {
		return r, err
	}
	if r.ingested, err = readIngested(ctx, db.Text); err != nil {
		return r, err
	}
	return r, r.enriched(kafka)
}

// readIngested reads how blocks were made. Merging leaves the rows of a merged block's parts for a while, COMPACTION_AFTER=0 for ever.
func readIngested(ctx context.Context, db *sql.DB) (map[place]ingested, error) {
	rows, err := db.QueryContext(ctx, `SELECT part, from_offset, to_offset, prev_to, watermark_ns, row_count, checksum FROM block WHERE generation = 0`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[place]ingested{}
	for rows.Next() {
		var at place
		var b ingested
		if err := rows.Scan(&at.part, &at.from, &b.to, &b.prev, &b.watermark, &b.rows, &b.checksum); err != nil {
			return nil, err
		}
		out[at] = b
	}
	return out, rows.Err()
}

func readBlocks(ctx context.Context, db *sql.DB) ([]stored, error) {
	rows, err := db.QueryContext(ctx, `SELECT b.part, b.from_offset, d.data FROM block b JOIN block_data d ON d.block_id = b.id AND d.day = b.day WHERE b.retired_seq IS NULL ORDER BY b.part, b.from_offset`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []stored
	for rows.Next() {
		var s stored
		if err := rows.Scan(&s.part, &s.from, &s.data); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// lines counts each line, and compares with what was sent.
func (r *Report) lines(blocks []stored, sent map[string]bool) (map[key]uint64, error) {
	seen, lines := map[string]int{}, map[key]uint64{}
	r.records = map[string]uint64{}
	for _, b := range blocks {
		err := eachRecord(b.data, func(rec *logrec.Record) {
			lines[key{windowOf(rec.Timestamp), rec.Service, rec.Level}]++
			id := idOf(b.part, rec)
			if _, twice := r.records[id]; twice {
				r.Problems = append(r.Problems, "record id twice: "+id)
			}
			r.records[id] = sumOf(rec)
			seen[uid(*rec)]++
		})
		if err != nil {
			return nil, fmt.Errorf("block %d/%d: %w", b.part, b.from, err)
		}
	}
	r.compare(seen, sent)
	return lines, nil
}

func uid(rec logrec.Record) string {
	for _, a := range rec.Attributes {
		if a.Key == Attribute {
			return a.Value
		}
	}
	return ""
}

func (r *Report) compare(seen map[string]int, sent map[string]bool) {
	for id, n := range seen {
		r.Stored += n
		if n > 1 {
			r.Double = append(r.Double, id)
		}
		acked, known := sent[id]
		if !known {
			r.Problems = append(r.Problems, "never sent: "+id)
		} else if !acked {
			r.UnknownStored++
		}
	}
	for id, acked := range sent {
		if acked {
			r.Acked++
			if seen[id] == 0 {
				r.Lost = append(r.Lost, id)
			}
		}
	}
}

// windowOf a time, ns: when it begins, s.
func windowOf(ns int64) int64 { return ns/1e9 - ((ns/1e9)%10+10)%10 }

// windows compares each window's counts with the stored lines.
func (r *Report) windows(ctx context.Context, db *sql.DB, lines map[key]uint64) error {
	have := map[key]uint64{}
	if err := values(ctx, db, have); err != nil {
		return err
	}
	hours := map[key]uint64{}
	for k, n := range lines {
		hours[key{k.start - ((k.start%3600)+3600)%3600, k.service, k.level}] += n
	}
	if err := r.hours(ctx, db, hours); err != nil {
		return err
	}
	for k, n := range lines {
		if have[k] != n {
			r.Problems = append(r.Problems, fmt.Sprintf("windows count %d of %v, stored are %d", have[k], k, n))
		}
	}
	for k, n := range have {
		if lines[k] == 0 && n != 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("windows count %d of %v, none is stored", n, k))
		}
	}
	return nil
}

// hours compares each hour's counts with the stored lines.
func (r *Report) hours(ctx context.Context, db *sql.DB, lines map[key]uint64) error {
	have := map[key]uint64{}
	for l, column := range []string{"line_count - trace_count - debug_count - info_count - warn_count - error_count - fatal_count",
		"trace_count", "debug_count", "info_count", "warn_count", "error_count", "fatal_count"} {
		if err := hoursOf(ctx, db, logrec.Level(l), column, have); err != nil {
			return err
		}
	}
	for k, n := range lines {
		if have[k] != n {
			r.Problems = append(r.Problems, fmt.Sprintf("hours count %d of %v, stored are %d", have[k], k, n))
		}
		delete(have, k)
	}
	for k, n := range have {
		r.Problems = append(r.Problems, fmt.Sprintf("hours count %d of %v, none is stored", n, k))
	}
	return nil
}

// hoursOf reads a level's counts.
func hoursOf(ctx context.Context, db *sql.DB, level logrec.Level, column string, have map[key]uint64) error {
	rows, err := db.QueryContext(ctx, `SELECT start_s, service, SUM(`+column+`) AS n FROM service_hour GROUP BY start_s, service HAVING n > 0`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		k := key{level: level}
		var n uint64
		if err := rows.Scan(&k.start, &k.service, &n); err != nil {
			return err
		}
		have[k] = n
	}
	return rows.Err()
}

// values adds up what window_data says. Of log_window, which processors of this build do not write, nothing may be there.
func values(ctx context.Context, db *sql.DB, have map[key]uint64) error {
	rows, err := db.QueryContext(ctx, `SELECT start_s, line_count, data FROM window_data UNION ALL SELECT start_s, 0, '' FROM log_window`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var start int64
		var lines, sum uint64
		var data []byte
		if err := rows.Scan(&start, &lines, &data); err != nil {
			return err
		}
		err := counts.Each(data, func(c *counts.Row) {
			have[key{start, c.Service, c.Level}] += c.Lines
			sum += c.Lines
		})
		if err != nil || sum != lines {
			return fmt.Errorf("window %d says %d lines and counts %d: %w", start, lines, sum, err)
		}
	}
	return rows.Err()
}

// enriched reads logs.enriched from its beginning: each block as it was made, each record that is stored, as it is stored, none more and
// none less. What was published is also compared by its records: merging may have replaced the blocks since.
func (r *Report) enriched(cfg config.Kafka) error {
	seen := map[place]ingested{}
	err := each(cfg, contract.TopicEnriched, func(_ int32, headers map[string]string, value []byte) error {
		h, err := contract.ParseEnriched(headers)
		if err != nil || h.Heartbeat() {
			return err
		}
		at, b := place{h.Partition, h.From}, ingested{h.To, h.Prev, h.Watermark, h.Rows, h.Checksum}
		if was, again := seen[at]; again {
			if was != b {
				r.Problems = append(r.Problems, fmt.Sprintf("published twice, and not the same: %v: %v, then %v", at, was, b))
			}
			return nil
		}
		seen[at] = b
		if made, ok := r.ingested[at]; ok && made != b {
			r.Problems = append(r.Problems, fmt.Sprintf("published otherwise than made: %v: %v, made was %v", at, b, made))
		}
		return r.published(h.Partition, value)
	})
	for id := range r.records {
		r.Problems = append(r.Problems, "stored, but not published: "+id)
	}
	return err
}

// published takes the records of a block off the list of those that have yet to be seen on logs.enriched.
func (r *Report) published(part int32, value []byte) error {
	return eachRecord(value, func(rec *logrec.Record) {
		id := idOf(part, rec)
		switch sum, ok := r.records[id]; {
		case !ok:
			r.Problems = append(r.Problems, "published, but not stored, or published twice: "+id)
		case sum != sumOf(rec):
			r.Problems = append(r.Problems, "published otherwise than stored: "+id)
		}
		delete(r.records, id)
	})
}

func idOf(part int32, rec *logrec.Record) string {
	return logrec.ID{Stream: 1, Partition: part, Offset: rec.SrcOffset, Row: rec.SrcRow}.String()
}

// sumOf tells records apart by all that they hold.
func sumOf(rec *logrec.Record) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%+v", *rec) // a hash takes everything
	return h.Sum64()
}

func eachRecord(data []byte, f func(*logrec.Record)) error {
	rd, err := block.Open(data)
	if err != nil {
		return err
	}
	recs, err := rd.Records(nil)
	for i := range recs {
		f(&recs[i])
	}
	return err
}

// raw counts what a broker wrote twice, and checks what dropping it builds on: but for repeats, each producer's numbers only grow.
func (r *Report) raw(cfg config.Kafka) error {
	type source struct {
		part     int32
		producer contract.ProducerID
	}
	newest := map[source]int64{}
	seen := map[source]map[int64]bool{}
	type home struct {
		part int32
		contract.Request
	}
	requests := map[home]int{}
	return each(cfg, contract.TopicRaw, func(part int32, headers map[string]string, _ []byte) error {
		id := contract.ParseIdentity(headers)
		if req := contract.ParseRequest(headers); req != (contract.Request{}) {
			if requests[home{part, req}]++; requests[home{part, req}] > 1 {
				r.RepeatedRequests++
			}
		}
		if id.Sequence == 0 {
			return nil
		}
		from := source{part, id.Producer}
		if seen[from] == nil {
			seen[from] = map[int64]bool{}
		}
		switch {
		case seen[from][id.Sequence]:
			r.Repeated++
		case id.Sequence < newest[from]:
			r.Problems = append(r.Problems, fmt.Sprintf("out of order on logs.raw: partition %d, producer %x, %d after %d", part, id.Producer, id.Sequence, newest[from]))
		}
		seen[from][id.Sequence] = true
		newest[from] = max(newest[from], id.Sequence)
		return nil
	})
}

// each reads a topic from its beginning to its end as it is now.
func each(cfg config.Kafka, topic string, f reader) error {
	client, err := bus.NewClient(cfg, "audit")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	end, err := client.EndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, err := client.StartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	c := sarama.NewConfig()
	c.Version, c.Consumer.IsolationLevel = sarama.V2_8_0_0, sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(cfg.Brokers, c)
	if err != nil {
		return err
	}
	defer func() { _ = consumer.Close() }()
	for p, e := range end {
		last, err := lastRecord(ctx, client, topic, p, start[p], e)
		if err != nil {
			return err
		}
		if err := readPartition(ctx, consumer, cfg.Topic(topic), p, start[p], last+1, f); err != nil {
			return err
		}
	}
	return nil
}

// lastRecord is the offset of the last record below end, start−1 for none: at a topic's end there may be markers of transactions only.
func lastRecord(ctx context.Context, c *bus.Client, topic string, p int32, start, end int64) (int64, error) {
	const look = 64 // more markers than transactions leave in a row
	for from := max(start, end-look); ; from = max(start, from-look) {
		last := start - 1
		for at := from; at < end; {
			next, err := c.Vacant(ctx, topic, p, at)
			if err != nil {
				return 0, err
			}
			if next == at {
				last, next = at, at+1
			}
			at = next
		}
		if last >= start || from == start {
			return last, nil
		}
	}
}

type reader func(part int32, headers map[string]string, value []byte) error

func readPartition(ctx context.Context, c sarama.Consumer, topic string, p int32, start, end int64, f reader) error {
	if start >= end {
		return nil
	}
	pc, err := c.ConsumePartition(topic, p, start)
	if err != nil {
		return err
	}
	defer func() { _ = pc.Close() }()
	for {
		select {
		case m := <-pc.Messages():
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[string(h.Key)] = string(h.Value)
			}
			if err := f(p, headers, m.Value); err != nil {
				return err
			}
			if m.Offset+1 >= end {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("reading %s/%d: %w", topic, p, ctx.Err())
		}
	}
}

// AwaitStored waits until all of logs.raw is stored and counted in windows.
func AwaitStored(ctx context.Context, my config.MySQL, kafka config.Kafka) error {
	db, err := mysqlx.Open(my)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	last := error(nil)
	for {
		if last = stillWaiting(ctx, db.Text, kafka); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not everything was stored in time: %w", last)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func stillWaiting(ctx context.Context, db *sql.DB, kafka config.Kafka) error {
	client, err := bus.NewClient(kafka, "audit")
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	end, err := client.EndOffsets(ctx, contract.TopicRaw)
	if err != nil {
		return err
	}
	for p, e := range end {
		var next, windows int64
		if err := db.QueryRowContext(ctx, `SELECT next_offset, windows_through FROM partition_progress WHERE part = ?`, p).Scan(&next, &windows); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
		if next < e || windows < e {
			return fmt.Errorf("partition %d is stored to %d, counted to %d, of %d", p, next, windows, e)
		}
	}
	return nil
}
