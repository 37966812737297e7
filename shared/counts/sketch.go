package counts

import (
	"errors"
	"fmt"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/pb/sketchpb"
	"google.golang.org/protobuf/proto"
)

var errMapping = errors.New("it has another mapping than ours")

// ReadSketch takes the bins of a log_window.rt_sketch (protobuf), as builds before migration 15 wrote them. Without data it is nothing.
func (t *Times) ReadSketch(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	var pb sketchpb.DDSketch
	if err := proto.Unmarshal(data, &pb); err != nil {
		return fmt.Errorf("reading a sketch: %w", err)
	}
	if m, err := mapping.FromProto(pb.GetMapping()); err != nil || !m.Equals(Mapping()) {
		return fmt.Errorf("reading a sketch: %w", errMapping)
	}
	t.Zero, t.Bins = uint64(pb.GetZeroCount()), bins(pb.GetPositiveValues())
	return nil
}

func bins(s *sketchpb.Store) []Bin {
	var out []Bin
	for i, n := range s.GetContiguousBinCounts() {
		if n >= 1 {
			out = append(out, Bin{s.GetContiguousBinIndexOffset() + int32(i), uint32(n)})
		}
	}
	if len(s.GetBinCounts()) > 0 {
		for i, n := range s.GetBinCounts() {
			out = append(out, Bin{i, uint32(n)})
		}
		slices.SortFunc(out, func(a, b Bin) int { return int(a.Index - b.Index) })
	}
	return out
}
