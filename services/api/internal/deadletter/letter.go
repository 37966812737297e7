// Package deadletter knows what is on logs.dead, and sends letters back to where they came from. What a replay must not do, count a line twice, is the
// processor's care: it remembers each letter in MySQL and takes a replay once (docs/dead-letters.md).
package deadletter

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/logmill/logmill/shared/contract"
)

// Message is a message of logs.dead.
type Message struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte
	Headers    map[string]string
}

// Letter is what is kept in memory of a message.
type Letter struct {
	Offset      int64 // on logs.dead
	Time        time.Time
	Where       contract.Dead // without Error
	Reason      string
	Size        int // bytes of the payload
	ContentType string
	Excerpt     string // safe to show: printable
}

// ID names a letter: its partition and offset on logs.dead, which has one partition.
func (l *Letter) ID() string { return fmt.Sprintf("0-%d", l.Offset) }

// ParseID reads ID back.
func ParseID(id string) (offset int64, ok bool) {
	_, err := fmt.Sscanf(id, "0-%d", &offset)
	return offset, err == nil && id == (&Letter{Offset: offset}).ID() && offset >= 0
}

// kindForeign is what is not written by a service of ours.
const kindForeign = "foreign"

// letterOf reads a message. One whose headers cannot be read is a letter too.
func letterOf(m Message) Letter {
	d, err := contract.ParseDead(m.Headers)
	l := Letter{Offset: m.Offset, Time: m.Time.UTC(), Where: d, Size: len(m.Value), ContentType: Printable([]byte(m.Headers[contract.HeaderContentType]), excerptBytes),
		Reason: Printable([]byte(d.Error), maxReason), Excerpt: Printable(m.Value, excerptBytes)}
	l.Where.Error = ""
	switch {
	case err != nil:
		l.Where, l.Reason = contract.Dead{Kind: kindForeign}, err.Error()
	case d.Kind == "": // a letter of before: the processor's errors began with it
		if kind, _, ok := strings.Cut(d.Error, ": "); ok && d.Component == processor {
			l.Where.Kind = kind
		}
	}
	return l
}

const processor = "processor"

// Printable is as much of data as n bytes hold, with all that does not show as itself, or does more than show, written as an escape.
func Printable(data []byte, n int) string {
	var b strings.Builder
	for len(data) > 0 && b.Len() < n {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, data[0])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		data = data[size:]
	}
	return b.String()
}
