package logrec

import (
	"fmt"
	"strconv"
	"strings"
)

// ID is a record's public identity, stable for ever: where its message lies on logs.raw, and its row: its place among the records of the
// message, in the order of time.
type ID struct {
	Stream    uint32 // row of table stream, from 1
	Partition int32
	Offset    int64
	Row       int32
}

// String is "partition-offset-row", with "stream." before it when Stream is not 1.
func (id ID) String() string {
	b := make([]byte, 0, 32)
	if id.Stream != 1 {
		b = append(strconv.AppendUint(b, uint64(id.Stream), 10), '.')
	}
	b = append(strconv.AppendInt(b, int64(id.Partition), 10), '-')
	b = append(strconv.AppendInt(b, id.Offset, 10), '-')
	return string(strconv.AppendInt(b, int64(id.Row), 10))
}

// ParseID is the inverse of String; other spellings of the same numbers are errors.
func ParseID(s string) (ID, error) {
	id := ID{Stream: 1}
	rest := s
	var ok [4]bool
	ok[0] = true
	if stream, after, dotted := strings.Cut(s, "."); dotted {
		n, err := strconv.ParseUint(stream, 10, 32)
		id.Stream, rest, ok[0] = uint32(n), after, err == nil
	}
	parts := strings.Split(rest, "-")
	if len(parts) == 3 {
		p, e1 := strconv.ParseInt(parts[0], 10, 32)
		o, e2 := strconv.ParseInt(parts[1], 10, 64)
		r, e3 := strconv.ParseInt(parts[2], 10, 32)
		id.Partition, id.Offset, id.Row = int32(p), o, int32(r)
		ok[1], ok[2], ok[3] = e1 == nil, e2 == nil, e3 == nil
	}
	if ok != [4]bool{true, true, true, true} || id.String() != s {
		return ID{}, fmt.Errorf("%q is not a record id (partition-offset-row)", clip(s, 64))
	}
	return id, nil
}
