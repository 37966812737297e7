//go:build !mutant_unfenced

package relay

import "fmt"

// fencedID is a source's transactional id: Kafka lets only the newest producer under it commit. A build with the tag mutant_unfenced gives each
// producer its own, to prove that the check of alerts.fired notices.
func fencedID(stream uint32, source string) string {
	return fmt.Sprintf("logmill-relay-%d-%s", stream, source)
}
