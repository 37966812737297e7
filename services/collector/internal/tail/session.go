package tail

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/logmill/logmill/services/collector/internal/exact"
	"github.com/logmill/logmill/shared/logrec"
)

// session is following from what is stored until something fails.
type session struct {
	*Follower
	sink      Sink
	known     known // stored places without an open file
	files     []*file
	lookFor   map[string]time.Time // known places whose file, or its copy, is searched for beside where it was, until then
	waiting   map[inode]waiting    // files that may be copies of open ones
	strangers map[inode]bool       // files of the last scan that are no known place's own
	scanned   time.Time
	alive     time.Time // when a tail of this name last stored something
	buf       []byte

	batch      batch
	said       time.Time // when progress was last told
	complained time.Time
}

// waiting is a file that waits to turn out to be a copy: of that size since then.
type waiting struct {
	since time.Time
	size  int64
}

// batch is what the next transaction takes.
type batch struct {
	live, history []logrec.Record
	bytes         int
	moved         map[string]place // by key
	forget        []string
}

func newSession(f *Follower, sink Sink, k known) *session {
	s := &session{Follower: f, sink: sink, known: k, lookFor: map[string]time.Time{}, waiting: map[inode]waiting{}, buf: make([]byte, chunk)}
	s.batch.moved = map[string]place{}
	now := f.deps.Now()
	for key, p := range k {
		s.lookFor[key] = now.Add(copyWait)
		if p.Seen.After(s.alive) {
			s.alive = p.Seen
		}
	}
	return s
}

func (s *session) close() {
	for _, fl := range s.files {
		_ = fl.f.Close()
	}
	s.deps.Metrics.files.Set(0)
}

// turn reads from every file once and commits. more: there is more to read right away.
func (s *session) turn(ctx context.Context) (more bool, err error) {
	now := s.deps.Now()
	if now.Sub(s.scanned) >= scanEvery {
		if err := s.scan(now); err != nil {
			return false, err
		}
	}
	for more = true; more && s.batch.bytes < batchBytes; {
		more = s.round(now)
	}
	if err := s.commit(ctx); err != nil {
		return false, err
	}
	s.progress(now)
	return more, nil
}

// round lets every file have a turn. more: one of them has more to read right away.
func (s *session) round(now time.Time) (more bool) {
	for _, fl := range slices.Clone(s.files) { // a file that was cut adds its successor
		got, err := s.step(fl, now)
		if err != nil { // this file's alone: the others go on
			s.complain(err, now)
		}
		more = more || got
	}
	s.rotateTurns()
	return more
}

// complain counts a file's error, and logs it unless it said so a moment ago.
func (s *session) complain(err error, now time.Time) {
	s.deps.Metrics.errors.Inc()
	if now.Sub(s.complained) >= progressEvery {
		s.complained = now
		s.deps.Log.Warn().Err(err).Msg("a file cannot be read")
	}
}

// rotateTurns lets another file be the first next time: a full batch must not always be the same ones'.
func (s *session) rotateTurns() {
	if len(s.files) > 1 {
		s.files = append(s.files[1:], s.files[0])
	}
}

// step takes one file on. more: there is more of it right away.
func (s *session) step(fl *file, now time.Time) (more bool, err error) {
	if !fl.rest && len(fl.parts) == 0 {
		if doubted, err := s.doubt(fl, now); err != nil || doubted {
			return doubted, err
		}
		truncated, err := fl.look(now)
		if err != nil {
			return false, err
		}
		if truncated {
			return true, s.truncated(fl, now)
		}
		n, err := fl.read(s.buf)
		if err != nil {
			return false, err
		}
		more = n == len(s.buf)
		switch {
		case more:
		case n == 0 && fl.orphan && now.Sub(fl.grew) >= orphanWait: // nobody reaches it any more, and its writer has let go
			fl.finish()
		default:
			fl.settle(now)
		}
	}
	s.handOut(fl, now)
	return more || len(fl.parts) > 0, nil
}

