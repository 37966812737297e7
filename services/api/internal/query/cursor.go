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

const cursorVersion = "1"

// Cursor is the opaque text of a place to go on from.
func (k Key) Cursor() string {
	body, err := json.Marshal(k)
	if err != nil { // numbers only: cannot happen
		return ""
	}
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 36)
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + "." + sum + "." + string(body)))
}

// ParseCursor reads it back; anything else is ErrCursor.
func ParseCursor(s string) (Key, error) {
	var k Key
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return k, ErrCursor
	}
	parts := strings.SplitN(string(raw), ".", 3)
	if len(parts) != 3 || parts[0] != cursorVersion || json.Unmarshal([]byte(parts[2]), &k) != nil || k.Cursor() != s {
		return Key{}, ErrCursor
	}
	return k, nil
}
