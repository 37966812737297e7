// Package stack runs the built programs as processes, so that tests can kill them: brokers, MySQL, and all services.
package stack

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/logmill/logmill/shared/config"
	"github.com/logmill/logmill/shared/testkit"
)

// Stack is a running installation.
type Stack struct {
	t     testing.TB
	root  string
	bin   string
	dir   string
	env   []string
	Kafka config.Kafka
	MySQL config.MySQL
	Ports map[string]int

	kafkaBase int                 // of a real cluster; 0 = embedded
	kafkaMore func() []string     // more of the environment of its script
	mysqlArgs string              // more arguments of mysqld
	own       map[string][]string // more of the environment, by program
	scheme    string
	client    *http.Client
	mu        sync.Mutex
	procs     map[string]*proc
}

// proc is one service.
type proc struct {
	binary string
	env    []string
	cmd    *exec.Cmd
	done   chan struct{}
}

const readyTimeout = 90 * time.Second

// New starts MySQL, the embedded broker (nodes 0) or a real Kafka of so many nodes, and migrates. Everything ends with the test.
func New(t testing.TB, nodes int) *Stack {
	t.Helper()
	return newStack(t, nodes, "logmill-broker")
}

// NewOn is New with another program as the embedded broker.
func NewOn(t testing.TB, broker string) *Stack {
	t.Helper()
	return newStack(t, 0, broker)
}

func newStack(t testing.TB, nodes int, broker string) *Stack {
	t.Helper()
	s := bare(t)
	s.startMySQL()
	s.startKafka(nodes, broker)
	s.setEnv(nodes)
	s.run("migrate", "up")
	return s
}

// bare is a Stack in which nothing runs yet.
func bare(t testing.TB) *Stack {
	t.Helper()
	s := &Stack{t: t, root: testkit.Root(t), dir: t.TempDir(), procs: map[string]*proc{}, Ports: map[string]int{}, own: map[string][]string{}, scheme: "http", client: http.DefaultClient}
	s.bin = filepath.Join(s.root, ".local", "bin")
	if _, err := os.Stat(filepath.Join(s.bin, "collector")); err != nil {
		t.Fatalf("the programs are not built (make build): %v", err)
	}
	t.Cleanup(s.stop)
	return s
}

// setEnv is the environment of every program.
func (s *Stack) setEnv(nodes int) {
	s.env = append(os.Environ(), "KAFKA_BROKERS="+strings.Join(s.Kafka.Brokers, ","), "KAFKA_PARTITIONS=6", "KAFKA_EMBEDDED="+strconv.FormatBool(nodes == 0),
		"MYSQL_HOST=127.0.0.1", "MYSQL_PORT="+strconv.Itoa(s.MySQL.Port), "MYSQL_USER=root", "MYSQL_PASSWORD=", "MYSQL_DATABASE=logmill", "LOG_LEVEL=info",
		"COLLECTOR_DELIVERY_TIMEOUT=5s", "COMPACTION_AFTER=1s", "LOGMILL_HOME="+s.dir)
}

// Ports of test servers lie below the range from which the system takes ports for outgoing connections: a server that is down
// for a moment must find its port free again.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// freePort finds a port that can be listened on, with so many behind it.
func freePort(t testing.TB, more ...int) int {
	t.Helper()
	for range 100 {
		base := lowestPort + rand.IntN(highestPort-lowestPort)
		free := true
		for _, offset := range append(more, 0) {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+offset))
			if free = free && err == nil; err == nil {
				_ = l.Close()
			}
		}
		if free {
			return base
		}
	}
	t.Fatal("no free port was found")
	return 0
}