// handOut moves a file's entries into the batch, as far as it has room.
func (s *session) handOut(fl *file, now time.Time) {
	if fl.learned {
		fl.learned = false
		s.batch.moved[fl.key] = fl.place
	}
	for len(fl.parts) > 0 && s.batch.bytes < batchBytes {
		e := fl.parts[0]
		fl.parts = fl.parts[1:]
		fl.place.Offset, fl.place.Seen = e.To, now
		s.batch.moved[fl.key] = fl.place
		if strings.TrimSpace(e.Text) == "" {
			continue
		}
		rec := s.cfg.Records.record(e, fl.place.Path, now.UnixNano())
		if e.To <= fl.place.Import {
			s.batch.history = append(s.batch.history, rec)
		} else {
			s.batch.live = append(s.batch.live, rec)
		}
		s.batch.bytes += len(e.Text)
	}
	if fl.rest && len(fl.parts) == 0 {
		s.retire(fl)
	}
}

// retire lets go of a file that has been read to its end. One that is deleted needs no position any more.
func (s *session) retire(fl *file) {
	if fi, err := fl.f.Stat(); err == nil && fl.orphan && links(fi) == 0 {
		delete(s.batch.moved, fl.key)
		s.batch.forget = append(s.batch.forget, fl.key)
	} else {
		s.known[fl.key] = fl.place
	}
	s.letGo(fl)
}

func (s *session) letGo(fl *file) {
	_ = fl.f.Close()
	s.files = slices.DeleteFunc(s.files, func(o *file) bool { return o == fl })
	s.deps.Metrics.files.Set(float64(len(s.files)))
}

// truncated deals with a file that was cut or written anew: what was read of the old content goes out, its copy is looked for, and
// the new content is read from its beginning.
func (s *session) truncated(fl *file, now time.Time) error {
	s.deps.Metrics.truncated.Inc()
	s.deps.Log.Info().Str("path", fl.place.Path).Int64("offset", fl.place.Offset).Msg("the file was truncated: reading it from its beginning, and its copy to the end")
	fl.cut()
	s.lookFor[fl.key] = now.Add(copyWait)
	s.scanned = time.Time{} // its copy is there by now
	err := s.succeed(fl, now)
	s.handOut(fl, now)
	return err
}

// succeed opens the new content of a file that was cut, by its handle: another file may have its name by now.
func (s *session) succeed(fl *file, now time.Time) error {
	f, err := again(fl.f)
	if err != nil {
		return err
	}
	p := place{Path: fl.place.Path, Inode: fl.place.Inode, Seen: now}
	fresh, err := newFile(f, newKey(Prefix(s.cfg.Name)), p, s.cfg.Charset, s.cfg.Join, now)
	if err == nil {
		s.adopt(fresh)
	}
	return err
}

func (s *session) adopt(fl *file) {
	s.files = append(s.files, fl)
	delete(s.waiting, fl.place.Inode)
	s.batch.moved[fl.key] = fl.place
	s.deps.Metrics.files.Set(float64(len(s.files)))
}

// commit sends the batch.
func (s *session) commit(ctx context.Context) error {
	b := &s.batch
	if len(b.moved) == 0 && len(b.forget) == 0 {
		return nil
	}
	var positions []exact.Position
	for key, p := range b.moved {
		positions = append(positions, exact.Position{Key: key, Value: p.encode()})
	}
	for _, key := range b.forget {
		positions = append(positions, exact.Position{Key: key})
	}
	if err := s.sink.Commit(ctx, exact.Transaction{Parts: []exact.Part{{Records: b.history, Import: true}, {Records: b.live}}, Positions: positions}); err != nil {
		return err
	}
	s.deps.Metrics.sent(len(b.live)+len(b.history), b.bytes, s.behind())
	*b = batch{live: b.live[:0], history: b.history[:0], moved: map[string]place{}}
	return nil
}

func (s *session) behind() (bytes int64) {
	for _, fl := range s.files {
		bytes += fl.behind()
	}
	return bytes
}

// progress tells, while much is left to read, how far it has come.
func (s *session) progress(now time.Time) {
	left := s.behind()
	if left < 4*batchBytes || now.Sub(s.said) < progressEvery {
		return
	}
	s.said = now
	var done int64
	for _, fl := range s.files {
		done += fl.place.Offset
	}
	s.deps.Log.Info().Int("files", len(s.files)).Int64("mib_done", done>>20).Int64("mib_left", left>>20).Float64("percent", 100*float64(done)/float64(done+left)).Msg("reading what is there")
}
