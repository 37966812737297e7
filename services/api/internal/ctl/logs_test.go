package ctl

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/app"
	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/logrec"
	"github.com/logmill/logmill/shared/mysqlx"
)

const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"

// store stores blocks as a processor would have written them, a partition each.
func store(t *testing.T, db *mysqlx.DB, blocks ...[]logrec.Record) {
	t.Helper()
	w := blocktest.New(db)
	for p, recs := range blocks {
		for i := range recs {
			recs[i].Observed, recs[i].SrcRow = recs[i].Timestamp, int32(i)
		}
		blk, err := blocktest.Build(recs)
		require.NoError(t, err)
		_, err = w.Block(t.Context(), int32(p), 0, 0, blk)
		require.NoError(t, err)
	}
}

// shopLines are lines of two services, one every second by turns.
func shopLines() (checkout, cart []logrec.Record) {
	for i := range 6 {
		at := noon.Add(time.Duration(2*i) * time.Second).UnixNano()
		checkout = append(checkout, logrec.Record{Timestamp: at, Level: logrec.LevelError, Service: "checkout", Message: fmt.Sprintf("payment %d declined\n\tat Pay.java:%d\x1b[2J", i, i), UserID: "ann"})
		cart = append(cart, logrec.Record{Timestamp: at + 1e9, Level: logrec.LevelInfo, Service: "cart", Message: fmt.Sprintf("Added item %d", i), RequestMethod: "POST", RequestPath: "/cart", ResponseStatus: 201,
			ResponseTimeMS: 12.5, HasResponseTime: true, Attributes: []logrec.Attr{{Key: "item", Value: "7", Kind: logrec.JSON}, {Key: "sku", Value: "a b"}}})
	}
	checkout[3].TraceID, cart[3].TraceID, cart[2].TraceID = traceID, traceID, traceID
	return checkout, cart
}

func TestSearch(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	require.Empty(t, s.ok("search"))
	checkout, cart := shopLines()
	store(t, db, checkout, cart)
	golden(t, "search.txt", s.ok("search"))
	golden(t, "search.json", s.ok("search", "-n", "12", "-o", "json", "-s", "cart", "--order", "asc"))
	golden(t, "search.raw", s.ok("search", "-o", "raw", "payment 3"))
	for args, lines := range map[string]int{
		"-s cart,checkout": 12, "-l >=warn": 6, "-l info -l error": 12, "--trace " + traceID: 3, "--user-id ann": 6, "ADDED ITEM 4": 1, "--text DDED": 6, "DDED": 0, "item:7 response_status:>200": 6, "item:7 OR payment": 12, "-- -payment": 6, "--start 2026-11-01T12:00:08Z": 4, "--start 2026-11-01T12:00:08Z --end 2026-11-01T12:00:09Z": 1,
		"--end 2026-11-01T12:00:01Z": 1, "-s nobody": 0, "--all": 12,
	} {
		require.Equal(t, lines, strings.Count(s.ok(append([]string{"search", "-o", "json"}, strings.Fields(args)...)...), "\n"), args)
	}
	require.Contains(t, s.fails(exitRefused, "search", "level:lod"), "q: at ")
	require.Contains(t, s.fails(exitRefused, "search", "(a OR"), "q: at ")
	code, out, errs := s.run("search", "--explain", "-o", "json", "payment", "3")
	require.Equal(t, []any{exitOK, 1}, []any{code, strings.Count(out, "\n")})
	require.Regexp(t, `^logmillctl: query: payment 3
logmillctl: blocks: 2 known, \d considered, \d read; ruled out: (none|\d+ by .*)
logmillctl: read: \d+ rows, \d+ columns \(\d+ cached\), .*iB fetched, .* decoded
logmillctl: time: .* ms
$`, errs)
	_, _, errs = s.run("search", "payment", "or", "item")
	require.Contains(t, errs, "logmillctl: the query, at 9: ", "what was hardly meant is told")
	require.Equal(t, "6\n", s.ok("search", "--count", "declined"))
	require.Contains(t, s.ok("search", "--count", "-o", "json"), `"total":12`)
	code, out, errs = s.run("search", "-n", "5", "-o", "json")
	require.Equal(t, []any{exitOK, 5, "logmillctl: there may be more logs: --all shows them\n"}, []any{code, strings.Count(out, "\n"), errs})
	require.Contains(t, s.fails(exitRefused, "search", "-l", "loud"), `level: "loud" is not a level`)
	require.Contains(t, s.fails(exitUsage, "search", "-n", "5", "--all"), "none of the others can be")
	require.NotContains(t, s.ok("search", "--no-fields"), "sku=")

	golden(t, "trace.txt", s.ok("trace", traceID))
	code, out, errs = s.run("trace", "nothing")
	require.Equal(t, []any{exitOK, "", "logmillctl: there are no lines of trace nothing\n"}, []any{code, out, errs})
	s.tty = true
	golden(t, "search-terminal.txt", s.ok("search", "-n", "12"))
	require.NotContains(t, s.ok("search", "-o", "raw"), "\x1b", "a message does not steer the terminal")
}

