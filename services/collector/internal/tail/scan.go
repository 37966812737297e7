package tail

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

// scan compares what is on the disk with what is open.
func (s *session) scan(now time.Time) error {
	s.scanned = now
	paths, err := matched(s.cfg.Patterns, s.cfg.Exclude)
	if err != nil {
		return err
	}
	s.revisit(paths, now)
	s.strangers = map[inode]bool{}
	for _, id := range byPath(paths) {
		s.appeared(id, paths[id], now, s.same)
	}
	for _, id := range byPath(paths) {
		if s.strangers[id] {
			s.appeared(id, paths[id], now, s.another)
		}
	}
	s.search(paths, now)
	for _, key := range s.known.expired(now) {
		delete(s.known, key)
		s.batch.forget = append(s.batch.forget, key)
	}
	s.started = true
	return nil
}

func byPath(paths map[inode]string) []inode {
	ids := slices.Collect(maps.Keys(paths))
	slices.SortFunc(ids, func(a, b inode) int { return cmp.Compare(paths[a], paths[b]) })
	return ids
}

// revisit follows renames of open files, and takes those from paths that are open.
func (s *session) revisit(paths map[inode]string, now time.Time) {
	for _, fl := range s.files {
		path, ok := paths[fl.place.Inode]
		switch {
		case fl.rest: // cut: the inode is its successor's
		case ok:
			fl.place.Path, fl.place.Seen, fl.orphan = path, now, false
		case !fl.orphan:
			fl.orphan, fl.grew = true, now
		}
	}
	for _, fl := range s.files {
		delete(paths, fl.place.Inode)
	}
}

// appeared opens a file that is not open and hands it to as, which may keep it.
func (s *session) appeared(id inode, path string, now time.Time, as func(found, time.Time) (kept bool, err error)) {
	if len(s.files) >= maxFiles {
		s.complain(fmt.Errorf("%s is not read: %d files are open already; use narrower patterns", path, maxFiles), now)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		s.complain(err, now)
		return
	}
	kept := false
	opened, fi, err := inodeOf(f)
	if err == nil && opened == id { // else the path has just become another's: the next scan sees it
		kept, err = as(found{f: f, path: path, id: id, fi: fi}, now)
	}
	if err != nil {
		s.complain(err, now)
	}
	if !kept {
		_ = f.Close()
	}
}

// found is a file that a path leads to.
type found struct {
	f    *os.File
	path string
	id   inode
	fi   os.FileInfo
}

// same goes on with a file that is known to be what it was. One that is not is a stranger.
func (s *session) same(n found, now time.Time) (kept bool, err error) {
	key, err := s.known.itself(n.f, n.id, n.fi.Size())
	if err != nil {
		return false, err
	}
	if s.strangers[n.id] = key == ""; key == "" {
		return false, nil
	}
	return true, s.resume(key, n, now)
}

// another reads a stranger: on where the file that it is a copy of stood, or from its beginning.
func (s *session) another(n found, now time.Time) (kept bool, err error) {
	key, err := s.known.copied(n.f, n.id, n.fi.Size(), s.wasCut)
	if err != nil {
		return false, err
	}
	if key == "" {
		if wait, err := s.likeOpen(n, now); err != nil || wait {
			return false, err
		}
		key = s.known.empty(n.id)
	}
	if key != "" {
		return true, s.resume(key, n, now)
	}
	return true, s.begin(n, now)
}

// wasCut tells whether the file that had an inode is there, under any name, and is another by now: it was cut, or written anew.
func (s *session) wasCut(id inode) bool { return s.strangers[id] || s.isOpen(id) }

// resume reads a file on at a known place.
func (s *session) resume(key string, n found, now time.Time) error {
	p := s.known[key]
	p.Path, p.Inode, p.Seen = n.path, n.id, now
	fl, err := newFile(n.f, key, p, s.cfg.Charset, s.cfg.Join, now)
	if err != nil {
		return err
	}
	delete(s.known, key)
	delete(s.lookFor, key)
	if old := s.known.empty(n.id); old != "" && p.HeadSize > 0 { // it turned out to be this one
		delete(s.known, old)
		s.batch.forget = append(s.batch.forget, old)
	}
	s.adopt(fl)
	return nil
}

