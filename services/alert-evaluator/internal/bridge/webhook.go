package bridge

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/logmill/logmill/shared/contract"
)

// Sign is the value of X-Logmill-Signature: the moment in Unix seconds, and the hex HMAC-SHA-256 of "<moment>.<body>". The moment is signed
// too, so that a receiver can refuse what somebody recorded and plays again; so each attempt has a signature of its own.
func Sign(secret string, body []byte, now time.Time) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return fmt.Sprintf("t=%s,v1=%s", t, hex.EncodeToString(mac.Sum(nil)))
}

// webhookHeader is the header of one attempt to deliver an event.
func webhookHeader(secret, eventID string, body []byte, now time.Time) http.Header {
	h := http.Header{}
	h.Set("Content-Type", contract.ContentTypeEvent)
	h.Set(headerSignature, Sign(secret, body, now))
	h.Set(headerEventID, eventID)
	return h
}
