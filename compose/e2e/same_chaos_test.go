package e2e

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/compose/e2e/internal/alertlog"
	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/mysqlx"
	"github.com/logmill/logmill/shared/testkit"
)

// storm is three evaluators on a log that comes piece by piece, each of which is a chance to hurt one of them in the middle of its work.
type storm struct {
	*proof
	rng      *rand.Rand
	db       *mysqlx.DB
	names    []string
	pub      *bus.Publisher
	parts    [][]alertlog.Message // what is still to come
	kills    int
	zombies  int
	released int64
}

// chaos lets three evaluators go through the log. KILLS times one is killed, ZOMBIES times one is stopped and woken.
func (p *proof) chaos(program string) result {
	p.t.Helper()
	st := p.storm(program)
	kills := setting(p.t, "KILLS", 4)
	zombies := setting(p.t, "ZOMBIES", kills/5+1)
	all := kills + zombies
	for k := range all {
		if (k+1)*zombies/all > k*zombies/all {
			st.release(3*k+1, 3*all)
			st.zombie(func() { st.release(3*k+3, 3*all) })
		} else {
			st.release(3*k+3, 3*all)
			st.kill()
		}
	}
	st.release(1, 1)
	p.evaluated(st.db, st.revive)
	p.t.Logf("%d kills, %d zombies", st.kills, st.zombies)
	return p.result(st.db)
}

// storm empties the topics and starts the evaluators on a database of their own.
func (p *proof) storm(program string) *storm {
	p.t.Helper()
	my, db := p.world("chaos")
	p.emptyTopics()
	st := &storm{proof: p, rng: rand.New(rand.NewPCG(5, 5)), db: db, names: []string{"evaluator-1", "evaluator-2", "evaluator-3"},
		pub: bus.NewPublisher(p.s.Kafka, "replay", true, zerolog.Nop()), parts: make([][]alertlog.Message, p.s.Kafka.Partitions)}
	p.t.Cleanup(func() { require.NoError(p.t, st.pub.Close()) })
	for _, m := range p.log {
		st.parts[m.Partition] = append(st.parts[m.Partition], m)
	}
	for _, n := range st.names {
		p.startEvaluator(n, program, my)
	}
	return st
}

// emptyTopics makes the topics that the evaluator reads and writes anew: messages will have the offsets that they had.
func (p *proof) emptyTopics() {
	p.t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V2_8_0_0
	admin, err := sarama.NewClusterAdmin(p.s.Kafka.Brokers, conf)
	require.NoError(p.t, err)
	defer admin.Close()
	topics := []string{contract.TopicEnriched, contract.TopicAlerts, contract.TopicAlertsState}
	for _, t := range topics {
		require.NoError(p.t, admin.DeleteTopic(t))
	}
	p.await("deleting topics", func() (string, bool) {
		all, err := admin.ListTopics()
		require.NoError(p.t, err)
		for _, t := range topics {
			if _, still := all[t]; still {
				return "", false
			}
		}
		return "", true
	})
	ctx, cancel := context.WithTimeout(p.t.Context(), noProgress)
	defer cancel()
	require.NoError(p.t, testkit.BusClient(p.t, p.s.Kafka).EnsureTopics(ctx, contract.Topics(p.s.Kafka.Partitions, false)))
}

