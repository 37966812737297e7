// Package idempotency is the collector's side of Idempotency-Key (draft-ietf-httpapi-idempotency-key-header). That the records of a request
// are stored once is the processor's work, by the key in the message's headers, across collectors and crashes. A collector adds what
// it can know by itself: the answer of a request that it has already answered, and the mistake of a key that is used for two bodies.
package idempotency

import (
	"net/http"
	"strings"

	"github.com/logmill/logmill/shared/fault"
)

// Header is the request header.
const Header = "Idempotency-Key"

// ReplayedHeader is set on an answer that was not worked for again; the name is Stripe's.
const ReplayedHeader = "Idempotent-Replayed"

// KeyOf reads the key of a request, "" when it has none. Quotes around it, which the draft asks for and most clients leave out, are not part of it.
func KeyOf(h http.Header) (string, error) {
	values := h.Values(Header)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	switch {
	case len(values) > 1:
		return "", fault.Invalid("the request has more than one " + Header)
	case key == "":
		return "", fault.Invalid("the " + Header + " is empty: send a new UUID for each request, and the same one when you repeat it")
	case len(key) > MaxKeyBytes:
		return "", fault.Invalid("the " + Header + " is longer than 255 bytes")
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", fault.Invalid("the " + Header + " has characters that are not printable ASCII")
	}
	return key, nil
}
