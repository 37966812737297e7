package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// What a processor does with time (design §4).
const (
	maxLate      = 5 * time.Minute
	watermarkLag = 500 * time.Millisecond
)

// timeline writes what a processor would have written, at scripted moments.
type timeline struct {
	w         *world
	next      map[int32]int64
	watermark map[int32]time.Time
	unheard   bool // blocks are stored and do not come to logs.enriched
}

func (w *world) timeline() *timeline {
	return &timeline{w: w, next: map[int32]int64{}, watermark: map[int32]time.Time{}}
}

// log is n lines of a service, received at a moment, from a sender whose clock is skew ahead.
func (l *timeline) log(service string, received time.Time, skew time.Duration, level logrec.Level, n int) {
	p := contract.Home(service, l.w.kafka.Partitions)
	recs := make([]logrec.Record, n)
	for i := range recs {
		stamp := received.Add(skew + time.Duration(i)*time.Microsecond)
		recs[i] = logrec.Record{Timestamp: stamp.UnixNano(), Observed: received.UnixNano(), Service: service, Level: level, Message: fmt.Sprintf("line of %s", service)}
		seen := stamp
		if limit := received.Add(time.Second); seen.After(limit) {
			seen = limit
		}
		if !seen.After(l.watermark[p]) {
			seen = l.watermark[p].Add(1)
		}
		if !stamp.Before(received.Add(-maxLate)) {
			recs[i].EvalTime = seen.UnixNano()
		}
	}
	l.watermark[p] = received.Add(-watermarkLag)
	if l.unheard {
		for i := range recs {
			recs[i].SrcOffset, recs[i].SrcRow = l.next[p], int32(i)
		}
		l.w.store(p, l.next[p], l.next[p], l.next[p]-1, recs)
	} else {
		l.w.block(p, l.next[p], l.watermark[p], recs)
	}
	l.next[p]++
}

// quiet is a heartbeat of every partition.
func (l *timeline) quiet(now time.Time) {
	for p := range l.w.kafka.Partitions {
		l.watermark[p] = now.Add(-watermarkLag)
		l.w.heartbeat(p, l.next[p], l.watermark[p])
	}
}

// settled waits until everything up to a moment is decided, and what is to be told of it is told; it returns that.
func (l *timeline) settled(end time.Time) []*contract.AlertEvent {
	w := l.w
	w.t.Helper()
	last := map[int32]int64{}
	for p := range w.kafka.Partitions {
		last[p] = end.Add(-watermarkLag).UnixNano()
	}
	w.done(last, func() {})
	var told int
	require.Eventually(w.t, func() bool {
		// Withheld, still firing and not yet told: that is what catching up has to do.
		var owed int
		require.NoError(w.t, w.db.Text.QueryRow(`SELECT COUNT(*) FROM alert_instance i WHERE i.ends_ns = 0 AND NOT EXISTS (SELECT 1 FROM alert_outbox o WHERE o.fingerprint = i.fingerprint AND o.sent = 1)`).Scan(&owed))
		var waiting int // counted last: what was owed may just have been told
		require.NoError(w.t, w.db.Text.QueryRow(`SELECT COALESCE(SUM(sent = 0), 0), COALESCE(SUM(sent = 1), 0) FROM alert_outbox`).Scan(&waiting, &told))
		return waiting == 0 && owed == 0
	}, 2*time.Minute, 100*time.Millisecond)
	return w.fired(contract.TopicAlerts, func(es []*contract.AlertEvent) bool { return len(es) >= told })
}

// say is what events said, in the order of their times: second of the script, alert, status, reason.
func say(es []*contract.AlertEvent, t0 time.Time) map[string][]string {
	out := map[string][]string{}
	for _, e := range es {
		name := e.Data.Rule.Name
		if s := e.Data.Labels["service"]; s != "" {
			name += " " + s
		}
		out[name] = append(out[name], fmt.Sprintf("%g %s %s", e.Time.Sub(t0).Seconds(), e.Data.Status, e.Data.Reason))
	}
	return out
}

var everyService = rule.Rule{Condition: "COUNT(*)", GroupBy: []string{"service"}, Operator: "<", Threshold: 1}

