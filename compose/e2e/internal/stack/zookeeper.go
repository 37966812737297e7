package stack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// oldKafka is what Confluent 7.4.0 ships, the last line that runs with ZooKeeper in our compose stack.
const oldKafka = "3.4.0"

// NewZooKeeper is a Stack on a real Kafka 3.4 with ZooKeeper.
func NewZooKeeper(t testing.TB) *Stack {
	t.Helper()
	s := bare(t)
	s.startMySQL()
	s.borrow("kafka", "libs-"+kafkaVersion) // starts the shared server's home, in which the older jars lie as well
	home := os.Getenv("LOGMILL_TEST_HOME")
	if home == "" {
		home = filepath.Join(s.root, ".local", "test")
	}
	shared := filepath.Join(home, "kafka")
	out, err := s.script("kafka-local.sh", []string{"KAFKA_PREFIX=" + shared, "KAFKA_VERSION=" + oldKafka}, "install")
	require.NoError(t, err, string(out))
	require.NoError(t, os.Symlink(filepath.Join(shared, "libs-"+oldKafka), filepath.Join(s.dir, "kafka", "libs-"+oldKafka)))
	s.kafkaMore = func() []string { return []string{"KAFKA_MODE=zookeeper", "KAFKA_VERSION=" + oldKafka} }
	s.launchKafka(1)
	s.setEnv(1)
	s.run("migrate", "up")
	return s
}
