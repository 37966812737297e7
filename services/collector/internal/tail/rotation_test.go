package tail

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lines are n lines of more than headBytes together, all different.
func lines(name string, n int) (text string, each []string) {
	for i := range n {
		each = append(each, fmt.Sprintf("2026-11-24 10:00:00 line %d of %s %s", i, name, strings.Repeat("x", 60)))
	}
	return strings.Join(each, "\n") + "\n", each
}

func (b *bench) all() []string { return append(texts(b.sink.history), texts(b.sink.live)...) }

// TestACopyThatIsBeingMade: a scan may see a copy at any moment of its making: empty, with a part of the head, with a part of the rest.
func TestACopyThatIsBeingMade(t *testing.T) {
	t.Parallel()
	text, each := lines("app", 40)
	for _, cut := range []int{0, 1, 100, headBytes, headBytes + 1, len(text) - 1} {
		for _, process := range []bool{false, true} {
			for _, pattern := range []string{"app.log", "app.log*"} {
				b := newBench(t, pattern)
				b.write("app.log", text)
				b.pass(3 * time.Second)
				if process {
					b.process()
				}
				b.write("app.log.1", text[:cut])
				b.pass(2 * time.Second)
				b.write("app.log", "the last one\n")
				b.write("app.log.1", text[cut:]+"the last one\n")
				b.pass(time.Duration(cut%2) * 2 * time.Second)
				require.NoError(t, os.Truncate(b.path("app.log"), 0))
				b.write("app.log", "the new one\n")
				b.pass(copyWait + 5*time.Second)
				require.ElementsMatch(t, append([]string{"the new one", "the last one"}, each...), b.all(), "%d bytes, %s, %v", cut, pattern, process)
			}
		}
	}
}

// TestAnEmptyFileIsNobody: a file that was seen empty and turns out to be no copy is read from its beginning.
func TestAnEmptyFileIsNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t, "*.log")
	b.write("a.log", "banner\nof a\n")
	b.write("b.log", "")
	b.pass(3 * time.Second)
	b.write("b.log", "ban")
	b.pass(3 * time.Second)
	b.write("b.log", "k holiday\n")
	b.pass(3 * time.Second)
	b.rename("b.log", "gone") // its name matches nothing any more, it is read on all the same
	b.write("gone", "the rest\n")
	b.pass(3 * time.Second)
	require.ElementsMatch(t, []string{"banner", "of a", "bank holiday", "the rest"}, b.all())
}

// TestCopiedThenRenamedWhileDown: the copy's name comes before that of its original, which has been cut, written and renamed since.
func TestCopiedThenRenamedWhileDown(t *testing.T) {
	t.Parallel()
	text, each := lines("app", 40)
	b := newBench(t, "app.log*")
	b.write("app.log", text)
	b.pass(3 * time.Second)
	b.s.close()
	b.process()
	b.write("app.log", "the last one of the first\n")
	b.copyTruncate("app.log", "app.log.1")
	b.write("app.log", "second\n")
	b.rename("app.log", "app.log.2")
	b.write("app.log", "third\n")
	b.pass(copyWait + 5*time.Second)
	require.ElementsMatch(t, append([]string{"the last one of the first", "second", "third"}, each...), b.all())
}

// TestCutThenRenamedInAMoment: between two looks a file is cut, written, renamed, and another one takes its name.
func TestCutThenRenamedInAMoment(t *testing.T) {
	t.Parallel()
	text, each := lines("app", 40)
	for _, pattern := range []string{"app.log", "app.log*"} {
		b := newBench(t, pattern)
		b.write("app.log", text)
		b.pass(3 * time.Second)
		b.write("app.log", "the last one of the first\n")
		b.copyTruncate("app.log", "app.log.1")
		b.write("app.log", "second\n")
		b.rename("app.log", "app.log.2")
		b.write("app.log", "third\n")
		b.pass(copyWait + 5*time.Second)
		require.ElementsMatch(t, append([]string{"the last one of the first", "second", "third"}, each...), b.all(), pattern)
	}
}
