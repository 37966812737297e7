// Package alertlog reads what an evaluator has decided, from MySQL and from alerts.fired, so that two runs can be compared to the byte.
package alertlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/logmill/logmill/shared/contract"
)

// Row is an event of the outbox.
type Row struct {
	Source      string
	Seq         int64
	Fingerprint string
	Tick        int64 // ns
	Event       string
}

// Outbox is everything that rules have decided, by source and number. Meta alerts, which tell of the evaluator itself, follow the clock, not
// the log, and are left out here and in Events.
func Outbox(ctx context.Context, db *sql.DB) (out []Row, err error) {
	err = each(ctx, db, `SELECT source, seq, fingerprint, tick_ns, event FROM alert_outbox WHERE source <> 'm' ORDER BY source, seq`, func(scan func(...any) error) error {
		var r Row
		defer func() { out = append(out, r) }()
		return scan(&r.Source, &r.Seq, &r.Fingerprint, &r.Tick, &r.Event)
	})
	return out, err
}

// Episode is a row of the history.
type Episode struct {
	Fingerprint          string
	Starts, Final, Ends  int64 // ns; Starts as announced
	Rule                 int64
	Version              int
	Value, Peak          sql.NullFloat64
	Reason, Ack, Service string
	Event                string
}

// Episodes is the history, by fingerprint and start.
func Episodes(ctx context.Context, db *sql.DB) (out []Episode, err error) {
	err = each(ctx, db, `SELECT fingerprint, starts_ns, final_starts_ns, ends_ns, rule_id, rule_version, value, peak, reason, ack_by, service, event FROM alert_instance WHERE rule_id > 0 ORDER BY fingerprint, starts_ns`,
		func(scan func(...any) error) error {
			var e Episode
			defer func() { out = append(out, e) }()
			return scan(&e.Fingerprint, &e.Starts, &e.Final, &e.Ends, &e.Rule, &e.Version, &e.Value, &e.Peak, &e.Reason, &e.Ack, &e.Service, &e.Event)
		})
	return out, err
}

func each(ctx context.Context, db *sql.DB, query string, f func(scan func(...any) error) error) (err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Differs is the first difference of two runs, "" for none: whole outboxes are too long to print.
func Differs[T comparable](what string, calm, other []T) string {
	for i := range max(len(calm), len(other)) {
		if i >= len(calm) || i >= len(other) || calm[i] != other[i] {
			return fmt.Sprintf("%s %d of %d (calm) and %d:\n%+v\n%+v", what, i, len(calm), len(other), calm[i:min(i+1, len(calm))], other[i:min(i+1, len(other))])
		}
	}
	return ""
}

// Relayed checks a topic against the outbox: for each alert every event is there, in order, and whatever was sent again was sent again from
// some earlier event on without leaving one out, so that the last is the newest. "" for none.
func Relayed(outbox []Row, topic []*contract.AlertEvent) string {
	order := map[string][]string{} // ids of each fingerprint
	for i := range outbox {
		e, err := contract.ParseAlert([]byte(outbox[i].Event))
		if err != nil {
			return err.Error()
		}
		order[outbox[i].Fingerprint] = append(order[outbox[i].Fingerprint], e.ID)
	}
	at := map[string]int{} // of each fingerprint, how many the topic has come to
	for i, e := range topic {
		fp := e.Data.Fingerprint
		place := indexOf(order[fp], e.ID)
		switch {
		case place < 0:
			return fmt.Sprintf("message %d: event %s was never decided", i, e.ID)
		case place > at[fp]:
			return fmt.Sprintf("message %d: event %s comes behind number %d of its alert, and is number %d", i, e.ID, at[fp], place+1)
		}
		at[fp] = place + 1
	}
	var wrong []string
	for fp, ids := range order {
		if at[fp] != len(ids) {
			wrong = append(wrong, fmt.Sprintf("alert %s ends with its event %d of %d", fp, at[fp], len(ids)))
		}
	}
	return strings.Join(wrong, "\n")
}

func indexOf(ids []string, id string) int {
	for i := range ids {
		if ids[i] == id {
			return i
		}
	}
	return -1
}
