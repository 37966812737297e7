package tail

import (
	"bytes"
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
	return identity(fi, unix.AT_FDCWD, path, 0)
}

// inodeOf is inodeAt of an open file.
func inodeOf(f *os.File) (inode, os.FileInfo, error) {
	fi, err := f.Stat()
	if err != nil {
		return inode{}, nil, err
	}
	return identity(fi, int(f.Fd()), "", unix.AT_EMPTY_PATH)
}

func identity(fi os.FileInfo, dir int, path string, flags int) (inode, os.FileInfo, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}, nil, fmt.Errorf("%s: this system does not tell files apart by inode", fi.Name())
	}
	id := inode{Dev: uint64(st.Dev), Ino: st.Ino} //nolint:unconvert // int32 on some systems
	var x unix.Statx_t
	if err := unix.Statx(dir, path, flags, unix.STATX_BTIME, &x); err == nil && x.Mask&unix.STATX_BTIME != 0 && x.Ino == id.Ino {
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
	head  []byte // the bytes that place.Head is of
	split splitter
	join  joiner
	parts []Entry // ready, oldest first

	size    int64     // as last seen
	grew    time.Time // when it last did
	orphan  bool      // no path of ours leads to it any more: read on, then close
	rest    bool      // nothing more will be read
	learned bool      // the head is not stored yet
}

// newFile makes a file of f, which stands at p and is its own from here on, also after an error. Its charset comes from its first bytes,
// wherever reading begins.
func newFile(f *os.File, key string, p place, charset Charset, how Join, now time.Time) (*file, error) {
	out := &file{key: key, place: p, f: f, join: joiner{how: how}, grew: now}
	head := make([]byte, max(4, p.HeadSize))
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(fmt.Errorf("reading %s: %w", p.Path, err), f.Close())
	}
	out.head = head[:min(n, p.HeadSize)]
	sniffed, mark := charset.sniffed(head[:min(n, 4)])
	out.split.charset = sniffed
	out.split.reset(max(p.Offset, int64(mark)))
	return out, nil
}

// again is another handle on an open file, whatever its path leads to by now.
func again(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening %s once more: %w", f.Name(), err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// bytesOf are n bytes of f from offset from on, or as many of them as there are.
func bytesOf(f io.ReaderAt, from int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:got], nil
}

// sameHead tells whether f begins as p says. A place without a head fits every file.
func (p place) sameHead(f io.ReaderAt) (bool, error) {
	if p.HeadSize == 0 {
		return true, nil
	}
	head, err := bytesOf(f, 0, p.HeadSize)
	return err == nil && len(head) == p.HeadSize && xxhash.Sum64(head) == p.Head, err
}

// mayBeCopy tells whether all that is in f, of the given size, may have been copied from fl: both ends of it are as in fl. Who copies
// may be in the middle of it.
func (fl *file) mayBeCopy(f io.ReaderAt, size int64) (bool, error) {
	if len(fl.head) == 0 || size == 0 {
		return false, nil
	}
	head, err := bytesOf(f, 0, int(min(size, int64(len(fl.head)))))
	if err != nil || !bytes.HasPrefix(fl.head, head) {
		return false, err
	}
	from := max(0, size-headBytes)
	end, err := bytesOf(f, from, int(size-from))
	if err != nil {
		return false, err
	}
	original, err := bytesOf(fl.f, from, len(end))
	if err != nil || bytes.Equal(end, original) {
		return true, err
	}
	same, err := fl.place.sameHead(fl.f)
	return !same, err // it has been cut and written anew since: that is what copies are made for
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
	head, err := bytesOf(fl.f, 0, n)
	if err != nil || len(head) < n { // cut in this moment: the next look sees it
		return err
	}
	fl.head = head
	fl.place.Head, fl.place.HeadSize, fl.learned = xxhash.Sum64(head), n, true
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
