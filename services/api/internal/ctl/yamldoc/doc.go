// Package yamldoc reads YAML that people write by hand: strictly, with the place of every mistake, and without harm from files that are
// made to do harm (aliases that multiply or contain themselves, depth, size).
package yamldoc

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Position is a place in a file. Lines and columns count from 1, columns in characters; line 0 is the whole file.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is a mistake in a file.
type Problem struct {
	Position
	Message string `json:"message"`
	Warning bool   `json:"warning,omitempty"` // allowed, and probably not meant
}

func (p Problem) Error() string {
	return p.String() + map[bool]string{false: ": ", true: ": warning: "}[p.Warning] + p.Message
}

// Doc is a file's document, and what has been found wrong with it.
type Doc struct {
	Name string
	root *yaml.Node

	src      []byte
	lines    []int // where each begins in src
	spent    int   // of maxExpanded
	problems []Problem
	cut      bool // there were more problems than MaxProblems
}

// Parse reads a file. It must hold one document.
func Parse(name string, src []byte) *Doc {
	d := &Doc{Name: name, src: src, lines: lineStarts(src)}
	if len(src) > MaxBytes {
		d.add(0, 0, "the file has %d bytes, at most %d are read", len(src), MaxBytes)
		return d
	}
	var n, second yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(string(src)))
	switch err := dec.Decode(&n); {
	case errors.Is(err, io.EOF):
		d.add(1, 1, "the file is empty")
		return d
	case err != nil:
		d.syntax(err)
		return d
	}
	d.root = n.Content[0]
	switch err := dec.Decode(&second); {
	case err == nil:
		d.add(second.Line, second.Column, "a second document begins here: put everything into the first")
	case !errors.Is(err, io.EOF):
		d.syntax(err)
	}
	return d
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax keeps the line that the YAML parser names.
func (d *Doc) syntax(err error) {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits: the expression says so
		text = text[len(m[0]):]
	}
	d.add(min(line, len(d.lines)), 1, "this is not YAML: %s", strings.TrimPrefix(text, "yaml: "))
}

func (d *Doc) add(line, column int, format string, args ...any) {
	p := Problem{Position: Position{d.Name, line, column}, Message: fmt.Sprintf(format, args...)}
	switch {
	case slices.Contains(d.problems, p): // of a default that many share
	case len(d.problems) == MaxProblems:
		d.cut = true
	default:
		d.problems = append(d.problems, p)
	}
}

// Root is the document's outermost node, nil when the file could not be read.
func (d *Doc) Root() *yaml.Node { return d.root }

// Problems are what was found, in the order of the file.
func (d *Doc) Problems() []Problem {
	out := slices.Clone(d.problems)
	slices.SortStableFunc(out, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	if d.cut {
		out = append(out, Problem{Position: Position{File: d.Name}, Message: fmt.Sprintf("more than %d mistakes: the others are not shown", MaxProblems)})
	}
	return out
}

// At is where a node is.
func (d *Doc) At(n *yaml.Node) Position {
	if n == nil {
		return Position{File: d.Name}
	}
	return Position{d.Name, n.Line, n.Column}
}

// Wrong says what is wrong with a node.
func (d *Doc) Wrong(n *yaml.Node, format string, args ...any) {
	d.add(n.Line, n.Column, format, args...)
}

// WrongInside says what is wrong at a byte of a node's text; in a list or mapping it is the whole that is wrong.
func (d *Doc) WrongInside(n *yaml.Node, offset int, format string, args ...any) {
	line, column := d.inside(n, offset)
	d.add(line, column, format, args...)
}