// script runs one of compose/local's.
func (s *Stack) script(name string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("bash", append([]string{filepath.Join(s.root, "compose", "local", name)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	return cmd.CombinedOutput()
}

// borrow makes what test-servers.sh has installed serve here as well, so that nothing is fetched twice.
func (s *Stack) borrow(server, what string) string {
	prefix := filepath.Join(s.dir, server)
	if out, err := s.script("test-servers.sh", nil, "up", server); err != nil {
		if os.Getenv("CI") != "" {
			s.t.Fatalf("DID NOT RUN: a real %s could not be started: %s", server, out)
		}
		s.t.Skipf("DID NOT RUN: a real %s could not be started: %s", server, out)
	}
	home := os.Getenv("LOGMILL_TEST_HOME")
	if home == "" {
		home = filepath.Join(s.root, ".local", "test")
	}
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(home, server, what), filepath.Join(prefix, what)); err != nil {
		s.t.Fatal(err)
	}
	return prefix
}

func (s *Stack) mysqlEnv() []string {
	return []string{"MYSQL_PREFIX=" + filepath.Join(s.dir, "mysql"), "MYSQL_PORT=" + strconv.Itoa(s.MySQL.Port), "MYSQL_BUFFER_POOL=256M",
		"MYSQL_EXTRA_ARGS=--performance-schema=OFF --innodb-redo-log-capacity=256M" + s.mysqlArgs}
}

func (s *Stack) startMySQL() {
	s.borrow("mysql", "root")
	s.MySQL = config.MySQL{Host: "127.0.0.1", Port: freePort(s.t), User: "root", Database: "logmill"}
	if out, err := s.script("mysql-local.sh", s.mysqlEnv(), "all"); err != nil {
		s.t.Fatalf("starting MySQL: %v\n%s", err, out)
	}
}

const kafkaVersion = "4.1.1"

func (s *Stack) kafkaEnv(nodes int) []string {
	env := []string{"KAFKA_PREFIX=" + filepath.Join(s.dir, "kafka"), "KAFKA_PORT=" + strconv.Itoa(s.kafkaBase), "KAFKA_NODES=" + strconv.Itoa(nodes), "KAFKA_VERSION=" + kafkaVersion,
		"KAFKA_PROPS=group.min.session.timeout.ms=1000"} // a test that kills consumers need not wait for six seconds each time
	if s.kafkaMore != nil {
		env = append(env, s.kafkaMore()...)
	}
	return env
}

func (s *Stack) startKafka(nodes int, broker string) {
	s.Kafka = config.Kafka{Partitions: 6, Embedded: nodes == 0}
	if nodes == 0 {
		port := freePort(s.t)
		s.Kafka.Brokers = []string{"127.0.0.1:" + strconv.Itoa(port)}
		s.env = os.Environ()
		s.Start("kafka", broker, "KAFKA_PORT="+strconv.Itoa(port), "LOGMILL_HOME="+s.dir)
		return
	}
	s.borrow("kafka", "libs-"+kafkaVersion)
	s.launchKafka(nodes)
}

// launchKafka starts a real Kafka whose jars are there.
func (s *Stack) launchKafka(nodes int) {
	s.Kafka.Partitions = 6
	s.kafkaBase = freePort(s.t, 1, 2, 100, 101, 102, 200) // brokers, their controllers, ZooKeeper
	for i := range nodes {
		s.Kafka.Brokers = append(s.Kafka.Brokers, "127.0.0.1:"+strconv.Itoa(s.kafkaBase+i))
	}
	if out, err := s.script("kafka-local.sh", s.kafkaEnv(nodes), "start"); err != nil {
		s.t.Fatalf("starting Kafka: %v\n%s", err, out)
	}
}

// Nodes is the number of real Kafka nodes.
func (s *Stack) Nodes() int {
	if s.kafkaBase == 0 {
		return 0
	}
	return len(s.Kafka.Brokers)
}

// KillNode kills a node of the real Kafka (1…), StartNode starts it again and waits for it.
func (s *Stack) KillNode(n int) error {
	return said(s.script("kafka-local.sh", s.kafkaEnv(s.Nodes()), "kill9", strconv.Itoa(n)))
}

// StartNode starts a node again and waits until it serves.
func (s *Stack) StartNode(n int) error {
	return said(s.script("kafka-local.sh", s.kafkaEnv(s.Nodes()), "start", strconv.Itoa(n)))
}

func said(out []byte, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// MySQLPid is mysqld's pid.
func (s *Stack) MySQLPid() (int, error) {
	b, err := os.ReadFile(filepath.Join(s.dir, "mysql", "run", "mysqld.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// KillMySQL kills mysqld; StartMySQL starts it again and waits for it.
func (s *Stack) KillMySQL() error {
	pid, err := s.MySQLPid()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	for range 500 { // its files stay locked until it is gone
		if syscall.Kill(pid, 0) != nil {
			return nil
		}
		pause(20 * time.Millisecond)
	}
	return fmt.Errorf("mysqld (pid %d) does not die", pid)
}

// StartMySQL starts mysqld again and waits until it answers.
func (s *Stack) StartMySQL() error { return said(s.script("mysql-local.sh", s.mysqlEnv(), "start")) }

// Database makes another database, with the whole schema, for services that are started with MYSQL_DATABASE=name.
func (s *Stack) Database(name string) config.MySQL {
	s.t.Helper()
	s.runWith([]string{"MYSQL_DATABASE=" + name}, "migrate", "up")
	my := s.MySQL
	my.Database = name
	return my
}

func (s *Stack) run(binary string, args ...string) {
	s.t.Helper()
	s.runWith(nil, binary, args...)
}

func (s *Stack) runWith(env []string, binary string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, binary), args...)
	cmd.Env = append(s.env[:len(s.env):len(s.env)], env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("%s %v: %v\n%s", binary, args, err, out)
	}
}

// Feed runs a program of ours to its end, with something on its standard input, and returns what it printed.
func (s *Stack) Feed(in io.Reader, binary string, args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(s.bin, binary), args...)
	cmd.Env, cmd.Stdin = s.env, in
	return cmd.CombinedOutput()
}

// Processor is the program of a processor without faults.
const Processor = "processor"

// Set is a setting of all programs that are started from now on.
func (s *Stack) Set(name, value string) { s.env = append(s.env, name+"="+value) }

// Services starts the collector, so many processors (of our own, or of the given program), the alert-evaluator and the api, and waits
// until they are ready.
func (s *Stack) Services(processors int, program string) {
	s.t.Helper()
	names := []string{"collector"}
	s.Start("collector", "collector", "COLLECTOR_PORT="+strconv.Itoa(s.Port("collector")))
	for i := range processors {
		name := "processor-" + strconv.Itoa(i+1)
		s.Start(name, program, "PROCESSOR_PORT="+strconv.Itoa(s.Port(name)))
		names = append(names, name)
	}
	s.Start("alert-evaluator", "alert-evaluator", "ALERT_EVALUATOR_PORT="+strconv.Itoa(s.Port("alert-evaluator")))
	targets := "collector=" + s.URL("collector") + ",alert-evaluator=" + s.URL("alert-evaluator")
	for _, n := range names[1:] {
		targets += ",processor=" + s.URL(n)
	}
	s.Start("api", "api", "API_PORT="+strconv.Itoa(s.Port("api")), "PIPELINE_TARGETS="+targets)
	for _, n := range append(names, "alert-evaluator", "api") {
		s.AwaitReady(n)
	}
}

// Collector starts another collector.
func (s *Stack) Collector(name string) {
	s.t.Helper()
	s.Start(name, "collector", "COLLECTOR_PORT="+strconv.Itoa(s.Port(name)))
	s.AwaitReady(name)
}

// Port is the port of a service, chosen when it is first asked for.
func (s *Stack) Port(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Ports[name] == 0 {
		s.Ports[name] = freePort(s.t)
	}
	return s.Ports[name]
}

// Client trusts the certificates of the services.
func (s *Stack) Client() *http.Client { return s.client }

// URL is a service's address.
func (s *Stack) URL(name string) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", s.scheme, s.Port(name))
}

// Start starts a service under a name of its own. binary is a program of ours, or a path, and its arguments.
func (s *Stack) Start(name, binary string, env ...string) {
	s.t.Helper()
	p := &proc{binary: binary, env: env}
	s.mu.Lock()
	s.procs[name] = p
	s.mu.Unlock()
	if err := s.launch(name, p); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Stack) launch(name string, p *proc) error {
	log, err := os.OpenFile(s.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	words := strings.Fields(p.binary)
	path := words[0]
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.bin, path)
	}
	cmd := exec.Command(path, words[1:]...)
	cmd.Env = append(append(s.env[:len(s.env):len(s.env)], s.own[words[0]]...), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(p.done)
	return nil
}

// Program is the path of a program that `make build` built.
func (s *Stack) Program(name string) string { return filepath.Join(s.bin, name) }

func (s *Stack) log(name string) string { return filepath.Join(s.dir, name+".log") }

// Signal sends a signal to a service.
func (s *Stack) Signal(name string, sig syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.procs[name].cmd.Process.Signal(sig)
}

// Kill kills a service and waits for its end.
func (s *Stack) Kill(name string) error {
	s.mu.Lock()
	p := s.procs[name]
	s.mu.Unlock()
	_ = p.cmd.Process.Kill() // one that has ended by itself is as dead
	<-p.done
	return nil
}

// Stop ends a service as operators do, with SIGTERM; an error unless it ends by itself, and well.
func (s *Stack) Stop(name string) error {
	s.mu.Lock()
	p := s.procs[name]
	s.mu.Unlock()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %s: %w", name, err)
	}
	select {
	case <-p.done:
	case <-time.After(readyTimeout):
		return fmt.Errorf("%s does not stop", name)
	}
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s stopped with %s", name, p.cmd.ProcessState)
	}
	return nil
}

