package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sys/unix"
)

// inode is a file's identity while it exists. Born is 0 where the file system does not say: an inode that was freed is soon another file's.
type inode struct {
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
	Born int64  `json:"born"` // ns
}

// inodeAt is the identity of what a path leads to, and its size and other facts.
func inodeAt(path string) (inode, os.FileInfo, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return inode{}, nil, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, nil, fmt.Errorf("%s: this system does not tell files apart by inode", path)
	}
	id := inode{Dev: uint64(st.Dev), Ino: st.Ino} //nolint:unconvert // int32 on some systems
	var x unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BTIME, &x); err == nil && x.Mask&unix.STATX_BTIME != 0 && x.Ino == id.Ino {
		id.Born = x.Btime.Sec*1e9 + int64(x.Btime.Nsec)
	}
	return id, fi, nil
}

// place is where a file's content has been sent up to: the value of its position on logs.positions. One generation of a file is one
// place: a truncated file is another one under the same inode.
type place struct {
	Path     string    `json:"path"`
	Inode    inode     `json:"inode"`
	Offset   int64     `json:"offset"`    // all before it is sent
	Head     uint64    `json:"head"`      // xxHash64 of the first HeadSize bytes
	HeadSize int       `json:"head_size"` // as many as were there, up to headBytes
	Import   int64     `json:"import"`    // lines before this offset are history
	Seen     time.Time `json:"seen"`      // when it was last there
}

func (p place) encode() []byte {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers and texts: it cannot fail
	}
	return b
}

// file is one that is open.
type file struct {
	key   string // of its position
	place place  // as far as entries were handed out
	f     *os.File
	split splitter
	join  joiner
	parts []Entry // ready, oldest first

	size    int64     // as last seen
	grew    time.Time // when it last did
	orphan  bool      // no path of ours leads to it any more: read on, then close
	rest    bool      // nothing more will be read
	learned bool      // the head is not stored yet
}

// open opens a file that stands at p. Its charset comes from its first bytes, wherever reading begins.
func open(path, key string, p place, charset Charset, how Join, now time.Time) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a log file: %w", err)
	}
	out := &file{key: key, place: p, f: f, join: joiner{how: how}, grew: now}
	head := make([]byte, 4)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
	}
	sniffed, mark := charset.sniffed(head[:n])
	out.split.charset = sniffed
	out.split.reset(max(p.Offset, int64(mark)))
	return out, nil
}

// headOf hashes the first n bytes of f; short when there are fewer.
func headOf(f io.ReaderAt, n int) (sum uint64, short bool, err error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, false, err
	}
	return xxhash.Sum64(b[:got]), got < n, nil
}

// sameHead tells whether f begins as p says. A place without a head fits every file.
func (p place) sameHead(f io.ReaderAt) (bool, error) {
	if p.HeadSize == 0 {
		return true, nil
	}
	sum, short, err := headOf(f, p.HeadSize)
	return err == nil && !short && sum == p.Head, err
}

// look notices growth and truncation. A file that was cut, or written anew, is not what it was: its place stays behind for whoever has
// the copy.
func (fl *file) look(now time.Time) (truncated bool, err error) {
	fi, err := fl.f.Stat()
	if err != nil {
		return false, fmt.Errorf("looking at %s: %w", fl.place.Path, err)
	}
	size := fi.Size()
	if size == fl.size {
		return false, nil
	}
	same, err := fl.place.sameHead(fl.f)
	if err != nil {
		return false, fmt.Errorf("reading the head of %s: %w", fl.place.Path, err)
	}
	fl.size, fl.grew = size, now
	if size < fl.split.at+int64(len(fl.split.buf)) || !same {
		return true, nil
	}
	return false, fl.learnHead()
}

// learnHead remembers more of how the file begins, as long as that is little. It is known before the first line is sent: a file that is
// copied and cut soon after must be found again.
func (fl *file) learnHead() error {
	n := int(min(fl.size, headBytes))
	if n <= fl.place.HeadSize {
		return nil
	}
	sum, short, err := headOf(fl.f, n)
	if err != nil || short { // cut in this moment: the next look sees it
		return err
	}
	fl.place.Head, fl.place.HeadSize, fl.learned = sum, n, true
	return nil
}

// read takes in the next chunk, and says how many bytes that was.
func (fl *file) read(buf []byte) (int, error) {
	n, err := fl.f.ReadAt(buf, fl.split.at+int64(len(fl.split.buf)))
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("reading %s: %w", fl.place.Path, err)
	}
	fl.split.feed(buf[:n])
	fl.lines(false)
	return n, nil
}

// lines makes entries of the lines that are there; final: of the last one too, although it lacks its newline.
func (fl *file) lines(final bool) {
	for {
		l, ok := fl.split.next(final)
		if !ok {
			return
		}
		fl.take(l)
	}
}

func (fl *file) take(l line) {
	text := fl.split.charset.text(l.raw)
	if l.part == 0 {
		fl.ready(fl.join.add(text, l.from, l.to))
		return
	}
	fl.ready(fl.join.flush())
	fl.ready(Entry{Text: string(text), From: l.from, To: l.to, Part: l.part}, true)
}

// ready queues an entry. An empty line is none, but its bytes are done with.
func (fl *file) ready(e Entry, ok bool) {
	if ok {
		fl.parts = append(fl.parts, e)
	}
}

// settle ends the entry that has waited for further lines.
func (fl *file) settle(now time.Time) {
	if now.Sub(fl.grew) >= joinWait {
		fl.ready(fl.join.flush())
	}
}

// cut ends reading at once: the content is gone. What was read goes out; a line without its newline is left to whoever has the copy.
func (fl *file) cut() {
	fl.rest = true
	fl.ready(fl.join.flush())
}

// finish ends reading: everything was read, and nothing more will come.
func (fl *file) finish() {
	fl.lines(true)
	fl.cut()
}

// behind is how many bytes are there and not handed out.
func (fl *file) behind() int64 { return max(0, fl.size-fl.place.Offset) }
