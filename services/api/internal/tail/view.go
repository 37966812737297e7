package tail

import (
	"github.com/logmill/logmill/services/api/internal/scan"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/block/vector"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/logrec"
)

// view gives the columns of a block that came over Kafka, each decoded once for all viewers. It implements scan.View for one goroutine.
type view struct {
	*vector.Layout
	data    []byte
	columns map[string]*vector.Column
}

func newView(data []byte, checksum uint32) (*view, error) {
	if block.Checksum(data) != checksum {
		return nil, block.ErrDamaged
	}
	l, err := vector.ReadLayout(data)
	return &view{l, data, map[string]*vector.Column{}}, err
}

// Column implements scan.View.
func (v *view) Column(name string) (*vector.Column, error) {
	if c, ok := v.columns[name]; ok {
		return c, nil
	}
	c, err := v.Layout.Column(v.data, name)
	if err == nil {
		v.columns[name] = c
	}
	return c, err
}

// describe is what a block's headers say of it. Services and levels are not among it: it may have any.
func describe(h contract.Enriched) *scan.Block {
	b := &scan.Block{Stream: h.Stream, Partition: h.Partition, From: h.From, To: h.To, Rows: h.Rows, MinTime: h.MinTime, MaxTime: h.MaxTime}
	for _, l := range logrec.Levels {
		b.LevelMask |= 1 << l
	}
	return b
}
