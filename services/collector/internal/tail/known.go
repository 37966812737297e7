package tail

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// known are the places that are stored, without those that are open. The rules of who is who are here:
//
//   - the same inode, beginning the same and not shorter: the file itself, renamed or not;
//   - another inode that begins the same, while the file itself was cut: its copy (copytruncate), read on where it stood;
//   - another inode that begins the same, while the file itself is as it was: perhaps a copy that is being made, which is waited for;
//   - the same inode under a place that knows no beginning: seen while it was empty, which a copy that is being made is at first, too;
//   - everything else is a new file.
//
// Every file is asked for the first of them before any is asked for the second: a copy's name may come before its original's.
type known map[string]place // by key

func readKnown(stored map[string][]byte) (known, error) {
	k := known{}
	for key, value := range stored {
		var p place
		if err := json.Unmarshal(value, &p); err != nil {
			return nil, fmt.Errorf("reading position %s: %w", key, err)
		}
		k[key] = p
	}
	return k, nil
}

// newKey names a place. Nothing of a file names it for ever, so that the name is random.
func newKey(prefix string) string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return prefix + hex.EncodeToString(b)
}

// itself finds the place of a file by its inode.
func (k known) itself(f *os.File, id inode, size int64) (key string, err error) {
	return k.best(f, size, func(p place) bool { return p.Inode == id && p.HeadSize > 0 })
}

// empty finds the place of a file that was empty when it was last seen.
func (k known) empty(id inode) (key string) {
	for _, at := range k.keys() {
		if p := k[at]; p.Inode == id && p.HeadSize == 0 {
			return at
		}
	}
	return ""
}

// copied finds the place that a file continues as a copy. cut tells whether the original was truncated: a file that is merely gone
// leaves no copies, and a new one that begins alike must not lose its first lines to it.
func (k known) copied(f *os.File, id inode, size int64, cut func(inode) bool) (key string, err error) {
	return k.best(f, size, func(p place) bool { return p.Inode != id && p.HeadSize > 0 && cut(p.Inode) })
}

// best is the candidate whose head fits and says most.
func (k known) best(f *os.File, size int64, candidate func(place) bool) (key string, err error) {
	best := -1
	for _, at := range k.keys() {
		p := k[at]
		if size < p.Offset || p.HeadSize <= best || !candidate(p) {
			continue
		}
		same, err := p.sameHead(f)
		if err != nil {
			return "", err
		}
		if same {
			key, best = at, p.HeadSize
		}
	}
	return key, nil
}

func (k known) keys() []string {
	out := make([]string, 0, len(k))
	for key := range k {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// expired are the places of files that have not been there for long.
func (k known) expired(now time.Time) (keys []string) {
	for _, key := range k.keys() {
		if now.Sub(k[key].Seen) > forgetAfter {
			keys = append(keys, key)
		}
	}
	return keys
}

// matched are the regular files of the patterns, by inode; of several paths to one, the first by name.
func matched(patterns, exclude []string) (map[inode]string, error) {
	out := map[inode]string{}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		for _, path := range paths {
			id, fi, err := inodeAt(path)
			if err != nil || !fi.Mode().IsRegular() || excluded(path, exclude) {
				continue // gone in this moment, a folder, or not wanted
			}
			if old, ok := out[id]; !ok || path < old {
				out[id] = path
			}
		}
	}
	return out, nil
}

// packed are endings of rotated files that hold no text.
var packed = []string{".gz", ".zst", ".bz2", ".xz", ".zip", ".lz4"}

func excluded(path string, exclude []string) bool {
	if slices.Contains(packed, strings.ToLower(filepath.Ext(path))) {
		return true
	}
	return slices.ContainsFunc(exclude, func(x string) bool {
		whole, _ := filepath.Match(x, path)
		base, _ := filepath.Match(x, filepath.Base(path))
		return whole || base
	})
}

// beside are the regular files in the folder of a path, by inode: where rotation puts what was there.
func beside(path string) map[inode]string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	out := map[inode]string{}
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(path), e.Name())
		if id, fi, err := inodeAt(name); err == nil && fi.Mode().IsRegular() && !excluded(name, nil) {
			out[id] = name
		}
	}
	return out
}
