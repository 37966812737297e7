// Package model is what a log store must answer, in its simplest form: all lines that were sent, in a slice, and queries that look at each.
// Tests ask the running system the same and compare. Lines come in and, by retention, go while answers are made, so there are lines that
// must be in an answer, and others that may be.
package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Line is a line that was sent. Times are ns.
type Line struct {
	N       int // its number, which it carries as the attribute "n"
	At      int64
	Service string
	Level   int // place in Levels
	Word    int
	Status  int
	Sent    int64 // by the clock of receipt: not received before
	Acked   int64 // and not after; 0 = not acknowledged yet
}

// Levels by severity.
var Levels = []string{"debug", "info", "warn", "error", "fatal"}

const (
	services = 24
	words    = 40
)

// Model is safe for concurrent use.
type Model struct {
	mu     sync.Mutex
	rng    *rand.Rand
	lines  []Line
	stored int // lines below are stored
}

// New makes an empty model whose lines depend on the seed.
func New(seed uint64) *Model { return &Model{rng: rand.New(rand.NewPCG(seed, 5))} }

// Make makes n lines that happen about now; some are of before, and a few of long before.
func (m *Model) Make(n int, now time.Time) []Line {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := len(m.lines)
	for range n {
		l := Line{N: len(m.lines), Service: fmt.Sprintf("svc-%d", min(m.rng.IntN(services), m.rng.IntN(services))), Level: min(m.rng.IntN(5), m.rng.IntN(6)),
			Word: min(m.rng.IntN(words), m.rng.IntN(words)), Status: []int{200, 200, 200, 404, 500, 503}[m.rng.IntN(6)], Sent: now.UnixNano()}
		l.At = l.Sent - m.rng.Int64N(int64(time.Minute))
		switch m.rng.IntN(50) {
		case 0: // an import
			l.At -= m.rng.Int64N(int64(20 * 24 * time.Hour))
		case 1:
			l.At += m.rng.Int64N(int64(5 * time.Minute))
		}
		m.lines = append(m.lines, l)
	}
	return slices.Clone(m.lines[first:])
}

// Body is lines as NDJSON.
func Body(lines []Line) []byte {
	var b []byte
	for i := range lines {
		l := &lines[i]
		b = fmt.Appendf(b, `{"timestamp":"%s","service":"%s","level":"%s","message":"%s","response_status":%d,"n":"%d"}`+"\n",
			time.Unix(0, l.At).UTC().Format(time.RFC3339Nano), l.Service, Levels[l.Level], l.message(), l.Status, l.N)
	}
	return b
}

func (l *Line) message() string { return fmt.Sprintf("request %d: word%d was said", l.N, l.Word) }

// Acked notes that lines were acknowledged.
func (m *Model) Acked(lines []Line, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range lines {
		m.lines[lines[i].N].Acked = now.UnixNano()
	}
}

// Len is how many lines were made; Stored notes that all of the first n are stored.
func (m *Model) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.lines)
}

// Stored notes that the first n lines are stored.
func (m *Model) Stored(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stored = max(m.stored, n)
}

// Known is how many lines are known to be stored.
func (m *Model) Known() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stored
}

// Query is a question and how to answer it line by line.
type Query struct {
	Text       string
	Match      func(*Line) bool
	Start, End int64 // of At, ns; End exclusive
}

// Found is a line of an answer.
type Found struct {
	N  int
	At int64
}