// likeOpen tells whether a file is all that is in an open one, as far as it goes. It may be a copy that is being made: then the other is
// cut in a moment. A long one takes its time, and grows.
func (s *session) likeOpen(n found, now time.Time) (wait bool, err error) {
	for _, fl := range s.files {
		like, err := fl.mayBeCopy(n.f, n.fi.Size())
		if err != nil {
			return false, err
		}
		if !like {
			continue
		}
		w, ok := s.waiting[n.id]
		if !ok || w.size != n.fi.Size() {
			w = waiting{since: now, size: n.fi.Size()}
			s.waiting[n.id] = w
		}
		return now.Sub(w.since) < copyWait, nil
	}
	return false, nil
}

// begin reads a new file. What was in it before a tail of this name first ran, or last ran, is history.
func (s *session) begin(n found, now time.Time) error {
	p := place{Path: n.path, Inode: n.id, Seen: now}
	if !s.started && (s.alive.IsZero() || n.fi.ModTime().Before(s.alive)) {
		p.Import = n.fi.Size()
		if s.cfg.FromEnd {
			p.Offset = n.fi.Size()
		}
	}
	fl, err := newFile(n.f, newKey(Prefix(s.cfg.Name)), p, s.cfg.Charset, s.cfg.Join, now)
	if err != nil {
		return err
	}
	s.adopt(fl)
	return nil
}

// doubt lets go of a file that was empty when it was opened and may be a copy, as its first content shows: the next scan says. What no
// pattern matches any more is not looked for again, and none.
func (s *session) doubt(fl *file, now time.Time) (bool, error) {
	if fl.place.HeadSize > 0 || fl.orphan || fl.rest {
		return false, nil
	}
	id, fi, err := inodeOf(fl.f)
	if err != nil || fi.Size() == 0 {
		return false, err
	}
	n := found{f: fl.f, path: fl.place.Path, id: id, fi: fi}
	key, err := s.known.copied(n.f, n.id, fi.Size(), s.wasCut)
	if err != nil {
		return false, err
	}
	if key == "" {
		if wait, err := s.likeOpen(n, now); err != nil || !wait {
			return false, err
		}
	}
	s.known[fl.key] = fl.place
	s.letGo(fl)
	s.scanned = time.Time{}
	return true, nil
}

// search looks beside where known files were: rotation may have renamed or copied them to names that no pattern matches.
func (s *session) search(paths map[inode]string, now time.Time) {
	for key, until := range s.lookFor {
		p, ok := s.known[key]
		if now.After(until) {
			delete(s.lookFor, key)
			if s.isOpen(p.Inode) {
				s.deps.Metrics.unfound.Inc()
				s.deps.Log.Info().Str("path", p.Path).Int64("offset", p.Offset).Msg("no copy of a truncated file was found: what was written to it in its last moment is not sent")
			}
			continue
		}
		if !ok {
			continue // still being handed out
		}
		for id, path := range beside(p.Path) {
			if _, seen := paths[id]; seen || s.isOpen(id) {
				continue
			}
			if s.continues(key, p, id, path, now) {
				break
			}
		}
	}
}

func (s *session) isOpen(id inode) bool {
	return slices.ContainsFunc(s.files, func(fl *file) bool { return fl.place.Inode == id })
}

// continues opens a file that holds more of a known place's content than was sent.
func (s *session) continues(key string, p place, id inode, path string, now time.Time) (kept bool) {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() {
		if !kept {
			_ = f.Close()
		}
	}()
	opened, fi, err := inodeOf(f)
	if err != nil || opened != id || fi.Size() <= p.Offset || p.Inode != id && (p.HeadSize == 0 || !s.wasCut(p.Inode)) {
		return false
	}
	if same, err := p.sameHead(f); err != nil || !same {
		return false
	}
	if err := s.resume(key, found{f: f, path: path, id: id, fi: fi}, now); err != nil {
		s.deps.Log.Warn().Err(err).Str("path", path).Msg("a rotated file cannot be read")
		return true // and closed
	}
	fl := s.files[len(s.files)-1]
	fl.orphan = true
	s.deps.Log.Info().Str("path", path).Int64("offset", p.Offset).Msg("reading the rest of a rotated file")
	return true
}

// links is how many names a file has: none when it is deleted.
func links(fi os.FileInfo) uint64 {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(st.Nlink) //nolint:unconvert // smaller on some systems
}
