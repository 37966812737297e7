package tail

import (
	"bytes"
	"regexp"
	"slices"
)

// Entry is what becomes one record: a line, or lines that belong together, and the bytes of the file that it takes.
type Entry struct {
	Text     string
	From, To int64
	Part     int // 1, 2, … of a line that is too long for one record; 0 = whole
}

// Join says which lines belong to the entry before them.
type Join struct {
	Off   bool           // none
	Start *regexp.Regexp // those that it does not match; nil: those that continue a stack trace, or lack the time that the entry began with
}

// joiner puts the lines of an entry together. It sees the lines of one file in order and holds one entry.
type joiner struct {
	how      Join
	open     bool
	text     []byte
	lines    int
	from, to int64
	start    start // of the entry
	trace    trace
}

// add takes a line in and returns the entry that it ends, if any.
func (j *joiner) add(line []byte, from, to int64) (e Entry, ok bool) {
	if j.open && j.continues(line) {
		j.text = append(append(j.text, '\n'), line...)
		j.lines, j.to = j.lines+1, to
		j.trace.see(line)
		return Entry{}, false
	}
	e, ok = j.flush()
	j.open, j.lines, j.from, j.to = true, 1, from, to
	j.text = append(j.text[:0], line...)
	j.start, j.trace = startOf(line), trace{}
	j.trace.see(line)
	return e, ok
}

// flush ends the entry.
func (j *joiner) flush() (Entry, bool) {
	if !j.open {
		return Entry{}, false
	}
	j.open = false
	return Entry{Text: string(bytes.TrimRight(j.text, "\n")), From: j.from, To: j.to}, true
}

func (j *joiner) continues(line []byte) bool {
	switch {
	case j.how.Off || j.lines >= maxJoined || len(j.text)+1+len(line) > MaxLine:
		return false
	case j.how.Start != nil:
		return !j.how.Start.Match(line)
	case j.start == closed || startOf(line) != plain:
		return false
	case j.start == timed:
		return true
	}
	return j.trace.continues(line)
}

// trace follows a stack trace in text that carries no times.
type trace struct {
	python, goPanic bool
	indented        bool // the last line was
	ended           bool // Python has named its exception: only a chained one may follow
}

var (
	indentMore = [][]byte{[]byte("Caused by:"), []byte("Suppressed:"), []byte("... ")} // Java
	pyStart    = []byte("Traceback (most recent call last):")
	pyChain    = [][]byte{pyStart, []byte("During handling of the above exception"), []byte("The above exception was the direct cause"), []byte("Exception Group Traceback")}
	goStart    = [][]byte{[]byte("panic: "), []byte("fatal error: "), []byte("goroutine "), []byte("unexpected fault address")}
	goMore     = append(slices.Clone(goStart), []byte("created by "), []byte("[signal "), []byte("exit status "), []byte("runtime: "), []byte("\t"))
	goCall     = regexp.MustCompile(`^[\w./*()\[\]{}$·-]+\(.*\)$`)
	pyEnd      = regexp.MustCompile(`^[A-Za-z_][\w.]*(: |:?$)`) // ValueError: …, or the name alone
	closing    = regexp.MustCompile(`^[}\])]+[;,]?$`)           // Node prints an error's fields as an object
)

func startsWithAny(line []byte, starts [][]byte) bool {
	return slices.ContainsFunc(starts, func(s []byte) bool { return bytes.HasPrefix(line, s) })
}

func isIndented(line []byte) bool { return len(line) > 0 && (line[0] == ' ' || line[0] == '\t') }

// see takes note of a line of the entry.
func (t *trace) see(line []byte) {
	switch {
	case bytes.HasPrefix(line, pyStart):
		t.python, t.ended = true, false
	case startsWithAny(line, goStart):
		t.goPanic = true
	case t.python && t.indented && !isIndented(line) && pyEnd.Match(line):
		t.ended = true
	}
	t.indented = isIndented(line)
}

func (t *trace) continues(line []byte) bool {
	switch {
	case isIndented(line) || startsWithAny(line, indentMore) || t.indented && closing.Match(line):
		return true
	case t.python && (len(line) == 0 || startsWithAny(line, pyChain)):
		return true
	case t.python && !t.ended:
		return t.indented && pyEnd.Match(line)
	case t.goPanic:
		return len(line) == 0 || startsWithAny(line, goMore) || goCall.Match(line)
	}
	return false
}
