package deadletter

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/fault"
)

// States of a letter.
const (
	Open       = "open"        // it lies there
	Replayed   = "replayed"    // it was sent back, and what was missing of it is stored
	DeadAgain  = "dead_again"  // it was sent back, and is another letter now
	Unrecorded = "unrecorded"  // MySQL does not know it: of a try that was given up, of before letters were recorded, or older than 90 days
	Elsewhere  = "not_logmill" // it is not of logs.raw: nobody here knows what became of it
)

// States lists them.
var States = []string{Open, Replayed, DeadAgain, Unrecorded, Elsewhere}

// Row is what the processor remembers of a letter.
type Row struct {
	Partition  int32
	Offset     int64 // of its message on logs.raw
	ReplayOf   int64 // offset there of the letter that it was a replay of; -1 = none
	ReplayedAs int64 // offset there of its replay; -1 = none
	By         string
	At         time.Time // of the replay's end
}

// Store is what MySQL knows.
type Store interface {
	// DeadLetters are rows of a stream, the newest.
	DeadLetters(ctx context.Context, stream uint32, limit int) ([]Row, error)
	// AuditReplay notes that somebody asks for letters to be sent back.
	AuditReplay(ctx context.Context, who string, what Asked) error
}

// Asked is what somebody asked for, as the audit has it.
type Asked struct {
	Letters []string `json:"letters,omitempty"` // ids
	Kind    string   `json:"kind,omitempty"`
	Through string   `json:"through,omitempty"` // id of the last
	Count   int      `json:"count"`
	Note    string   `json:"note,omitempty"`
}

// Deps of a Book.
type Deps struct {
	Log    Log
	Store  Store
	Stream func(ctx context.Context) (uint32, error) // of logs.raw as it is now; 0 = nothing was ever stored
	Send   func(ctx context.Context, partition int32, key, value []byte, headers []contract.Header) error
}

// Book is the dead letters with what became of them. Safe for concurrent use.
type Book struct {
	d Deps
	x *index
}

// New makes a book.
func New(d Deps) *Book { return &Book{d: d, x: &index{log: d.Log}} }

// Entry is a letter and what became of it.
type Entry struct {
	*Letter
	State       string
	WhyNot      string // it cannot be sent back; "" = it can
	ReplayedBy  string
	ReplayedAt  time.Time
	ReplayedAs  int64  // offset on logs.raw; -1 = none
	NextLetter  string // id of the letter that its replay became
	ReplayOf    int64  // offset on logs.raw of the letter before; -1 = none
	FirstLetter string // its id
}

// place is where a message of logs.raw lies.
type place struct {
	partition int32
	offset    int64
}

// page is all entries, oldest first.
type page struct {
	entries []Entry
	rows    []Row
	stream  uint32
	rest    string
}

// read looks at Kafka and MySQL.
func (b *Book) read(ctx context.Context) (page, error) {
	letters, rest, err := b.x.look(ctx)
	if err != nil {
		return page{}, fault.Unavailable(err, "the dead letters cannot be read from Kafka")
	}
	stream, err := b.d.Stream(ctx)
	if err != nil {
		return page{}, err
	}
	rows, err := b.d.Store.DeadLetters(ctx, stream, maxRows)
	if err != nil {
		return page{}, err
	}
	return page{entries: join(letters, stream, rows), rows: rows, stream: stream, rest: rest}, nil
}

// entry is that of a message, which may be older than the letters that are known.
func (p *page) entry(m Message) Entry {
	for i := range p.entries {
		if p.entries[i].Offset == m.Offset {
			return p.entries[i]
		}
	}
	return join([]Letter{letterOf(m)}, p.stream, p.rows)[0]
}

// join puts letters and rows together.
func join(letters []Letter, stream uint32, rows []Row) []Entry {
	known, ids, again := map[place]*Row{}, map[place]string{}, map[place]bool{}
	for i := range rows {
		r := &rows[i]
		known[place{r.Partition, r.Offset}] = r
		if r.ReplayOf >= 0 {
			again[place{r.Partition, r.ReplayOf}] = true
		}
	}
	for i := range letters {
		if l := &letters[i]; l.ours(stream) {
			ids[l.place()] = l.ID()
		}
	}
	out := make([]Entry, len(letters))
	for i := range letters {
		l := &letters[i]
		e := Entry{Letter: l, State: Open, ReplayedAs: -1, ReplayOf: -1}
		e.WhyNot = l.whyNot(stream)
		r := known[l.place()]
		switch {
		case l.Where.Topic != contract.TopicRaw:
			e.State = Elsewhere
		case !l.ours(stream) || r == nil:
			e.State = Unrecorded
			if e.WhyNot == "" {
				e.WhyNot = "it was not decided: its message was read again after it was put here, or it is older than 90 days"
			}
		default:
			e.fill(r, again[l.place()], ids)
		}
		out[i] = e
	}
	return out
}