// Compare says what is wrong with an answer in full, "" when nothing is. known is Known before the question was asked; lines received
// before kept (ns) may be gone.
func (m *Model) Compare(q Query, answer []Found, known int, kept int64, newestFirst bool) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	got := make(map[int]bool, len(answer))
	for i, f := range answer {
		switch {
		case f.N < 0 || f.N >= len(m.lines):
			return fmt.Sprintf("line %d was never sent", f.N)
		case got[f.N]:
			return fmt.Sprintf("line %d is there twice", f.N)
		case !q.asks(&m.lines[f.N]):
			return fmt.Sprintf("line %d was not asked for: %+v", f.N, m.lines[f.N])
		case f.At != m.lines[f.N].At:
			return fmt.Sprintf("line %d has another time", f.N)
		case newestFirst && i > 0 && f.At > answer[i-1].At:
			return fmt.Sprintf("line %d is out of order", f.N)
		}
		got[f.N] = true
	}
	var missing []int
	for i := range m.lines[:known] {
		if l := &m.lines[i]; l.Sent >= kept && q.asks(l) && !got[i] {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		return fmt.Sprintf("%d of %d lines are missing, such as %+v", len(missing), len(missing)+len(answer), m.lines[missing[0]])
	}
	return ""
}

// Counts are the bounds of how many lines a question finds, as for Compare.
func (m *Model) Counts(q Query, known int, kept int64) (least, most int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.lines {
		if l := &m.lines[i]; q.asks(l) {
			most++
			if i < known && l.Sent >= kept {
				least++
			}
		}
	}
	return least, most
}

// Older counts lines of an answer that were acknowledged before a moment (ns).
func (m *Model) Older(answer []Found, than int64) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range answer {
		if l := &m.lines[f.N]; l.Acked != 0 && l.Acked < than {
			n++
		}
	}
	return n
}

func (q *Query) asks(l *Line) bool { return l.At >= q.Start && l.At < q.End && q.Match(l) }

// Random is a query over a part of the time between two moments.
func Random(rng *rand.Rand, from, to time.Time) Query {
	q := expression(rng, 2)
	span := to.Sub(from)
	width := time.Duration(float64(span) * []float64{0.02, 0.1, 0.5, 1}[rng.IntN(4)])
	q.Start = from.Add(time.Duration(rng.Float64() * float64(span-width))).UnixNano()
	q.End = q.Start + int64(width)
	return q
}

func expression(rng *rand.Rand, depth int) Query {
	if depth == 0 || rng.IntN(3) == 0 {
		return leaf(rng)
	}
	a, b := expression(rng, depth-1), expression(rng, depth-1)
	switch rng.IntN(4) {
	case 0:
		return Query{Text: "(" + a.Text + " OR " + b.Text + ")", Match: func(l *Line) bool { return a.Match(l) || b.Match(l) }}
	case 1:
		return Query{Text: a.Text + " -" + group(b.Text), Match: func(l *Line) bool { return a.Match(l) && !b.Match(l) }}
	}
	return Query{Text: group(a.Text) + " " + group(b.Text), Match: func(l *Line) bool { return a.Match(l) && b.Match(l) }}
}

func group(text string) string {
	if strings.Contains(text, " ") {
		return "(" + text + ")"
	}
	return text
}

func leaf(rng *rand.Rand) Query {
	n := rng.IntN(services)
	service, word, level := fmt.Sprintf("svc-%d", n), rng.IntN(words), rng.IntN(len(Levels))
	switch rng.IntN(6) {
	case 0:
		return Query{Text: "service:" + service, Match: func(l *Line) bool { return l.Service == service }}
	case 1:
		return Query{Text: "level:>=" + Levels[level], Match: func(l *Line) bool { return l.Level >= level }}
	case 2:
		return Query{Text: fmt.Sprintf(`"word%d was said"`, word), Match: func(l *Line) bool { return l.Word == word }}
	case 3:
		return Query{Text: "response_status:>=500", Match: func(l *Line) bool { return l.Status >= 500 }}
	case 4:
		return Query{Text: fmt.Sprintf("n:*%d", n), Match: func(l *Line) bool { return strings.HasSuffix(fmt.Sprint(l.N), fmt.Sprint(n)) }}
	}
	return Query{Text: fmt.Sprintf("word%d", word), Match: func(l *Line) bool { return l.Word == word }}
}

// All asks for everything.
func All(from, to time.Time) Query {
	return Query{Text: "*", Match: func(*Line) bool { return true }, Start: from.UnixNano(), End: to.UnixNano()}
}
