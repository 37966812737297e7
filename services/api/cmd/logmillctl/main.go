// Command logmillctl is Logmill on the command line: rules as code, alerts, search.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/logmill/logmill/services/api/internal/ctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ctl.Run(ctx, ctl.System(), os.Args[1:])
	stop()
	os.Exit(code)
}