// release publishes what the processors published up to a part of the time.
func (st *storm) release(part, of int) {
	st.t.Helper()
	until := st.from.Add((st.span + afterwards) * time.Duration(part) / time.Duration(of)).UnixNano()
	if part == of {
		until = math.MaxInt64
	}
	ctx, cancel := context.WithTimeout(st.t.Context(), noProgress)
	defer cancel()
	errs := make([]error, len(st.parts))
	var wg sync.WaitGroup
	for n := range st.parts {
		var now []alertlog.Message
		for len(st.parts[n]) > 0 && headerOf(st.t, &st.parts[n][0]).Watermark <= until {
			now = append(now, st.parts[n][0])
			st.parts[n] = st.parts[n][1:]
		}
		st.released += int64(len(now))
		wg.Go(func() {
			for _, m := range now {
				if errs[n] = st.pub.Publish(ctx, contract.TopicEnriched, m.Partition, m.Key, m.Value, m.Headers); errs[n] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(st.t, err)
	}
}

// kill kills an evaluator that has work, or two, in the middle of it; three times of four the next one has to wait until all partitions have an
// owner again, else the group is still looking for one.
func (st *storm) kill() {
	st.t.Helper()
	st.working()
	victims := st.owners()
	for i := range 1 + st.rng.IntN(4)/3 {
		if i < len(victims) {
			require.NoError(st.t, st.s.Kill(victims[i]))
			st.kills++
		}
	}
	pause(time.Duration(st.rng.IntN(300)) * time.Millisecond)
	st.revive()
	if st.rng.IntN(4) > 0 {
		st.caughtUp()
	}
}

// zombie stops an evaluator in the middle of its work, half of the times while its relay has something to send; waits until others have all that
// it had and more, and lets it go on.
func (st *storm) zombie(more func()) {
	st.t.Helper()
	victim := ""
	if st.zombies%2 == 1 {
		victim = st.stopSender()
	}
	if victim == "" {
		st.working()
		victim = st.owners()[0]
		require.NoError(st.t, st.s.Signal(victim, syscall.SIGSTOP))
	}
	st.zombies++
	more()
	st.await("taking over from a zombie", func() (string, bool) {
		at := st.positions(st.db)
		return fmt.Sprint(at), !st.owns(victim, at) && at.sum() >= st.released && at.unsent == 0
	})
	require.NoError(st.t, st.s.Signal(victim, syscall.SIGCONT))
	pause(time.Duration(st.rng.IntN(1500)) * time.Millisecond)
}

// unsentSQL is who has the oldest events that are not sent.
const unsentSQL = `SELECT owner FROM (SELECT p.owner, o.created_at FROM alert_outbox o JOIN alert_partition p ON o.source = CONCAT('p', p.part) WHERE o.sent = 0
UNION ALL SELECT g.owner, o.created_at FROM alert_outbox o JOIN alert_global g ON o.source = 'g' WHERE o.sent = 0) x ORDER BY created_at LIMIT 1`

// stopSender stops an evaluator whose relay has read events, perhaps, and not sent them yet, perhaps: that takes some milliseconds. It returns ""
// when there is nothing more to send.
func (st *storm) stopSender() (name string) {
	st.t.Helper()
	st.await("sending", func() (string, bool) {
		at := st.positions(st.db)
		for end := time.Now().Add(time.Second); time.Now().Before(end) && name == ""; { // a look a millisecond: they are sent soon
			if name = st.sender(); name != "" {
				pause(time.Duration(st.rng.IntN(40)) * time.Millisecond)
				require.NoError(st.t, st.s.Signal(name, syscall.SIGSTOP))
				if st.sender() != name { // too late
					require.NoError(st.t, st.s.Signal(name, syscall.SIGCONT))
					name = ""
				}
			}
		}
		return fmt.Sprint(at), name != "" || at.sum() >= st.released && at.unsent == 0
	})
	return name
}

// sender is the evaluator that has events to send, "" for none.
func (st *storm) sender() string {
	var owner string
	if err := st.db.Text.QueryRow(unsentSQL).Scan(&owner); err != nil {
		return "" // no row: nothing to send
	}
	for _, n := range st.names {
		if st.owns(n, place{owners: map[string]bool{owner: true}}) {
			return n
		}
	}
	return ""
}

// working waits until what was released last is being worked on, and some moment more.
func (st *storm) working() {
	st.t.Helper()
	first := st.positions(st.db).sum()
	st.await("beginning the next piece", func() (string, bool) {
		st.revive()
		n := st.positions(st.db).sum()
		return fmt.Sprint(n), n > first || n >= st.released
	})
	pause(time.Duration(st.rng.IntN(150)) * time.Millisecond)
}

// caughtUp waits until all that was released is evaluated.
func (st *storm) caughtUp() {
	st.t.Helper()
	st.await("catching up", func() (string, bool) {
		st.revive()
		n := st.positions(st.db).sum()
		return fmt.Sprint(n), n >= st.released
	})
}

// owners are the evaluators that own something, in random order; all, when nobody does.
func (st *storm) owners() []string {
	at := st.positions(st.db)
	var out []string
	for _, n := range st.names {
		if st.owns(n, at) {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		out = append(out, st.names...)
	}
	st.rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// owns tells whether an evaluator owns a partition or the global shard: an owner's name is host, pid and a number.
func (st *storm) owns(name string, at place) bool {
	for owner := range at.owners {
		parts := strings.Split(owner, "/")
		require.Len(st.t, parts, 3, owner)
		if parts[1] == strconv.Itoa(st.s.Pid(name)) {
			return true
		}
	}
	return false
}

// revive starts again whoever has ended, as a supervisor does.
func (st *storm) revive() {
	st.t.Helper()
	for _, n := range st.names {
		if !st.s.Alive(n) {
			require.NoError(st.t, st.s.Restart(n))
		}
	}
}
