//go:build mutant_unfenced

package relay

import (
	"fmt"
	"math/rand/v2"
)

func fencedID(stream uint32, source string) string {
	return fmt.Sprintf("logmill-relay-%d-%s-%d", stream, source, rand.Uint64())
}
