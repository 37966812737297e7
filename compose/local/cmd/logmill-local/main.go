// Command logmill-local runs the whole pipeline on one machine, without Docker and without root: `make run`.
//
//	logmill-local         start everything, until Ctrl-C
//	logmill-local stop    end a running one
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/logmill/logmill/compose/local/internal/supervise"
	"github.com/logmill/logmill/shared/config"
)

// settings are what the supervisor itself reads; the services read their own.
type settings struct {
	Home          string `env:"LOGMILL_HOME" envDefault:".local"`
	KafkaPort     int    `env:"KAFKA_PORT" envDefault:"9092"`
	MySQLPort     int    `env:"MYSQL_PORT" envDefault:"13306"`
	CollectorPort int    `env:"COLLECTOR_PORT" envDefault:"4318"`
	APIPort       int    `env:"API_PORT" envDefault:"8080"`
	ProcessorPort int    `env:"PROCESSOR_PORT" envDefault:"8082"`
	EvaluatorPort int    `env:"ALERT_EVALUATOR_PORT" envDefault:"8083"`
	Processors    int    `env:"PROCESSORS" envDefault:"1"`
	GeneratorRate int    `env:"GENERATOR_RATE" envDefault:"50"`
	RawCapMB      int    `env:"RAW_CAP_MB" envDefault:"0"`
}

// Validate implements config.Validator.
func (s settings) Validate() error {
	if s.Processors < 1 || s.Processors > 64 || s.GeneratorRate < 0 {
		return errors.New("PROCESSORS must be 1–64 and GENERATOR_RATE not negative")
	}
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "logmill:", err)
		os.Exit(1)
	}
}

func say(format string, args ...any) { fmt.Printf("logmill: "+format+"\n", args...) }

func run(args []string) error {
	var s settings
	if err := config.Load(&s); err != nil {
		return err
	}
	home, err := supervise.New(s.Home, say)
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "stop" {
		return stop(home, s)
	}
	if len(args) != 0 {
		return errors.New("usage: logmill-local [stop]")
	}
	return start(home, s)
}

const self = "logmill-local"

func start(home *supervise.Home, s settings) error {
	if pid := home.Running(self, self); pid != 0 {
		return fmt.Errorf("already running in %s (pid %d): `make stop` ends it, LOGMILL_HOME and other ports start a second one", s.Home, pid)
	}
	bin, err := binaries()
	if err != nil {
		return err
	}
	if err := home.Leftovers(bin); err != nil {
		return err
	}
	if err := os.WriteFile(home.PidFile(self), []byte(fmt.Sprintln(os.Getpid())), 0o644); err != nil {
		return err
	}
	defer func() { _ = os.Remove(home.PidFile(self)) }()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	st := &stack{settings: s, home: home, bin: bin}
	began := time.Now()
	err = st.up(ctx)
	if err == nil {
		st.announce(time.Since(began))
		<-ctx.Done()
	}
	say("stopping")
	home.Stop()
	if derr := st.downMySQL(); derr != nil {
		err = errors.Join(err, derr)
	}
	if ctx.Err() != nil {
		say("stopped; the data stay in %s", s.Home)
		return nil
	}
	return err
}

// stop ends a running supervisor, or what one that was killed has left.
func stop(home *supervise.Home, s settings) error {
	if pid := home.Running(self, self); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return fmt.Errorf("stopping pid %d: %w", pid, err)
		}
		for range 120 {
			if home.Running(self, self) == 0 {
				say("stopped")
				return nil
			}
			time.Sleep(100 * time.Millisecond)
		}
		return fmt.Errorf("pid %d does not end", pid)
	}
	bin, err := binaries()
	if err != nil {
		return err
	}
	if err := home.Leftovers(bin); err != nil {
		return err
	}
	st := &stack{settings: s, home: home, bin: bin}
	return st.downMySQL()
}

// binaries is the folder of this program, where the others are too.
func binaries() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding the binaries: %w", err)
	}
	return filepath.Dir(exe), nil
}
