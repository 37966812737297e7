package tail

import (
	"time"

	"github.com/logmill/logmill/shared/logrec"
)

// Limits of following files, each with its reason.
const (
	// MaxLine is the longest piece of text that becomes one record, bytes: what a record's message holds. A longer line becomes several
	// records, numbered, so that nothing of it is lost.
	MaxLine = logrec.MaxMessageBytes

	// maxJoined bounds the lines of one entry: a stack trace has hundreds at most; a file without times must not become one record.
	maxJoined = 1000

	// chunk is what is read from a file in one turn, bytes; files take turns.
	chunk = 256 << 10

	// batchBytes and batchAge bound a transaction: large ones are cheap, old ones make alerts late.
	batchBytes = 2 << 20
	batchAge   = 200 * time.Millisecond

	pollEvery = 200 * time.Millisecond // for growth; works on every file system, network ones too
	scanEvery = time.Second            // for files that are new, renamed or gone

	// joinWait is how long an entry waits for more of its lines: writers flush a stack trace at once.
	joinWait = time.Second

	// orphanWait is how long a file that was renamed away is read on without growing: writers keep it open until they are told to reopen.
	orphanWait = time.Minute

	// copyWait is how long a file that begins like another one waits to turn out to be its copy (logrotate's copytruncate copies first).
	copyWait = 30 * time.Second

	// headBytes of a file tell it from others under the same inode, and its copies from strangers.
	headBytes = 1024

	// forgetAfter is how long the position of a file that is not there is kept: a mount may be away over a long weekend.
	forgetAfter = 7 * 24 * time.Hour

	maxFiles = 10000 // open at once; more are an error in the pattern, and the system's limit of open files

	progressEvery = 10 * time.Second
	retryMin      = 200 * time.Millisecond
	retryMax      = 5 * time.Second
)
