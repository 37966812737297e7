// Package broker is Logmill's development broker: kfake (github.com/twmb/franz-go/pkg/kfake) behind the guards that make it
// survive kill -9, garbage on its port and months of data. It is a development broker, for one machine: production runs Kafka.
package broker

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Config of a Broker.
type Config struct {
	Port int    // on 127.0.0.1; 0 lets the system choose
	Dir  string // data folder; empty keeps everything in memory

	// Wrap, when set, stands between each client and the broker: tests put a slow network there.
	Wrap func(net.Conn) net.Conn
}

// staleWindowsFile is where kfake keeps producers' sequence numbers at a clean stop.
const staleWindowsFile = "seq_windows.json"

// Broker is a running development broker.
type Broker struct {
	cluster *kfake.Cluster
	groups  *coordinator
	stop    chan struct{}
	stopped chan struct{}
}

// Start loads the data folder and serves. It blocks while loading (about a second for 300 MB).
func Start(cfg Config) (*Broker, error) {
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("choosing a cluster id: %w", err)
	}
	listener := guardListener{wrap: cfg.Wrap, inside: make(chan net.Conn), open: make(chan struct{})}
	defer close(listener.open)
	opts := []kfake.Opt{
		kfake.Ports(cfg.Port), // one port: one broker
		// A wiped folder is another cluster: offsets stored in MySQL must not be taken for its own. A stored id wins over this one.
		kfake.ClusterID("dev-" + hex.EncodeToString(id)),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes":         strconv.Itoa(maxMessageBytes),
			"log.cleaner.backoff.ms":    strconv.Itoa(offsetsRetention * 60_000), // its compaction loses what transactions wrote: compact.go does it
			"offsets.retention.minutes": strconv.Itoa(offsetsRetention),          // to kfake all groups are empty, and their offsets would be forgotten after a week
		}),
		kfake.WithLogger(kfake.BasicLogger(os.Stderr, kfake.LogLevelWarn)),
		kfake.ListenFn(func(network, address string) (_ net.Listener, err error) {
			listener.Listener, err = net.Listen(network, address)
			return listener, err
		}),
	}
	if cfg.Dir != "" {
		opts = append(opts, kfake.DataDir(cfg.Dir))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("starting the development broker: %w", err)
	}
	b := &Broker{cluster: cluster, groups: newCoordinator(), stop: make(chan struct{}), stopped: make(chan struct{})}
	clean, err := b.removeStaleWindows(cfg.Dir)
	if err == nil && cfg.Dir != "" {
		err = b.tidy(listener.dial, clean)
	}
	if err != nil {
		cluster.Close()
		return nil, err
	}
	b.coordinate()
	go b.retain()
	return b, nil
}

// removeStaleWindows deletes the producers' sequence numbers of the last clean stop, which are loaded by now: after a later
// kill -9 they would be loaded again, be wrong, and end every living idempotent producer for good. clean: there were any.
func (b *Broker) removeStaleWindows(dir string) (clean bool, err error) {
	if dir == "" {
		return false, nil
	}
	err = os.Remove(filepath.Join(dir, staleWindowsFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("removing old sequence numbers: %w", err)
	}
	return true, nil
}

// retain deletes what topics' retention.bytes allows. The last batch of a partition always stays: an emptied partition would
// begin again at offset 0 after a restart.
func (b *Broker) retain() {
	defer close(b.stopped)
	t := time.NewTicker(retentionEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.cluster.ApplyRetention()
		case <-b.stop:
			return
		}
	}
}

// Addr is host:port.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// CreateTopic makes a topic in process; one that exists is left as it is.
func (b *Broker) CreateTopic(name string, partitions int32, config map[string]string) error {
	if err := b.cluster.CreateTopic(name, partitions, config); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	return nil
}

// Close stops serving and writes groups, offsets and sequence numbers.
func (b *Broker) Close() {
	close(b.stop)
	<-b.stopped
	b.groups.close()
	b.cluster.Close()
}

// known tells whether kfake can parse requests of this key; it dereferences nil for others.
func known(key int16) bool { return kmsg.RequestForKey(key) != nil }
