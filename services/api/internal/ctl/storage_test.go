package ctl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/services/api/internal/blocktest"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/logrec"
)

func TestStorage(t *testing.T) {
	t.Parallel()
	url, db := server(t)
	s := newShell(t, url)
	require.Contains(t, s.ok("storage"), "0 lines in 0 blocks")
	var recs []logrec.Record
	for i := range 100 {
		service := "cart"
		if i%4 == 0 {
			service = "web"
		}
		recs = append(recs, logrec.Record{Timestamp: noon.UnixNano() + int64(i), Service: service, Level: logrec.LevelInfo, Message: strings.Repeat("x", i)})
	}
	blk, err := blocktest.Build(recs)
	require.NoError(t, err)
	id, err := blocktest.New(db).Block(t.Context(), 0, 0, 0, blk)
	require.NoError(t, err)
	out := s.ok("storage")
	require.Regexp(t, `100 lines in 1 blocks: .* of them token filters; \d+\.\d B a line`, out)
	require.Regexp(t, `(?m)^\d.* +7\d\.\d% +75 +\d+\.\d B +cart$`, out)
	require.Regexp(t, `(?m)^\d.* B +message$`, out)
	require.Regexp(t, `(?m)^\d.* 100\.0% +100 .* \d{4}-\d\d-\d\d$`, out)
	require.Contains(t, s.ok("storage", "-o", "json"), `"services_total":2`)
	_, out, errs := s.run("storage", "--limit", "1")
	require.Contains(t, errs, "1 smaller services are not shown (--limit)")
	require.NotContains(t, out, "  web\n")

	_, err = db.Text.Exec(`UPDATE partition_progress SET retained_from_ns = 1`)
	require.NoError(t, err)
	_, err = blocktest.New(db).Replace(t.Context(), 0, []uint64{id}, 1, 0, 0, block.Block{})
	require.NoError(t, err)
	_, _, errs = s.run("storage")
	require.Contains(t, errs, "of 1 blocks were merged or removed in the last minutes and are deleted soon")
	require.Contains(t, errs, "lines received before 1970-01-01T00:00:00.000000001Z are not kept any more")
	recs[0].Service = "another"
	blk, err = blocktest.Build(recs)
	require.NoError(t, err)
	blk.Data[9] ^= 1
	_, err = blocktest.New(db).Block(t.Context(), 0, 1, 1, blk)
	require.NoError(t, err)
	require.Contains(t, s.fails(exitPartial, "storage"), "not all blocks could be looked at: block ")
}
