package tail

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/testkit"
)

// joined runs a joiner over text.
func joined(how Join, text string) (out []string) {
	j := &joiner{how: how}
	s := &splitter{}
	s.feed([]byte(text))
	for {
		l, ok := s.next(true)
		if !ok {
			break
		}
		if e, ok := j.add(l.raw, l.from, l.to); ok && e.Text != "" {
			out = append(out, e.Text)
		}
	}
	if e, ok := j.flush(); ok {
		out = append(out, e.Text)
	}
	return out
}

const (
	java = `java.lang.IllegalStateException: cart 7 is closed
	at com.shop.Cart.add(Cart.java:41)
	at com.shop.Main.main(Main.java:9)
Caused by: java.io.IOException: disk full
	at com.shop.Disk.write(Disk.java:12)
	... 2 more`
	python = `Traceback (most recent call last):
  File "/srv/app.py", line 12, in <module>
    run()
  File "/srv/app.py", line 8, in run
    raise KeyError("a")
KeyError: 'a'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app.py", line 14, in <module>
    sys.exit(die())
ValueError: bad`
	golang = `panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.work(0x5, {0xc00001c0a0, 0x3, 0x3})
	/srv/main.go:14 +0x1d
main.main()
	/srv/main.go:9 +0x1b
created by main.start in goroutine 1
	/srv/main.go:5 +0x2a
exit status 2`
	node = `TypeError: Cannot read properties of undefined (reading 'id')
    at handler (/srv/app.js:10:15)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5) {
  code: 'E_BAD',
  errno: -2
}`
)

func TestStackTracesAreOneEntry(t *testing.T) {
	t.Parallel()
	for name, trace := range map[string]string{"java": java, "python": python, "go": golang, "node": node} {
		require.Equal(t, []string{"before", trace, "after"}, joined(Join{}, "before\n"+trace+"\nafter\n"), "%s alone", name)
		first := "2026-11-24 10:00:00,123 ERROR it failed"
		next := "2026-11-24 10:00:01,123 INFO on we go"
		require.Equal(t, []string{first + "\n" + trace, next}, joined(Join{}, first+"\n"+trace+"\n"+next+"\n"), "%s behind a line with a time", name)
	}
}

func TestLinesThatStandAlone(t *testing.T) {
	t.Parallel()
	text := "one\ntwo: three\n{\"a\":1}\n{\"a\":2}\nlevel=info msg=x\nlevel=info msg=y\nValueError: of nobody\nat the station\n"
	require.Len(t, joined(Join{}, text), 8)
	require.Equal(t, []string{"{\n \"a\": 1\n}", "{\"b\":1}", " c"}, joined(Join{}, "{\n \"a\": 1\n}\n{\"b\":1}\n c\n"), "an object over lines, and a whole one")
	require.Equal(t, []string{"a", "  b", "c"}, joined(Join{Off: true}, "a\n  b\nc"))
	require.Equal(t, []string{"#1 a\nb\n  c", "#2 d"}, joined(Join{Start: regexp.MustCompile(`^#\d`)}, "#1 a\nb\n  c\n#2 d\n"))
}

func TestAnEntryIsBounded(t *testing.T) {
	t.Parallel()
	text := "2026-11-24 10:00:00 x\n" + strings.Repeat("no time\n", 5*maxJoined)
	for _, e := range joined(Join{}, text) {
		require.LessOrEqual(t, strings.Count(e, "\n"), maxJoined)
	}
	require.Equal(t, 5*maxJoined+1, strings.Count(strings.Join(joined(Join{}, text), "\n"), "\n")+1)
}

// TestRealLinesBegin: the lines of the real logs begin entries, but for a few that continue others.
func TestRealLinesBegin(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(testkit.Loghub(t), "*", "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n")
		other := 0
		for _, l := range lines {
			if startOf([]byte(l)) == plain {
				other++
			}
		}
		require.LessOrEqual(t, other, 5, "%s: %d of %d lines begin nothing", filepath.Base(path), other, len(lines))
	}
}
