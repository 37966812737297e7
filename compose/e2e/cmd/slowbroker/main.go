// Command slowbroker is the development broker behind a slow network, for tests: it answers a while after it has written. When it is killed in
// between, its clients do not know what it has, and send it again.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/config"
)

// delay of each answer.
const delay = 60 * time.Millisecond

type settings struct {
	Port int    `env:"KAFKA_PORT"`
	Home string `env:"LOGMILL_HOME"`
}

type slow struct{ net.Conn }

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(delay)
	return s.Conn.Write(p)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "slowbroker:", err)
		os.Exit(1)
	}
}

func run() error {
	var s settings
	if err := config.Load(&s); err != nil {
		return err
	}
	dir := filepath.Join(s.Home, "kafka-dev")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := broker.Start(broker.Config{Port: s.Port, Dir: dir, Wrap: func(c net.Conn) net.Conn { return slow{c} }})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	b.Close()
	return nil
}