// Restart starts a service that ended.
func (s *Stack) Restart(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.launch(name, s.procs[name])
}

// Alive tells whether a service runs.
func (s *Stack) Alive(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.procs[name].done:
		return false
	default:
		return true
	}
}

// Pid is a service's pid.
func (s *Stack) Pid(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.procs[name].cmd.Process.Pid
}

// AwaitReady waits until a service's /readyz answers 200.
func (s *Stack) AwaitReady(name string) {
	s.t.Helper()
	deadline := time.Now().Add(readyTimeout)
	for time.Now().Before(deadline) {
		if s.ok(s.URL(name) + "/readyz") {
			return
		}
		if !s.Alive(name) {
			break
		}
		pause(100 * time.Millisecond)
	}
	s.t.Fatalf("%s is not ready:\n%s", name, s.Tail(name))
}

func (s *Stack) ok(url string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func pause(d time.Duration) { <-time.After(d) }

// Tail is the end of a service's log.
func (s *Stack) Tail(name string) string {
	b, err := os.ReadFile(s.log(name))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// stop ends everything, and shows the logs of a test that failed.
func (s *Stack) stop() {
	s.mu.Lock()
	names := make([]string, 0, len(s.procs))
	for n, p := range s.procs {
		names = append(names, n)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	s.mu.Unlock()
	if s.t.Failed() {
		for _, n := range names {
			s.t.Logf("--- %s\n%s", n, s.Tail(n))
		}
		s.keepLogs(names)
	}
	if s.kafkaBase != 0 {
		_, _ = s.script("kafka-local.sh", s.kafkaEnv(s.Nodes()), "kill9")
	}
	_ = s.KillMySQL()
	_, _ = s.script("mysql-local.sh", s.mysqlEnv(), "stop")
}

// keepLogs copies the whole logs of a test that failed to E2E_LOGS, when that is set: their ends alone rarely say what began it.
func (s *Stack) keepLogs(names []string) {
	home := os.Getenv("E2E_LOGS")
	if home == "" {
		return
	}
	to := filepath.Join(home, strings.ReplaceAll(s.t.Name(), "/", "-")+"-"+time.Now().Format("150405"))
	if err := os.MkdirAll(to, 0o755); err != nil {
		s.t.Logf("keeping logs: %v", err)
		return
	}
	for _, n := range names {
		b, err := os.ReadFile(s.log(n))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, n+".log"), b, 0o600)
		}
		if err != nil {
			s.t.Logf("keeping logs: %v", err)
		}
	}
	s.t.Logf("the logs are in %s", to)
}
