package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/logmill/logmill/services/alert-evaluator/internal/watch"
	"github.com/logmill/logmill/shared/block"
	"github.com/logmill/logmill/shared/contract"
	"github.com/logmill/logmill/shared/rule"
)

// findings are what an owner sees wrong, on their way into the next step.
type findings struct {
	misplaced map[string]int64 // by service: event time (ns) of the newest line
	stored    string
	at        time.Time // of the last look
}

func newFindings(stored watch.Findings) findings {
	f := findings{misplaced: stored.Misplaced}
	if f.misplaced == nil {
		f.misplaced = map[string]int64{}
	}
	return f
}

// misplace notes the services of a block whose home is another partition: rules pinned to them look there and do not see these lines.
func (e *evaluation) misplace(r *block.Reader) error {
	c, err := r.Strings("service")
	if err != nil {
		return fmt.Errorf("reading services: %w", err)
	}
	astray, some := make([]bool, len(c.Dict)), false
	for i, service := range c.Dict {
		astray[i] = contract.Home(service, e.place.Partitions) != e.place.Partition
		some = some || astray[i]
	}
	if !some {
		return nil
	}
	times, _, err := r.Ints("eval_time")
	if err != nil {
		return fmt.Errorf("reading eval_time: %w", err)
	}
	newest := map[string]int64{}
	for i, code := range c.Codes {
		if code >= 0 && astray[code] && times[i] > 0 { // what rules never see, they do not miss
			newest[c.Dict[code]] = max(newest[c.Dict[code]], times[i])
		}
	}
	for service, at := range newest {
		if have, known := e.found.misplaced[service]; known || len(e.found.misplaced) < watch.MaxFindings {
			e.found.misplaced[service] = max(have, at)
		}
	}
	return nil
}

// findings are those to be stored with a step; nil when they are stored already.
func (e *evaluation) findings() []byte {
	if time.Since(e.found.at) < lookEvery {
		return nil
	}
	e.found.at = time.Now()
	maps.DeleteFunc(e.found.misplaced, func(_ string, at int64) bool { return at <= e.eng.Watermark()-int64(rule.MaxWindow) })
	raw, err := json.Marshal(watch.Findings{Overflow: e.eng.Overflowing(), Misplaced: e.found.misplaced})
	if err != nil || string(raw) == e.found.stored {
		return nil // numbers and texts can be encoded
	}
	return raw
}
