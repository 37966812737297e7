package broker

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

const childEnv = "LOGMILL_TEST_BROKER_CHILD"

// TestMain is also the broker that TestKillKeepsWhatWasAcknowledged kills: the test program runs itself.
func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		goleak.VerifyTestMain(m)
	}
	port, _ := strconv.Atoi(os.Getenv(childEnv + "_PORT"))
	b, err := Start(Config{Dir: dir, Port: port})
	if err == nil {
		err = b.CreateTopic("t", 1, map[string]string{"retention.ms": "-1"})
	}
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("listening", b.Addr())
	select {}
}

// child starts a broker as a process and returns its address.
func child(t *testing.T, dir string, port int) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_PORT="+strconv.Itoa(port))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening ")
	require.True(t, ok, line)
	return cmd, addr
}

func portOf(t *testing.T, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

func TestKillKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd, addr := child(t, dir, 0)
	n := portOf(t, addr)
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic("t"))
	require.NoError(t, err)
	defer client.Close()
	for round := range 3 {
		for i := range 50 {
			require.NoError(t, client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprintf("%d-%d", round, i))).FirstErr())
		}
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		cmd, _ = child(t, dir, n)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer reader.Close()
	seen := map[string]bool{}
	for len(seen) < 150 && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { seen[string(r.Value)] = true })
	}
	require.Len(t, seen, 150)
}

// TestGarbageOnThePort sends what is no Kafka: the broker hangs up and lives on.
func TestGarbageOnThePort(t *testing.T) {
	t.Parallel()
	b, err := Start(Config{})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	for _, junk := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x10\x7f\xff\x00\x00garbage garbage", "\xff\xff\xff\xff\x00\x00\x00\x00", "\x00\x00\x00\x01\x00\x00\x00\x00"} {
		c, err := net.Dial("tcp", b.Addr())
		require.NoError(t, err)
		_, err = c.Write([]byte(junk))
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err, "the connection must be closed")
		require.False(t, os.IsTimeout(err), "%q", junk)
		_ = c.Close()
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, client.Ping(ctx))
}

func TestAWipedFolderIsAnotherCluster(t *testing.T) {
	t.Parallel()
	id := func(dir string) string {
		b, err := Start(Config{Dir: dir})
		require.NoError(t, err)
		defer b.Close()
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
		require.NoError(t, err)
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, client.Ping(ctx))
		cluster, err := clusterID(ctx, client)
		require.NoError(t, err)
		return cluster
	}
	dir := t.TempDir()
	first := id(dir)
	require.Equal(t, first, id(dir), "the folder keeps its identity")
	require.NotEqual(t, first, id(t.TempDir()))
}

func clusterID(ctx context.Context, c *kgo.Client) (string, error) {
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, c)
	if err != nil {
		return "", err
	}
	return *resp.ClusterID, nil
}
