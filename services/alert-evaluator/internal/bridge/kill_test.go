package bridge

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/bus"
	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/testkit"
)

// childEnv makes the test binary a bridge and nothing else: "<broker> <topic prefix> <file>".
const childEnv = "LOGMILL_TEST_BRIDGE_CHILD"

func TestMain(m *testing.M) {
	if args := strings.Split(os.Getenv(childEnv), " "); len(args) == 3 {
		fmt.Fprintln(os.Stderr, "the child ended:", child(config.Kafka{Brokers: args[:1], TopicPrefix: args[1], Partitions: 3}, args[2]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child runs until it is killed.
func child(kafka config.Kafka, path string) error {
	file, err := Load(path)
	if err != nil {
		return err
	}
	client, err := bus.NewClient(kafka, "child")
	if err != nil {
		return err
	}
	return New(kafka, file, Deps{client, zerolog.Nop(), prometheus.NewRegistry()}).Run(context.Background())
}

// startChild starts a bridge in a process of its own; kill is kill -9.
func (w *world) startChild(path string) (kill func()) {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+w.kafka.Brokers[0]+" "+w.kafka.TopicPrefix+" "+path, "BRIDGE_TEST_SECRET=s3cret")
	cmd.Stderr = os.Stderr
	require.NoError(w.t, cmd.Start())
	killed := false
	kill = func() {
		if !killed {
			killed = true
			require.NoError(w.t, cmd.Process.Kill())
			_ = cmd.Wait() // killed
		}
	}
	w.t.Cleanup(kill)
	return kill
}

// TestNothingIsLostToAKill: a bridge is killed with kill -9 while it delivers, and the next one delivers all that is left.
func TestNothingIsLostToAKill(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		w := newWorld(t, kafka)
		in := newInbox(t)
		path := filepath.Join(t.TempDir(), "bridges.yaml")
		require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `
receivers: [{name: chat, webhook: {url: %q, secret_env: BRIDGE_TEST_SECRET, backoff: 50ms, max_backoff: 50ms, attempts: 100}}]
routes: [{receiver: chat}]
`, in.URL), 0o600))
		var ids []string
		for i := range 30 {
			ids = append(ids, event(fmt.Sprint("f", i), 1, "firing").ID)
			w.say(event(fmt.Sprint("f", i), 1, "firing"))
		}
		in.limit.Store(10)
		kill := w.startChild(path)
		var first []string
		for len(first) < 10 {
			first = append(first, <-in.ids)
		}
		kill()
		in.limit.Store(1 << 30)
		w.say(event("late", 1, "firing"))
		w.startChild(path)
		awaitPosts(t, in.ids, append(without(ids, first), contract.AlertID("late", t0, 1))...)
	})
}

func without(all, some []string) []string {
	have := map[string]bool{}
	for _, id := range some {
		have[id] = true
	}
	var out []string
	for _, id := range all {
		if !have[id] {
			out = append(out, id)
		}
	}
	return out
}

// TestTwoOfAGroupShare: when a second instance comes and the first one goes, partitions move and every event is delivered.
func TestTwoOfAGroupShare(t *testing.T) {
	t.Parallel()
	testkit.EachKafka(t, func(t *testing.T, kafka config.Kafka) {
		w := newWorld(t, kafka)
		in := newInbox(t)
		f := File{Receivers: []Receiver{webhookTo("chat", in.URL, quick())}, Routes: []Route{{Receiver: "chat"}}}
		say := func(sequence int64) (ids []string) {
			for i := range 12 {
				e := event(fmt.Sprint("f", i), sequence, "firing")
				w.say(e)
				ids = append(ids, e.ID)
			}
			return ids
		}
		stop := w.run(f)
		awaitPosts(t, in.ids, say(1)...)
		w.run(f)
		awaitPosts(t, in.ids, say(2)...)
		stop()
		awaitPosts(t, in.ids, say(3)...)
	})
}