// TestPartialAnswers: what the api leaves out is told, and the exit code says so; --all goes on past budgets.
func TestPartialAnswers(t *testing.T) {
	t.Parallel()
	url, db := server(t, func(c *app.Config) { c.MaxRows = 1 })
	s := newShell(t, url)
	checkout, cart := shopLines()
	var blocks [][]logrec.Record // each an hour before the one before: read one after the other
	for i, rec := range slices.Concat(checkout, cart) {
		rec.Timestamp -= int64(i) * int64(time.Hour)
		blocks = append(blocks, []logrec.Record{rec})
	}
	store(t, db, blocks...)
	code, out, errs := s.run("search", "-o", "json")
	require.Equal(t, exitPartial, code)
	require.Less(t, strings.Count(out, "\n"), 12)
	require.Equal(t, "logmillctl: not all logs: the limit of 1 rows read is reached; --all goes on from there, a narrower question is quicker\n", errs)
	require.Equal(t, 12, strings.Count(s.ok("search", "-o", "json", "--all"), "\n"), "the pages together are everything")
	require.Equal(t, 3, strings.Count(s.ok("trace", traceID), "\n"))
	require.Contains(t, s.fails(exitPartial, "search", "--count"), "logmillctl: at least so many: the limit of 1 rows read is reached\n")
	blk, err := blocktest.Build([]logrec.Record{{Timestamp: noon.UnixNano(), Service: "cart", Level: logrec.LevelInfo, Message: "lost"}})
	require.NoError(t, err)
	blk.Data[len(blk.Data)/2] ^= 1
	_, err = blocktest.New(db).Block(t.Context(), 0, 1, 1, blk)
	require.NoError(t, err)
	code, out, errs = s.run("search", "-o", "json", "--all")
	require.Equal(t, []any{exitPartial, 12}, []any{code, strings.Count(out, "\n")}, "a damaged block is not a matter of going on")
	require.Contains(t, errs, "logmillctl: not all logs: ")
	require.NotContains(t, errs, "--all")
}

// TestPagesThatDoNotEnd: a cursor that stays where it is ends the list, with a word, whatever the api says.
func TestPagesThatDoNotEnd(t *testing.T) {
	t.Parallel()
	s := newShell(t, stub(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"logs":[],"next_cursor":"same","partial":true,"partial_reason":"the time limit of 20s is reached","lag":{"seconds":12.4}}`))
	}))
	code, out, errs := s.run("search", "--all")
	require.Equal(t, []any{exitPartial, ""}, []any{code, out})
	require.Equal(t, "logmillctl: storing is 12 s behind receiving: the newest logs may be missing\nlogmillctl: not all logs: the time limit of 20s is reached\n", errs)
}
