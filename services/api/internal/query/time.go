package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/logmill/logmill/shared/logrec"
)

// ParseTime reads a moment as people ask for it: now, now-15m, now-2d, RFC 3339, or Unix time (s, ms, µs, ns told apart by size). Returns ns.
func ParseTime(s string, now time.Time) (int64, error) {
	if rest, ok := strings.CutPrefix(s, "now"); ok {
		return relative(rest, now)
	}
	if ns, ok := logrec.ParseTime(s); ok {
		return ns, nil
	}
	return 0, fmt.Errorf("%q is not a time: RFC 3339, Unix time, or now-15m", s)
}

func relative(rest string, now time.Time) (int64, error) {
	if rest == "" {
		return now.UnixNano(), nil
	}
	sign := time.Duration(1)
	if rest[0] == '-' {
		sign = -1
	} else if rest[0] != '+' {
		return 0, fmt.Errorf("now%s is not a time: now-15m, now-2h, now-7d", rest)
	}
	d, err := ParseDuration(rest[1:])
	if err != nil {
		return 0, err
	}
	return now.Add(sign * d).UnixNano(), nil
}

// ParseDuration is time.ParseDuration with days (d) and weeks (w), and seconds for a bare number. It is never negative.
func ParseDuration(s string) (time.Duration, error) {
	unit := time.Duration(0)
	switch {
	case strings.HasSuffix(s, "d"):
		unit = 24 * time.Hour
	case strings.HasSuffix(s, "w"):
		unit = 7 * 24 * time.Hour
	case s != "" && strings.Trim(s, "0123456789") == "":
		s += "s"
	}
	if unit > 0 {
		n, err := time.ParseDuration(s[:len(s)-1] + "s")
		if err != nil || n < 0 || n > 100*365*24*time.Second {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		return time.Duration(n.Seconds() * float64(unit)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a duration: 30s, 15m, 2h, 7d", s)
	}
	return d, nil
}
