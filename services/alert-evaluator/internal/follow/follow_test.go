package follow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/contract"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	at := Position{NextOffset: 5, SourceNext: 10, Watermark: 100, Begun: true}
	for name, c := range map[string]struct {
		p    Position
		h    contract.Enriched
		want Verdict
	}{
		"the next block":                  {at, contract.Enriched{From: 10, To: 12, Prev: 9, Rows: 3}, Fold},
		"after poison without a block":    {at, contract.Enriched{From: 14, To: 15, Prev: 7, Rows: 1}, Fold},
		"published again":                 {at, contract.Enriched{From: 8, To: 9, Prev: 7, Rows: 3}, Repeat},
		"a block is missing":              {at, contract.Enriched{From: 14, To: 15, Prev: 13, Rows: 1}, Gap},
		"a heartbeat":                     {at, contract.Enriched{From: 10, To: 9, Prev: 9}, Fold},
		"a heartbeat behind a lost block": {at, contract.Enriched{From: 13, To: 12, Prev: 12}, Gap},
		"an old heartbeat":                {at, contract.Enriched{From: 8, To: 7, Prev: 7}, Fold},
		"a new reader begins anywhere":    {Position{}, contract.Enriched{From: 14, To: 15, Prev: 13, Rows: 1}, Fold},
	} {
		require.Equal(t, c.want, c.p.Judge(c.h), name)
	}
}

func TestAdvanceNeverGoesBack(t *testing.T) {
	t.Parallel()
	p := Position{NextOffset: 5, SourceNext: 10, Watermark: 100, Begun: true}
	require.Equal(t, Position{6, 13, 120, true}, p.Advance(contract.Enriched{From: 10, To: 12, Rows: 3, Watermark: 120}, 5))
	require.Equal(t, Position{6, 10, 100, true}, p.Advance(contract.Enriched{From: 8, To: 9, Rows: 3, Watermark: 90}, 5))
}
