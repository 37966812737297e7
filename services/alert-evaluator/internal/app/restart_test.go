package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/testkit"
)

// TestALostPositionIsRecovered: logs.enriched is made anew, without what the evaluator had read and without the next five seconds. The partitions
// stay unread until ALERT_RECOVER_LOST says otherwise; then every alert is there, once, as if nothing had been.
func TestALostPositionIsRecovered(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, cfg config.Kafka) {
		w := newWorld(t, cfg)
		t0 := time.Now().Add(-2 * time.Minute).Truncate(time.Minute).UTC()
		w.lostRules(t0)
		stop := w.runWith(Config{})
		l := w.timeline()
		l.seconds(t0, 0, 30)
		l.settled(t0.Add(30 * time.Second))
		stop()
		before := l.next[0]

		w.cutEnriched()
		l.unheard = true
		l.seconds(t0, 30, 35)
		l.unheard = false
		l.seconds(t0, 35, 60)
		stop = w.runWith(Config{BlindAfter: leastBlindAfter})
		var want []string
		for p := range cfg.Partitions {
			want = append(want, fmt.Sprintf("lost p%d", p))
		}
		require.Eventually(t, func() bool {
			rows, err := w.db.Text.Query(`SELECT CONCAT(kind, ' p', part) FROM alert_problem WHERE kind = 'lost' ORDER BY part`)
			require.NoError(t, err)
			defer rows.Close()
			var got []string
			for rows.Next() {
				var s string
				require.NoError(t, rows.Scan(&s))
				got = append(got, s)
			}
			require.NoError(t, rows.Err())
			return slices.Equal(want, got)
		}, time.Minute, 50*time.Millisecond)
		stop()
		var read int64
		require.NoError(t, w.db.Text.QueryRow(`SELECT source_next FROM alert_partition WHERE part = 0`).Scan(&read))
		require.LessOrEqual(t, read, before, "nothing is read meanwhile")

		stop = w.runWith(Config{RecoverLost: true})
		got := say(l.settled(t0.Add(60*time.Second)), t0)
		stop()
		maps.DeleteFunc(got, func(name string, _ []string) bool { return strings.HasPrefix(name, "Alert rules are blind") }) // they follow the clock
		require.Equal(t, map[string][]string{
			"errors steady": {"10.5 firing condition", "21 resolved condition"},
			"errors broken": {"28.5 firing condition", "39 resolved condition"}, // across the cut
			"errors unread": {"32.5 firing condition", "43 resolved condition"}, // what the topic never had
			"errors new":    {"45.5 firing condition", "56 resolved condition"},
			"all errors":    {"10.5 firing condition", "21 resolved condition", "28.5 firing condition", "43 resolved condition", "45.5 firing condition", "56 resolved condition"},
		}, got)
		var lost int
		require.NoError(t, w.db.Text.QueryRow(`SELECT COUNT(*) FROM alert_partition WHERE lost_offset >= 0`).Scan(&lost))
		require.Zero(t, lost)
	})
}

func (w *world) lostRules(t0 time.Time) {
	w.t.Helper()
	window := rule.Window(10 * time.Second)
	errors := "COUNT(CASE WHEN level = 'error' THEN 1 END)"
	w.addRule(1, t0, rule.Rule{Name: "errors", Condition: errors, GroupBy: []string{"service"}, Threshold: 3, TimeWindow: window})
	w.addRule(2, t0, rule.Rule{Name: "all errors", Condition: errors, Threshold: 3, TimeWindow: window})
	silent := everyService
	silent.Name, silent.TimeWindow, silent.Filter = "silent", window, "service = 'busy'"
	w.addRule(3, t0, silent)
}

// seconds are those of the script from … to.
func (l *timeline) seconds(t0 time.Time, from, to int) {
	for second := from; second < to; second++ {
		now := t0.Add(time.Duration(second) * time.Second)
		l.log("busy", now.Add(100*time.Millisecond), 0, logrec.LevelInfo, 3)
		if service := map[int]string{10: "steady", 28: "broken", 32: "unread", 45: "new"}[second]; service != "" {
			l.log(service, now.Add(300*time.Millisecond), 0, logrec.LevelError, 3)
		}
		if !l.unheard {
			l.quiet(now.Add(time.Second))
		}
	}
}

// runWith runs an evaluator with some settings until stop is called.
func (w *world) runWith(c Config) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.MySQL, c.Kafka, c.HTTP, c.MaxAge = w.my, w.kafka, config.HTTP{Bind: "127.0.0.1"}, 5*time.Minute
	a, err := New(ctx, c, zerolog.Nop())
	require.NoError(w.t, err)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(w.t, <-done)
	}
}

// cutEnriched makes logs.enriched anew.
func (w *world) cutEnriched() {
	w.t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin(w.kafka.Brokers, conf)
	require.NoError(w.t, err)
	defer admin.Close()
	topic := w.kafka.Topic(contract.TopicEnriched)
	require.NoError(w.t, admin.DeleteTopic(topic))
	require.Eventually(w.t, func() bool {
		all, err := admin.ListTopics()
		require.NoError(w.t, err)
		_, still := all[topic]
		return !still
	}, time.Minute, 50*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(w.t, testkit.BusClient(w.t, w.kafka).EnsureTopics(ctx, contract.Topics(w.kafka.Partitions, w.kafka.Embedded)))
	require.NoError(w.t, w.pub.Close())
	w.pub = bus.NewPublisher(w.kafka, "test", true, zerolog.Nop()) // its sequence numbers begin anew with the topic
}
