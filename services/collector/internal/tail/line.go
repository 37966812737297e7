package tail

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// Charset is how a file's bytes spell text. The zero value is UTF-8, or what a byte order mark says.
type Charset struct {
	enc  encoding.Encoding
	wide int // bytes of a newline: 2 in UTF-16
	big  bool
}

// CharsetOf finds a charset by its name on the Web (WHATWG): utf-8, utf-16le, utf-16be, iso-8859-1, windows-1252, shift_jis …
func CharsetOf(name string) (Charset, error) {
	switch n := strings.ToLower(name); n {
	case "", "auto", "utf-8", "utf8":
		return Charset{}, nil
	case "utf-16le", "utf-16be":
		return utf16(n == "utf-16be"), nil
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return Charset{}, fmt.Errorf("encoding %q is not known", name)
	}
	return Charset{enc: enc}, nil
}

func utf16(big bool) Charset {
	order := unicode.LittleEndian
	if big {
		order = unicode.BigEndian
	}
	return Charset{enc: unicode.UTF16(order, unicode.IgnoreBOM), wide: 2, big: big}
}

// sniffed is the charset that a file's first bytes tell, and how many of them are a mark.
func (c Charset) sniffed(head []byte) (Charset, int) {
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		return c, 3
	case bytes.HasPrefix(head, []byte("\xff\xfe")) && (c.enc == nil || c.wide == 2 && !c.big):
		return utf16(false), 2
	case bytes.HasPrefix(head, []byte("\xfe\xff")) && (c.enc == nil || c.wide == 2 && c.big):
		return utf16(true), 2
	}
	return c, 0
}

// text decodes a line. What spells nothing becomes U+FFFD: a line is never lost for one byte.
func (c Charset) text(line []byte) []byte {
	if c.enc != nil {
		if out, err := c.enc.NewDecoder().Bytes(line); err == nil {
			line = out
		}
	}
	line = bytes.TrimRight(line, "\r")
	line = bytes.TrimLeft(line, "\x00") // a truncated file is NULs up to where its writer still stands
	if !utf8.Valid(line) {
		line = bytes.ToValidUTF8(line, []byte("\uFFFD"))
	}
	return line
}

// splitter cuts a file's bytes into lines. It holds less than a line between calls, and never more than MaxLine and a chunk.
type splitter struct {
	charset Charset
	buf     []byte
	at      int64 // where buf begins in the file
	scanned int   // of buf: no newline up to here
	part    int   // of the line at the front of buf: pieces given already
}

// line is a piece of a file between newlines.
type line struct {
	raw      []byte // without the newline; good until the next feed
	from, to int64
	part     int // as Entry.Part
}

func (s *splitter) feed(b []byte) { s.buf = append(s.buf, b...) }

// next is the next whole line, or a piece of one that is too long. final: there will be no more, so the rest is a line as well.
func (s *splitter) next(final bool) (l line, ok bool) {
	n := s.newline()
	width := max(1, s.charset.wide)
	switch {
	case n >= 0 && n <= MaxLine:
		return s.cut(n, n+width, s.part > 0, true), true
	case len(s.buf) > MaxLine:
		n = s.pieceEnd()
		return s.cut(n, n, true, false), true
	case final && len(s.buf) > 0:
		return s.cut(len(s.buf), len(s.buf), s.part > 0, true), true
	}
	return line{}, false
}

func (s *splitter) cut(n, skip int, partial, last bool) line {
	l := line{raw: s.buf[:n:n], from: s.at, to: s.at + int64(skip)}
	if partial {
		s.part++
		l.part = s.part
	}
	if last {
		s.part = 0
	}
	s.buf, s.at, s.scanned = s.buf[skip:], l.to, 0
	return l
}

// newline is the place of the first newline in buf, −1 for none.
func (s *splitter) newline() int {
	if s.charset.wide != 2 {
		i := bytes.IndexByte(s.buf[s.scanned:], '\n')
		if i < 0 {
			s.scanned = len(s.buf)
			return -1
		}
		return s.scanned + i
	}
	low := 0
	if s.charset.big {
		low = 1
	}
	i := s.scanned &^ 1
	for ; i+1 < len(s.buf); i += 2 {
		if s.buf[i+low] == '\n' && s.buf[i+1-low] == 0 {
			return i
		}
	}
	s.scanned = i
	return -1
}

// pieceEnd is where the first piece of a line that is too long ends: not within a character.
func (s *splitter) pieceEnd() int {
	n := MaxLine
	if s.charset.wide == 2 {
		return n &^ 1
	}
	for k := 1; s.charset.enc == nil && k < utf8.UTFMax; k++ {
		if utf8.RuneStart(s.buf[n]) {
			break
		}
		n--
	}
	return n
}

// reset begins anew at a place of a file.
func (s *splitter) reset(at int64) { *s = splitter{charset: s.charset, buf: s.buf[:0], at: at} }
