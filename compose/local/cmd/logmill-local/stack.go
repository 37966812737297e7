package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/logmill/logmill/compose/local/internal/demo"
	"github.com/logmill/logmill/compose/local/internal/supervise"
)

// stack is the processes of one home.
type stack struct {
	settings
	home     *supervise.Home
	bin      string
	env      []string // what every service gets: where the servers are
	embedded bool
}

// devCapMB is what the embedded broker may hold of lines not yet stored: at a crash it reads all of it at its start.
const devCapMB = 300

// up starts all, in the order in which they need each other.
func (s *stack) up(ctx context.Context) error {
	for _, step := range []func(context.Context) error{s.kafka, s.mysql, s.migrate, s.services, s.rules, s.generator} {
		if err := step(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (s *stack) kafka(ctx context.Context) error {
	if given := os.Getenv("KAFKA_BROKERS"); given != "" {
		say("using Kafka at %s", given)
		return nil
	}
	say("starting the embedded broker on port %d (a development broker: set KAFKA_BROKERS for a real Kafka)", s.KafkaPort)
	s.embedded = true
	cap := s.RawCapMB
	if cap == 0 {
		cap = devCapMB
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(s.KafkaPort))
	s.env = append(s.env, "KAFKA_BROKERS="+addr, "KAFKA_EMBEDDED=true", "RAW_TRIM=true", "RAW_CAP_MB="+strconv.Itoa(cap))
	if err := free(s.KafkaPort, "KAFKA_PORT"); err != nil {
		return err
	}
	return s.home.Start(ctx, supervise.Child{Name: "kafka", Path: filepath.Join(s.bin, "logmill-broker"), Ready: answers(addr)})
}

// mysqlScript starts and stops the private server; it keeps a pid file of its own.
func (s *stack) mysqlScript(ctx context.Context, verb string) error {
	cmd := exec.CommandContext(ctx, "bash", "compose/local/mysql-local.sh", verb)
	cmd.Env = append(os.Environ(), "MYSQL_PREFIX="+filepath.Join(s.Home, "mysql"), "MYSQL_PORT="+strconv.Itoa(s.MySQLPort),
		"MYSQL_EXTRA_ARGS=--performance-schema=OFF --innodb-redo-log-capacity=1G")
	log, err := os.OpenFile(s.home.LogFile("mysql"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("MySQL (%s): %w; see %s", verb, err, s.home.LogFile("mysql"))
	}
	return nil
}

func (s *stack) mysql(ctx context.Context) error {
	if given := os.Getenv("MYSQL_HOST"); given != "" {
		say("using MySQL at %s", given)
		return nil
	}
	say("starting a private MySQL on port %d (set MYSQL_HOST for your own)", s.MySQLPort)
	s.env = append(s.env, "MYSQL_HOST=127.0.0.1", "MYSQL_PORT="+strconv.Itoa(s.MySQLPort), "MYSQL_USER=root", "MYSQL_PASSWORD=")
	if err := s.mysqlScript(ctx, "all"); err != nil {
		return err
	}
	pid, err := os.ReadFile(filepath.Join(s.Home, "mysql", "run", "mysqld.pid"))
	if err != nil {
		return fmt.Errorf("finding mysqld: %w", err)
	}
	if err := os.WriteFile(s.home.PidFile("mysql"), pid, 0o644); err != nil {
		return err
	}
	go s.watchMySQL(ctx)
	return nil
}

// watchMySQL starts a server that died again: it is no child of ours.
func (s *stack) watchMySQL(ctx context.Context) {
	for t := time.NewTicker(time.Second); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if s.home.Running("mysql", "mysqld") != 0 {
			continue
		}
		say("mysql ended: started again; its log: %s", filepath.Join(s.Home, "mysql", "run", "error.log"))
		if err := s.mysqlScript(ctx, "start"); err != nil && ctx.Err() == nil {
			say("%v", err)
			continue
		}
		if pid, err := os.ReadFile(filepath.Join(s.Home, "mysql", "run", "mysqld.pid")); err == nil {
			_ = os.WriteFile(s.home.PidFile("mysql"), pid, 0o644) // found again at the next tick otherwise
		}
	}
}

// downMySQL stops the private server, when there is one.
func (s *stack) downMySQL() error {
	if os.Getenv("MYSQL_HOST") != "" {
		return nil
	}
	if _, err := os.Stat(filepath.Join(s.Home, "mysql", "run")); err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	err := s.mysqlScript(ctx, "stop")
	_ = os.Remove(s.home.PidFile("mysql"))
	return err
}

func (s *stack) migrate(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "migrate"), "up")
	cmd.Env = append(os.Environ(), s.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("migrating the schema: %w\n%s", err, out)
	}
	return nil
}

func (s *stack) services(ctx context.Context) error {
	type service struct {
		name, binary, variable string
		port                   int
	}
	all := []service{{"collector", "collector", "COLLECTOR_PORT", s.CollectorPort}}
	for i := range s.Processors {
		name := "processor"
		if i > 0 {
			name += "-" + strconv.Itoa(i+1)
		}
		all = append(all, service{name, "processor", "PROCESSOR_PORT", s.ProcessorPort + 100*i})
	}
	all = append(all, service{"alert-evaluator", "alert-evaluator", "ALERT_EVALUATOR_PORT", s.EvaluatorPort}, service{"api", "api", "API_PORT", s.APIPort})
	var targets []string // of the api, which comes last
	for _, v := range all {
		say("starting %s on port %d", v.name, v.port)
		if err := free(v.port, v.variable); err != nil {
			return err
		}
		targets = append(targets, v.binary+"="+s.url(v.port))
		err := s.home.Start(ctx, supervise.Child{
			Name: v.name, Path: filepath.Join(s.bin, v.binary), Env: append(s.env[:len(s.env):len(s.env)], v.variable+"="+strconv.Itoa(v.port), "PIPELINE_TARGETS="+strings.Join(targets[:len(targets)-1], ",")),
			Ready: ready(v.port),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rules switches the sample rules on: the generator's incidents make them fire.
func (s *stack) rules(ctx context.Context) error {
	if s.GeneratorRate == 0 {
		return nil
	}
	names, err := demo.EnableRules(ctx, s.url(s.APIPort), os.Getenv("LOGMILL_TOKEN"))
	if err != nil {
		say("the sample rules could not be switched on: %v", err) // everything else works without them
	}
	if len(names) > 0 {
		say("switched on %d sample rules: %s", len(names), strings.Join(names, ", "))
	}
	return nil
}

func (*stack) url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// incident is the file through which the generator is told what shall go wrong.
func (s *stack) incident() string { return filepath.Join(s.Home, "incident") }

func (s *stack) generator(ctx context.Context) error {
	if s.GeneratorRate == 0 {
		return nil
	}
	return s.home.Start(ctx, supervise.Child{Name: "generator", Path: filepath.Join(s.bin, "loggen"), Ends: true,
		Args: []string{"--url", s.url(s.CollectorPort) + "/api/logs", "--rate", strconv.Itoa(s.GeneratorRate), "--batch", "200", "--steered-by", s.incident()}})
}

func (s *stack) announce(d time.Duration) {
	api, collector := s.url(s.APIPort), s.url(s.CollectorPort)
	say("everything runs, after %.1f s", d.Seconds())
	fmt.Printf(`
  web UI        %s/
  send a line   curl -d '{"service":"shop","level":"error","message":"hello from curl"}' %s/api/logs
  find it       curl '%s/api/logs?service=shop&limit=5'
  metrics       curl '%s/api/metrics'
  what fires    curl '%s/api/alerts/active'
  alerts live   %s
  OTLP/HTTP     %s/v1/logs
  logs, pids    %s/log, %s/run
%s
Ctrl-C stops everything.
`, api, collector, api, api, api, s.consumer(), collector, s.Home, s.Home, s.incidents())
}

// incidents says how to make something go wrong, when there is somebody to do it.
func (s *stack) incidents() string {
	if s.GeneratorRate == 0 {
		return ""
	}
	return `
Incidents come by themselves, the first after a minute; each makes one or more of the sample rules fire.
  one by hand   make incident NAME=outage      (without NAME: what there is)
`
}

// consumer is the example consumer's command line.
func (s *stack) consumer() string {
	line := filepath.Join(s.bin, "alerts-consumer") + " --brokers " + cmp.Or(os.Getenv("KAFKA_BROKERS"), net.JoinHostPort("127.0.0.1", strconv.Itoa(s.KafkaPort)))
	if prefix := os.Getenv("KAFKA_TOPIC_PREFIX"); prefix != "" {
		line += " --prefix " + prefix
	}
	return line
}

// free tells whether a port can be listened on.
func free(port int, variable string) error {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("port %d is taken: set %s to another one (%w)", port, variable, err)
	}
	return l.Close()
}

// answers is ready when a connection is accepted.
func answers(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		c, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// ready asks /readyz.
func ready(port int) func(context.Context) error {
	client := &http.Client{Timeout: 3 * time.Second}
	url := fmt.Sprintf("http://127.0.0.1:%d/readyz", port)
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, resp.Status)
		}
		return nil
	}
}
