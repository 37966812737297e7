// Command logmill-broker is the embedded development broker as a process of its own.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/logmill/logmill/shared/app"
	"github.com/logmill/logmill/shared/broker"
	"github.com/logmill/logmill/shared/config"
)

type settings struct {
	Port int    `env:"KAFKA_PORT" envDefault:"9092"`
	Home string `env:"LOGMILL_HOME" envDefault:".local"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "logmill-broker:", err)
		os.Exit(1)
	}
}

func run() error {
	var s settings
	if err := config.Load(&s); err != nil {
		return err
	}
	app.Ballast()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir := filepath.Join(s.Home, "kafka-dev")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, err := broker.Start(broker.Config{Port: s.Port, Dir: dir})
	if err != nil {
		return fmt.Errorf("%w (KAFKA_PORT)", err)
	}
	fmt.Fprintln(os.Stderr, "development broker (not for production) on", b.Addr())
	<-ctx.Done()
	b.Close()
	return nil
}
