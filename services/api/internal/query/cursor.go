package query

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"
)

// ErrCursor is a cursor that this server did not make, or not for this version.
var ErrCursor = errors.New("the cursor is not one of ours: take it from next_cursor as it is, or leave it out")

// ErrOtherCursor is a cursor that another query's answer gave.
var ErrOtherCursor = errors.New("the cursor belongs to another query: go on with the query and the order that it came from")

const cursorVersion = "2"

// place is what a cursor says.
type place struct {
	Key
	Of uint32 // fingerprint of the query
}

// Cursor is the opaque text of a place to go on from with this query.
func (q *Query) Cursor(k Key) string { return place{k, q.Fingerprint()}.text() }

func (p place) text() string {
	body, err := json.Marshal(p)
	if err != nil { // numbers only: cannot happen
		return ""
	}
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 36)
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + "." + sum + "." + string(body)))
}

// ParseCursor reads a cursor of this query; ErrCursor or ErrOtherCursor else.
func (q *Query) ParseCursor(s string) (Key, error) {
	var p place
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Key{}, ErrCursor
	}
	parts := strings.SplitN(string(raw), ".", 3)
	if len(parts) != 3 || parts[0] != cursorVersion || json.Unmarshal([]byte(parts[2]), &p) != nil || p.text() != s {
		return Key{}, ErrCursor
	}
	if p.Of != q.Fingerprint() {
		return Key{}, ErrOtherCursor
	}
	return p.Key, nil
}
