package rule

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

// Duration is written as a text such as "30s", "5m", "1h30m" or "2d".
type Duration time.Duration

// ParseDuration reads Go's durations, and d for days of 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		days, rest = "", s
	}
	var d time.Duration
	if ok {
		var n int
		if _, err := fmt.Sscanf(days+" ", "%d ", &n); err != nil || fmt.Sprint(n) != days || n > 3650 || n < 0 {
			return 0, fmt.Errorf("%q is not a duration such as 30s, 5m, 1h or 2d", s)
		}
		d = time.Duration(n) * 24 * time.Hour
	}
	if rest == "" && ok {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration such as 30s, 5m, 1h or 2d", s)
	}
	return d + more, nil
}

// String is the shortest form: 5m, not 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalJSON writes the text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("must be a text such as \"30s\" or \"2h\", not %s", clip(string(b)))
	}
	v, err := ParseDuration(s)
	*d = Duration(v)
	return err
}

// Window is the length of a rule's window: in JSON a number of minutes, or a text as of Duration.
type Window time.Duration

// MarshalJSON writes whole minutes as a number, else the text.
func (w Window) MarshalJSON() ([]byte, error) {
	if d := time.Duration(w); d%time.Minute == 0 {
		return json.Marshal(int64(d / time.Minute))
	}
	return Duration(w).MarshalJSON()
}

// UnmarshalJSON reads either form.
func (w *Window) UnmarshalJSON(b []byte) error {
	var minutes float64
	if json.Unmarshal(b, &minutes) == nil {
		if math.Abs(minutes) > float64(MaxWindow/time.Minute) {
			minutes = math.Copysign(float64(MaxWindow/time.Minute)+1, minutes) // out of range: Validate says so
		}
		*w = Window(math.Round(minutes*60*1e3) * 1e6)
		return nil
	}
	var d Duration
	err := d.UnmarshalJSON(b)
	*w = Window(d)
	return err
}
