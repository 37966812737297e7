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
	for _, id := range byPath(paths) {
		s.appeared(id, paths[id], now)
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

// appeared opens a file that is not open: where it stood, where the file that it is a copy of stood, or at its beginning.
func (s *session) appeared(id inode, path string, now time.Time) {
	if len(s.files) >= maxFiles {
		s.complain(fmt.Errorf("%s is not read: %d files are open already; use narrower patterns", path, maxFiles), now)
		return
	}
	if err := s.identify(id, path, now); err != nil {
		s.complain(err, now)
	}
}

func (s *session) identify(id inode, path string, now time.Time) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	again, fi, err := inodeAt(path)
	if err != nil || again != id { // it has just become another: the next scan sees it
		return err
	}
	key, err := s.known.itself(f, id, fi.Size())
	if err == nil && key == "" {
		key, err = s.known.copied(f, id, fi.Size(), s.isOpen)
	}
	if err != nil {
		return err
	}
	if key != "" {
		return s.resume(key, path, id, now)
	}
	if wait, err := s.likeOpen(f, id, now); err != nil || wait {
		return err
	}
	delete(s.waiting, id)
	return s.begin(path, id, fi, now)
}

// resume opens a file at a known place.
func (s *session) resume(key, path string, id inode, now time.Time) error {
	p := s.known[key]
	p.Path, p.Inode, p.Seen = path, id, now
	fl, err := open(path, key, p, s.cfg.Charset, s.cfg.Join, now)
	if err != nil {
		return err
	}
	delete(s.known, key)
	delete(s.lookFor, key)
	delete(s.waiting, id)
	s.adopt(fl)
	return nil
}

// likeOpen tells whether a file begins like an open one. It may be a copy that is being made: then the other is cut in a moment.
func (s *session) likeOpen(f *os.File, id inode, now time.Time) (wait bool, err error) {
	for _, fl := range s.files {
		if fl.place.HeadSize == 0 {
			continue
		}
		same, err := fl.place.sameHead(f)
		if err != nil {
			return false, err
		}
		if same {
			if _, ok := s.waiting[id]; !ok {
				s.waiting[id] = now
			}
			return now.Sub(s.waiting[id]) < copyWait, nil
		}
	}
	return false, nil
}

// begin opens a new file. What was in it before a tail of this name first ran, or last ran, is history.
func (s *session) begin(path string, id inode, fi os.FileInfo, now time.Time) error {
	p := place{Path: path, Inode: id, Seen: now}
	if !s.started && (s.alive.IsZero() || fi.ModTime().Before(s.alive)) {
		p.Import = fi.Size()
		if s.cfg.FromEnd {
			p.Offset = fi.Size()
		}
	}
	fl, err := open(path, newKey(Prefix(s.cfg.Name)), p, s.cfg.Charset, s.cfg.Join, now)
	if err != nil {
		return err
	}
	s.adopt(fl)
	return nil
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
func (s *session) continues(key string, p place, id inode, path string, now time.Time) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	again, fi, err := inodeAt(path)
	if err != nil || again != id || fi.Size() <= p.Offset || p.Inode != id && (p.HeadSize == 0 || !s.isOpen(p.Inode)) {
		return false
	}
	if same, err := p.sameHead(f); err != nil || !same {
		return false
	}
	if err := s.resume(key, path, id, now); err != nil {
		s.deps.Log.Warn().Err(err).Str("path", path).Msg("a rotated file cannot be read")
		return false
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
