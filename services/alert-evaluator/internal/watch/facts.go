// Package watch finds out which rules are blind and tells of it: problems from what MySQL knows, meta alerts from problems. It knows no SQL, no
// Kafka and no clock, but unlike the engine it depends on the time that it is given: two replicas at two moments may say different things, so one
// replica speaks at a time.
package watch

import (
	"time"

	"github.com/logmill/logmill/shared/rule/blind"
)

// Facts are what MySQL knows at one moment. Times are ns.
type Facts struct {
	Now        int64 // MySQL's clock
	Begun      int64 // when the stream was made
	Partitions []Partition
	Global     Global
	Known      []blind.Problem // as they are stored
}

// Partition is how far a partition is. Zero values: it has not begun.
type Partition struct {
	Partition int32
	Stored    int64 // the processor's watermark
	Decided   int64 // the evaluator's
	Gap       int64 // event time up to which lines are missing; 0 none
	Lost      int64 // position that the broker does not have; -1 none
	Findings  Findings
}

// Global is how far the rules over all partitions are.
type Global struct {
	Decided  int64
	Findings Findings
}

// Findings are what an owner of a partition saw: event times of the newest line concerned.
type Findings struct {
	Overflow  map[string]int64 `json:"overflow,omitempty"`  // by rule id
	Misplaced map[string]int64 `json:"misplaced,omitempty"` // by service
}

// view is the facts as readers of the problems see them.
func (f *Facts) view(problems []blind.Problem) *blind.View {
	v := &blind.View{Partitions: int32(len(f.Partitions)), Watermarks: map[int32]int64{}, Problems: problems, Checked: f.Now, Now: f.Now}
	for _, p := range f.Partitions {
		v.Watermarks[p.Partition] = p.Decided
	}
	return v
}

// oldest is the evaluator's oldest watermark; 0 before all partitions have one.
func (f *Facts) oldest() int64 {
	oldest := f.Now
	for _, p := range f.Partitions {
		oldest = min(oldest, p.Decided)
	}
	return oldest
}

// since is a watermark, or when the stream was made before there is one.
func (f *Facts) since(watermark int64) int64 {
	if watermark > 0 {
		return watermark
	}
	return f.Begun
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05Z") }

// Of is a partition, nil for one that the stream does not have.
func (f *Facts) Of(partition int32) *Partition {
	for i := range f.Partitions {
		if f.Partitions[i].Partition == partition {
			return &f.Partitions[i]
		}
	}
	return nil
}
