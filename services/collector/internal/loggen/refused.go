package loggen

import (
	"errors"
	"net"
	"syscall"
)

// isRefused tells whether a request certainly did not arrive.
func isRefused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, syscall.ECONNREFUSED)
}
