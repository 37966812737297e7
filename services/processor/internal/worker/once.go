package worker

import (
	"context"
	"time"

	"github.com/logmill/logmill/services/processor/internal/dedup"
	"github.com/logmill/logmill/services/processor/internal/pipeline"
	"github.com/logmill/logmill/services/processor/internal/store"
	"github.com/logmill/logmill/shared/contract"
)

// Requests are the requests with an Idempotency-Key that MySQL remembers.
type Requests interface {
	Requests(ctx context.Context, p store.Progress, keys []contract.RequestKey) (map[contract.RequestKey]dedup.Seen, error)
	DropRequests(ctx context.Context, p store.Progress, before int64, limit int) (dropped int64, err error)
}

// Letters are the dead letters that MySQL remembers.
type Letters interface {
	Letters(ctx context.Context, p store.Progress, offsets []int64) (map[int64]dedup.Letter, error)
	DropLetters(ctx context.Context, limit int) (dropped int64, err error)
}

// once tells messages that are stored already from new ones.
type once struct {
	batches  *dedup.Producers
	requests dedup.Requests
	letters  dedup.Letters
	newest   int64 // time of the newest message, ns: what is forgotten lies that far behind it

	sameBatch, sameRequest, sameLetter, unknownLetter int // messages of this round that were stored before
}

func (o *once) begin(stored map[contract.RequestKey]dedup.Seen, letters map[int64]dedup.Letter) {
	o.batches.Begin()
	o.requests.Begin(stored)
	o.letters.Begin(letters)
	o.sameBatch, o.sameRequest, o.sameLetter, o.unknownLetter = 0, 0, 0, 0
}

// judge a message; a new one is in the block's memory from now on, and a replay is told what is missing of it.
func (o *once) judge(m *pipeline.Message, now int64) dedup.Verdict {
	at := timeOf(*m, now)
	o.newest = max(o.newest, at)
	if !o.batches.Fresh(m.Identity, at) {
		o.sameBatch++
		return dedup.Repeat
	}
	if m.Replay != (contract.Replay{}) {
		return o.judgeReplay(m)
	}
	v := o.requests.Judge(m.Request, at)
	switch v {
	case dedup.New:
		o.letters.Stored(m.Request, m.Offset)
	case dedup.Repeat:
		o.sameRequest++
	}
	return v
}

// judgeReplay gives a replay the time and the rows of its letter. One that cannot be read for its rows is dropped: stored as a whole, it could count lines twice.
func (o *once) judgeReplay(m *pipeline.Message) dedup.Verdict {
	letter, v, known := o.letters.Judge(m.Replay, m.Offset)
	rows, err := pipeline.ParseRows(letter.Rows)
	switch {
	case !known || err != nil:
		o.unknownLetter++
		return dedup.Repeat
	case v == dedup.Repeat:
		o.sameLetter++
	}
	m.Time, m.Import, m.Only = letter.At, letter.Import, rows
	return v
}

// timeOf is a message's time, ns; a sender's clock that runs ahead must not make us forget.
func timeOf(m pipeline.Message, now int64) int64 {
	if m.Time == 0 {
		return now
	}
	return min(m.Time, now)
}

// begin starts a block: what MySQL remembers of the requests in hand is asked for at once, and not at all when none has a key.
func (w *Worker) begin(ctx context.Context) (now int64, err error) {
	stored, err := w.storedRequests(ctx)
	if err != nil {
		return 0, err
	}
	letters, err := w.storedLetters(ctx)
	if err != nil {
		return 0, err
	}
	now = w.deps.Now()
	w.once.begin(stored, letters)
	w.pipe.Begin(now, w.progress.Watermark)
	return now, nil
}

func (w *Worker) storedRequests(ctx context.Context) (map[contract.RequestKey]dedup.Seen, error) {
	var keys []contract.RequestKey
	for i := range w.held {
		if r := w.held[i].Request; r != (contract.Request{}) {
			keys = append(keys, r.Key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	db, cancel := database(ctx)
	defer cancel()
	return w.deps.Requests.Requests(db, w.progress, keys)
}

// storedLetters are those of which replays are in hand. Replays of other streams' letters, or of other partitions', are of none that we know.
func (w *Worker) storedLetters(ctx context.Context) (map[int64]dedup.Letter, error) {
	var offsets []int64
	held := w.held
	if w.single > 0 { // they go one by one: the others are asked for when they come
		held = held[:min(1, len(held))]
	}
	for i := range held {
		if r := held[i].Replay; r.Stream == w.progress.Stream && r.Partition == w.progress.Partition && r != (contract.Replay{}) {
			offsets = append(offsets, r.Offset)
		}
	}
	if len(offsets) == 0 {
		return nil, nil
	}
	db, cancel := database(ctx)
	defer cancel()
	return w.deps.Letters.Letters(db, w.progress, offsets)
}

// add puts a message into the block, unless it is stored already.
func (w *Worker) add(m *pipeline.Message, now int64) {
	switch w.once.judge(m, now) {
	case dedup.New:
		w.pipe.Add(*m)
	case dedup.Conflict:
		w.pipe.Refuse(*m, conflict, "the Idempotency-Key of this request was used for another one less than ten minutes before")
	}
}

// conflict is the kind of dead letter that a request's second body is.
const conflict = "idempotency_conflict"

// remember adds to a commit what has to be remembered with it.
func (w *Worker) remember(c store.Commit, dead []pipeline.Dead) store.Commit {
	data, forgotten := w.once.batches.Encode()
	w.deps.Metrics.forgotten.Add(float64(forgotten))
	c.Producers, c.Requests, c.Replayed = data, w.once.requests.Added(), w.once.letters.Replays()
	for _, d := range dead {
		l := store.Letter{Offset: d.Message.Offset, Kind: d.Kind, Rows: d.Rows.String(), At: d.Message.Time, Import: d.Message.Import, ReplayOf: d.Message.Replay}
		if d.Kind == conflict {
			l.Request = d.Message.Request
		}
		c.Dead = append(c.Dead, l)
	}
	return c
}

// recall reads the memory of producers. One that cannot be read must not hold up the partition: without it a batch is stored twice only if
// the broker forgot its producer in this very moment.
func (w *Worker) recall() {
	var err error
	if w.once.batches, err = dedup.Load(w.progress.Producers); err != nil {
		w.log.Error().Err(err).Msg("batches written twice are not known for a while")
	}
}

// forget deletes keys that are not honoured any more, dead letters that were not asked for, and which windows were written long ago.
func (w *Worker) forget(ctx context.Context) error {
	db, cancel := database(ctx)
	defer cancel()
	n, err := w.deps.Requests.DropRequests(db, w.progress, w.once.newest-int64(dedup.KeepKey), ForgetAtOnce)
	if err != nil {
		return err
	}
	changes, err := w.deps.Windows.DropWindowChanges(db, w.progress, ForgetAtOnce)
	if err != nil {
		return err
	}
	letters, err := w.deps.Letters.DropLetters(db, ForgetAtOnce)
	if err != nil {
		return err
	}
	if max(n, changes, letters) < ForgetAtOnce { // else there are more: the next round goes on
		w.forgot = time.Now()
	}
	return nil
}