// TestQuietAndSilent: a service with a line now and then is watched as promptly as a busy one, and one that falls silent is noticed when its window is
// empty; whoever merely waits is neither.
func TestQuietAndSilent(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		t0 := time.Now().Add(-2 * time.Minute).Truncate(time.Minute).UTC()
		silent := everyService
		silent.Name, silent.TimeWindow = "silent", rule.Window(10*time.Second)
		w.addRule(1, t0, silent)
		w.addRule(2, t0, rule.Rule{Name: "fatal", Condition: "COUNT(CASE WHEN level = 'fatal' THEN 1 END)", Filter: "service = 'quiet'", Threshold: 1, TimeWindow: rule.Window(10 * time.Second)})
		w.addRule(3, t0, rule.Rule{Name: "ratio", Condition: "COUNT(CASE WHEN level = 'fatal' THEN 1 END) * 100.0 / COUNT(*)", Filter: "service = 'quiet'", Threshold: 1, MinSamples: 5, TimeWindow: rule.Window(10 * time.Second)})
		w.addRule(4, t0, rule.Rule{Name: "few services", Condition: "COUNT(DISTINCT service)", Operator: "<", Threshold: 1, TimeWindow: rule.Window(10 * time.Second)})
		_, stop := w.run()
		l := w.timeline()
		for second := 0; second <= 60; second++ {
			now := t0.Add(time.Duration(second) * time.Second)
			l.quiet(now)
			l.log("busy", now.Add(100*time.Millisecond), 0, logrec.LevelInfo, 3)
			if second < 20 || second == 45 {
				l.log("silent", now.Add(200*time.Millisecond), 0, logrec.LevelInfo, 1)
			}
			if second == 33 {
				l.log("quiet", now.Add(300*time.Millisecond), 0, logrec.LevelFatal, 1)
			}
		}
		l.quiet(t0.Add(61 * time.Second))
		got := say(l.settled(t0.Add(61*time.Second)), t0)
		stop()
		require.Equal(t, map[string][]string{
			"silent silent": {"30 firing condition", "45.25 resolved condition", "56 firing condition"},
			"silent quiet":  {"44 firing condition"},
			"fatal quiet":   {"33.5 firing condition", "44 resolved condition"},
		}, got)
	})
}

