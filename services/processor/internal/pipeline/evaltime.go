package pipeline

import "math"

// Unevaluated says why a record has no eval_time.
type Unevaluated uint8

const (
	Evaluated  Unevaluated = iota
	TooOld                 // its timestamp lies more than max_late before its receipt: an import or a broken clock
	TooLate                // its batch reached us more than max_late behind the watermark
	Imported               // the collector says that it is history
	reasonsEnd             // keep last
)

// String is the reason's name in metrics.
func (u Unevaluated) String() string {
	return [...]string{"evaluated", "too_old", "too_late", "imported"}[u]
}

// observedAt is when a record counts as received, ns: no clock but ours can push it past now. observed 0 = the sender did not say;
// Kafka's own time stands in.
func observedAt(observed, kafka, now int64) int64 {
	if observed <= 0 {
		observed = kafka
	}
	if observed <= 0 || observed > now {
		return now
	}
	return observed
}

// evalTime is the moment at which alert rules see a record, ns, or the reason why they never do. watermark is the partition's
// before the block that the record is in. late says that the record comes behind the watermark and was moved up to it.
func evalTime(timestamp, observed, watermark, maxLate int64) (eval int64, late bool, why Unevaluated) {
	if timestamp < satSub(observed, maxLate) {
		return 0, false, TooOld
	}
	t0 := min(timestamp, satAdd(observed, int64(FutureSlack)))
	if satSub(watermark, t0) > maxLate {
		return 0, false, TooLate
	}
	if t0 > watermark {
		return t0, false, Evaluated
	}
	return watermark + 1, true, Evaluated
}

// nextWatermark is the partition's watermark after a block, ns. maxObserved is the newest receipt in it.
func nextWatermark(watermark, now, maxObserved int64) int64 {
	return max(watermark, min(now, maxObserved)-int64(WatermarkLag))
}

// satAdd and satSub stop at the ends of int64: timestamps come from outside and may be anything.
func satAdd(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// satSub is a−b for b ≥ 0 or any a ≥ 0.
func satSub(a, b int64) int64 {
	if b > 0 && a < math.MinInt64+b {
		return math.MinInt64
	}
	if b < 0 && a > math.MaxInt64+b {
		return math.MaxInt64
	}
	return a - b
}
