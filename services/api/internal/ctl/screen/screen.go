// Package screen writes for people: colours where there is a terminal, tables, and nothing that a log line could do to a terminal.
package screen

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Screen is where a command writes.
type Screen struct {
	Out, Err io.Writer
	Terminal bool // Out is one
	Colour   bool
	Width    int // of the terminal, characters; 0 = no limit
}

// Style is a colour, as the number that terminals know it by (ECMA-48); "" for none.
type Style string

// The styles.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Blue   Style = "34"
	Purple Style = "35"
	Cyan   Style = "36"
	Alarm  Style = "1;31"
)

// Paint colours a text.
func (s *Screen) Paint(style Style, text string) string {
	if !s.Colour || style == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Print writes a line of output.
func (s *Screen) Print(format string, args ...any) error {
	_, err := fmt.Fprintf(s.Out, format+"\n", args...)
	return err
}

// Note tells people something beside the output.
func (s *Screen) Note(format string, args ...any) {
	_, _ = fmt.Fprintln(s.Err, "logmillctl: "+fmt.Sprintf(format, args...)) // nobody is left to tell
}

// Clean makes what would steer a terminal visible: escape sequences in a log line must not move the cursor or change the title.
// Line breaks and tabs stay when lines is true.
func Clean(text string, lines bool) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return steers(r) || !lines && (r == '\n' || r == '\t') }) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		switch {
		case (r == '\n' || r == '\t') && lines:
			b.WriteRune(r)
		case r == '\n':
			b.WriteString("⏎")
		case r == '\t':
			b.WriteByte(' ')
		case r < 0x80 && steers(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case steers(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// steers tells whether a terminal would do something else than show r: controls, and what turns the direction of writing.
func steers(r rune) bool {
	return unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}
