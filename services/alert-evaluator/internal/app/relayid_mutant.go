//go:build mutant_unfenced

package app

import (
	"fmt"
	"math/rand/v2"
)

func relayID(stream uint32, source string) string {
	return fmt.Sprintf("logmill-relay-%d-%s-%d", stream, source, rand.Uint64())
}
