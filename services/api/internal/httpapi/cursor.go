package httpapi

import (
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"strconv"
	"strings"
)

// seal makes the opaque text of a place in a list. The list's name is in its checksum, so that a cursor of another list is refused.
func seal(list string, place any) string {
	body, err := json.Marshal(place)
	if err != nil { // numbers and texts only: cannot happen
		return ""
	}
	sum := strconv.FormatUint(uint64(crc32.ChecksumIEEE(append([]byte(list+"."), body...))), 36)
	return base64.RawURLEncoding.EncodeToString([]byte(sum + "." + string(body)))
}

// cursor reads the parameter cursor back; false without one, or with one that is not of this list.
func (p *params) cursor(list string, place any) bool {
	text := p.c.QueryParam("cursor")
	if text == "" {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	_, body, ok := strings.Cut(string(raw), ".")
	if err != nil || !ok || json.Unmarshal([]byte(body), place) != nil || seal(list, place) != text {
		p.wrong("cursor", "is not one of this list: take it from next_cursor as it is, or leave it out")
		return false
	}
	return true
}
