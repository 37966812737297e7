package worker

import (
	"os"
	"sync"
	"testing"

	"github.com/logmill/logmill/shared/logrec"
)

// The Parquet reader pools decompressors for the whole process; one that was made in a bubble of testing/synctest must not be used outside
// of it. So all blocks are read by one goroutine that lives in no bubble.
var outside = struct {
	sync.Mutex
	in  chan []byte
	out chan decoded
}{in: make(chan []byte), out: make(chan decoded)}

type decoded struct {
	recs []logrec.Record
	err  error
}

func decodeOutside(data []byte) ([]logrec.Record, error) {
	outside.Lock()
	defer outside.Unlock()
	outside.in <- data
	d := <-outside.out
	return d.recs, d.err
}

func TestMain(m *testing.M) {
	go func() {
		for data := range outside.in {
			recs, err := DecodeBlock(data)
			outside.out <- decoded{recs, err}
		}
	}()
	os.Exit(m.Run())
}