func (e *Entry) fill(r *Row, again bool, ids map[place]string) {
	if e.ReplayOf = r.ReplayOf; r.ReplayOf >= 0 {
		e.FirstLetter = ids[place{r.Partition, r.ReplayOf}]
	}
	if r.ReplayedAs < 0 {
		return
	}
	e.State, e.WhyNot = Replayed, "it was replayed before"
	e.ReplayedAs, e.ReplayedBy, e.ReplayedAt = r.ReplayedAs, r.By, r.At
	if again {
		e.State, e.NextLetter = DeadAgain, ids[place{r.Partition, r.ReplayedAs}]
	}
}

func (l *Letter) place() place { return place{l.Where.Partition, l.Where.Offset} }

// ours: MySQL may know it.
func (l *Letter) ours(stream uint32) bool {
	return l.Where.Topic == contract.TopicRaw && l.Where.Stream != 0 && l.Where.Stream == stream
}

func (l *Letter) whyNot(stream uint32) string {
	switch {
	case strings.HasPrefix(l.Where.Component, "bridge-"):
		return "it is an alert event for one receiver: docs/bridges.md says how to deliver it again"
	case l.Where.Topic != contract.TopicRaw:
		return "it lay on a topic that is not ours: others who read that topic would get it twice"
	case l.Where.Stream == 0:
		return "it is of before dead letters were recorded"
	case l.Where.Stream != stream:
		return "logs.raw was made anew since: its partition may be another's"
	}
	return ""
}

// Filter chooses letters. Empty fields choose all.
type Filter struct {
	Kinds, Components, States []string
	Start, End                time.Time
	Before                    int64 // offsets on logs.dead below
	Limit                     int
}

func (f *Filter) takes(e *Entry) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return in(f.Kinds, e.Where.Kind) && in(f.Components, e.Where.Component) && in(f.States, e.State) && !e.Time.Before(f.Start) && e.Time.Before(f.End) && e.Offset < f.Before
}

// Count is how many letters there are of a kind.
type Count struct {
	Kind      string `json:"kind"`
	Component string `json:"component"`
	State     string `json:"state"`
	Count     int    `json:"count"`
}

// List is a page of letters.
type List struct {
	Entries []Entry // newest first
	More    bool
	Counts  []Count // of all letters that are known, whatever the filter
	Rest    string  // what is not known; "" = nothing
}

// List finds letters.
func (b *Book) List(ctx context.Context, f Filter) (List, error) {
	p, err := b.read(ctx)
	if err != nil {
		return List{}, err
	}
	out := List{Entries: []Entry{}, Counts: counts(p.entries), Rest: p.rest}
	for i := len(p.entries) - 1; i >= 0; i-- {
		if !f.takes(&p.entries[i]) {
			continue
		}
		if out.More = len(out.Entries) == f.Limit; out.More {
			break
		}
		out.Entries = append(out.Entries, p.entries[i])
	}
	return out, nil
}

func counts(entries []Entry) []Count {
	sum := map[Count]int{}
	for i := range entries {
		e := &entries[i]
		sum[Count{Kind: e.Where.Kind, Component: e.Where.Component, State: e.State}]++
	}
	out := []Count{}
	for c, n := range sum {
		c.Count = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Component+"\x00"+a.Kind+"\x00"+a.State, b.Component+"\x00"+b.Kind+"\x00"+b.State)
	})
	return out
}

// Get is one letter with its payload, as far as it can be shown; whole is false when that is not all of it. NotFound.
func (b *Book) Get(ctx context.Context, offset int64) (e Entry, payload string, whole bool, err error) {
	m, ok, err := one(ctx, b.d.Log, offset)
	if err != nil {
		return e, "", false, fault.Unavailable(err, "the dead letter cannot be read from Kafka")
	}
	if !ok {
		return e, "", false, fault.NotFound("there is no dead letter %s (any more)", (&Letter{Offset: offset}).ID())
	}
	p, err := b.read(ctx)
	if err != nil {
		return e, "", false, err
	}
	shown := m.Value[:min(len(m.Value), payloadBytes)]
	return p.entry(m), Printable(shown, 4*payloadBytes), len(shown) == len(m.Value), nil
}

func named(offset int64) string { return fmt.Sprintf("0-%d", offset) }