// TestSkewedSenders: senders whose clocks are ten minutes ahead or behind make nothing fire at a wrong time, and hold nobody else up. Lines with clocks
// further behind than MAX_LATE are stored and never evaluated, so rules on them say nothing.
func TestSkewedSenders(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		t0 := time.Now().Add(-2 * time.Minute).Truncate(time.Minute).UTC()
		w.addRule(1, t0, rule.Rule{Name: "errors", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", GroupBy: []string{"service"}, Threshold: 3, TimeWindow: rule.Window(10 * time.Second)})
		w.addRule(2, t0, rule.Rule{Name: "all errors", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", Threshold: 3, TimeWindow: rule.Window(10 * time.Second)})
		silent := everyService
		silent.Name, silent.TimeWindow = "silent", rule.Window(10*time.Second)
		w.addRule(3, t0, silent)
		_, stop := w.run()
		l := w.timeline()
		senders := []struct {
			name string
			skew time.Duration
		}{{"late", -2 * time.Second}, {"exact", 0}, {"ahead", 10 * time.Minute}, {"behind", -10 * time.Minute}}
		for second := 0; second <= 60; second++ {
			now := t0.Add(time.Duration(second) * time.Second)
			l.quiet(now)
			for _, s := range senders {
				l.log(s.name, now.Add(100*time.Millisecond), s.skew, logrec.LevelInfo, 1)
				if second == 20 && s.name != "exact" || second == 40 && s.name == "exact" {
					l.log(s.name, now.Add(300*time.Millisecond), s.skew, logrec.LevelError, 3)
				}
			}
		}
		l.quiet(t0.Add(61 * time.Second))
		got := say(l.settled(t0.Add(61*time.Second)), t0)
		stop()
		require.Equal(t, map[string][]string{
			"errors exact": {"40.5 firing condition", "51 resolved condition"},
			"errors ahead": {"21.5 firing condition", "32 resolved condition"},  // a second after it came at most
			"errors late":  {"19.75 firing condition", "30 resolved condition"}, // at the watermark (20.1 − 0.5 s), not where it says
			"all errors":   {"19.75 firing condition", "32 resolved condition", "40.5 firing condition", "51 resolved condition"},
		}, got)
	})
}

// TestTwoHoursWithoutEvaluator: after two hours it catches up in event time. The history has every episode as if nothing had been; subscribers hear of
// what is news, and of what fires still, with the reason catch_up.
func TestTwoHoursWithoutEvaluator(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		start := time.Now().Add(-2 * time.Hour).Truncate(time.Minute).UTC()
		end := start.Add(2 * time.Hour)
		minute := rule.Window(time.Minute)
		w.addRule(1, start, rule.Rule{Name: "errors", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", GroupBy: []string{"service"}, Threshold: 3, TimeWindow: minute})
		w.addRule(2, start, rule.Rule{Name: "all errors", Condition: "COUNT(CASE WHEN level = 'error' THEN 1 END)", Threshold: 3, TimeWindow: minute})
		silent := everyService
		silent.Name, silent.TimeWindow = "silent", rule.Window(2*time.Minute)
		w.addRule(3, start, silent)
		run := func() func() {
			ctx, cancel := context.WithCancel(context.Background())
			a, err := New(ctx, Config{MySQL: w.my, Kafka: w.kafka, HTTP: config.HTTP{Bind: "127.0.0.1"}, MaxAge: 40 * time.Minute}, zerolog.Nop())
			require.NoError(t, err)
			done := make(chan error, 1)
			go func() { done <- a.Run(ctx) }()
			return func() { cancel(); require.NoError(t, <-done) }
		}
		l := w.timeline()
		l.quiet(start)
		stop := run()
		require.Empty(t, l.settled(start))
		stop()

		at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
		for m := 0; m < 120; m++ {
			for _, service := range []string{"steady", "broken"} {
				l.log(service, at(m).Add(5*time.Second), 0, logrec.LevelInfo, 2)
			}
			switch {
			case m == 10: // over before anybody can hear of it
				l.log("steady", at(m).Add(10*time.Second), 0, logrec.LevelError, 5)
			case m >= 60: // and it goes on
				l.log("broken", at(m).Add(10*time.Second), 0, logrec.LevelError, 4)
			}
			if m >= 30 && m < 33 || m < 2 {
				l.log("short", at(m).Add(20*time.Second), 0, logrec.LevelInfo, 1)
			}
			if m == 115 { // news
				l.log("steady", at(m).Add(10*time.Second), 0, logrec.LevelError, 5)
			}
			l.quiet(at(m).Add(30 * time.Second))
		}
		l.quiet(end)
		stop = run()
		defer func() { stop() }()
		got := say(l.settled(end), start)
		for name, want := range map[string][]string{
			"errors steady": {"6910.25 firing condition", "6971 resolved condition"},
			"errors broken": {"3610.25 firing catch_up"},
			"all errors":    {"3610.25 firing catch_up"},
			"silent short":  {"2060 firing catch_up"},
		} {
			require.Equal(t, want, got[name], name)
		}
		require.Len(t, got, 4, "nothing else: %v", got)
		var history []string
		rows, err := w.db.Text.Query(`SELECT CONCAT(rule_name, ' ', service, ' ', (starts_ns - ?) DIV 1000000000, '-', IF(ends_ns = 0, '', (ends_ns - ?) DIV 1000000000)) FROM alert_instance ORDER BY rule_id, service, starts_ns`, start.UnixNano(), start.UnixNano())
		require.NoError(t, err)
		defer rows.Close()
		for rows.Next() {
			var s string
			require.NoError(t, rows.Scan(&s))
			history = append(history, s)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, []string{"errors broken 3610-", "errors steady 610-671", "errors steady 6910-6971", "all errors  610-671", "all errors  3610-", "silent short 200-1820", "silent short 2060-"}, history)
	})
}
