package yamldoc

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// lineStarts are the offsets at which lines begin, by YAML's line breaks.
func lineStarts(src []byte) []int {
	starts := []int{0}
	for i := 0; i < len(src); {
		n := lineBreak(src[i:])
		i += max(1, n)
		if n > 0 {
			starts = append(starts, i)
		}
	}
	return starts
}

// lineBreak is the length of the line break that b begins with, 0 for none.
func lineBreak(b []byte) int {
	for _, s := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if bytes.HasPrefix(b, []byte(s)) {
			return len(s)
		}
	}
	return 0
}

// offset is where a line and column are in the source.
func (d *Doc) offset(line, column int) int {
	if line < 1 || line > len(d.lines) {
		return len(d.src)
	}
	i := d.lines[line-1]
	for ; column > 1 && i < len(d.src); column-- {
		_, n := utf8.DecodeRune(d.src[i:])
		i += n
	}
	return i
}

// place is its inverse.
func (d *Doc) place(offset int) (line, column int) {
	line = len(d.lines)
	for line > 1 && d.lines[line-1] > offset {
		line--
	}
	return line, utf8.RuneCount(d.src[d.lines[line-1]:offset]) + 1
}

// inside finds the place of byte at of a scalar's value. How the value stands in the file depends on its style: with quotes, escapes,
// folded lines, indentation. What all styles share is that the characters that are not blank stand there in their order, so each is
// looked for behind the one before. An escape that spells its character (\u0041) is not found; the scalar's beginning is named then.
func (d *Doc) inside(n *yaml.Node, at int) (line, column int) {
	if n.Kind != yaml.ScalarNode {
		return n.Line, n.Column
	}
	i := d.body(n)
	value := n.Value[:min(at, len(n.Value))]
	for _, r := range value {
		if unicode.IsSpace(r) {
			continue
		}
		found := bytes.IndexRune(d.src[i:], r)
		if found < 0 || found > maxSkip {
			return n.Line, n.Column
		}
		i += found + utf8.RuneLen(r)
	}
	return d.place(d.blanks(i, n.Value[len(value):]))
}

// maxSkip is how far the next character of a scalar may be: an indentation, an escape.
const maxSkip = 1024

// body is where a scalar's text begins: behind its tag, anchor, quote, or the line of a block's indicator.
func (d *Doc) body(n *yaml.Node) int {
	i := d.offset(n.Line, n.Column)
	for i < len(d.src) && (d.src[i] == '&' || d.src[i] == '!') {
		for i < len(d.src) && !unicode.IsSpace(rune(d.src[i])) {
			i++
		}
		i = d.blanks(i, "x")
	}
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		if end := bytes.IndexByte(d.src[i:], '\n'); end >= 0 {
			return i + end + 1
		}
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && i < len(d.src):
		return i + 1
	}
	return i
}

// blanks goes to the next character, unless what follows begins with a blank itself or is the end.
func (d *Doc) blanks(i int, rest string) int {
	first, _ := utf8.DecodeRuneInString(rest)
	for rest != "" && !unicode.IsSpace(first) && i < len(d.src) && unicode.IsSpace(rune(d.src[i])) {
		i++
	}
	return i
}
