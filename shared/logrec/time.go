package logrec

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxSeconds is the last second of 2262 that int64 nanoseconds reach.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// TimeOfInt tells Unix seconds, milliseconds, microseconds and nanoseconds apart by size (seconds to the year 5138, but 2262
// is the end of the nanoseconds) and returns ns; ok is false outside 1970–2262.
func TimeOfInt(v int64) (ns int64, ok bool) {
	switch {
	case v < 0:
		return 0, false
	case v < 1e11:
		return v * 1e9, v <= maxSeconds
	case v < 1e14:
		return v * 1e6, v <= math.MaxInt64/1_000_000
	case v < 1e17:
		return v * 1e3, v <= math.MaxInt64/1_000
	}
	return v, true
}

// TimeOfNumber is TimeOfInt for numbers with a fraction (1700000000.123).
func TimeOfNumber(v float64) (ns int64, ok bool) {
	if !(v >= 0 && v < math.MaxInt64) {
		return 0, false
	}
	whole, frac := math.Modf(v)
	ns, ok = TimeOfInt(int64(whole))
	if !ok {
		return 0, false
	}
	switch {
	case v < 1e11:
		ns += int64(math.Round(frac*1e6)) * 1e3 // a float64 of today's seconds is good for about 0.2 µs
	case v < 1e14:
		ns += int64(math.Round(frac * 1e6))
	}
	return ns, ns >= 0
}

// ParseTime reads RFC 3339 (a blank or lower-case t for T, a comma before the fraction, no seconds' fraction up to 9 digits, an
// offset with or without colon, none at all = UTC), Unix times as text, and the dated forms of otherLayouts. ns since the epoch, UTC;
// ok is false for anything else and outside 1970–2262. It allocates nothing for RFC 3339.
func ParseTime(s string) (ns int64, ok bool) {
	if ns, rest, ok := parseISO(s); ok && rest == "" {
		return ns, true
	}
	if s == "" || len(s) > 64 {
		return 0, false
	}
	if isNumber(s) {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return TimeOfInt(i)
		}
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return 0, false
		}
		return TimeOfNumber(f)
	}
	return parseOther(s)
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789.") == "" && isDigit(s[0]) }

var otherLayouts = []string{
	time.RFC1123Z, time.RFC1123, time.RFC850, time.RFC822Z, time.UnixDate, time.RubyDate, time.ANSIC,
	"02/Jan/2006:15:04:05 -0700", "2006/01/02 15:04:05.999999999", "02 Jan 2006 15:04:05.999999999", "2006-01-02",
}

func parseOther(s string) (int64, bool) {
	for _, layout := range otherLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return unixNano(t.Unix(), int64(t.Nanosecond()))
		}
	}
	return 0, false
}

// unixNano joins seconds and nanoseconds when the result fits.
func unixNano(sec, nanos int64) (int64, bool) {
	if sec < 0 || sec >= maxSeconds {
		return 0, false
	}
	return sec*1e9 + nanos, true
}

// parseISO reads a date and time from the beginning of s: 2006-01-02T15:04:05[.,]999999999[Z|±hh[:]mm].
func parseISO(s string) (ns int64, rest string, ok bool) {
	if len(s) < 19 || s[4] != '-' || s[7] != '-' || s[10] != 'T' && s[10] != ' ' && s[10] != 't' || s[13] != ':' || s[16] != ':' {
		return 0, s, false
	}
	year, month, day := two(s, 0)*100+two(s, 2), two(s, 5), two(s, 8)
	hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60 || min(year, hour, minute, second) < 0 {
		return 0, s, false
	}
	nanos, i := fraction(s, 19)
	offset, i, ok := zone(s, i)
	if !ok {
		return 0, s, false
	}
	sec := daysSinceEpoch(year, month, day)*86400 + int64(hour*3600+minute*60+second) - offset
	ns, ok = unixNano(sec, nanos)
	return ns, s[i:], ok
}

// two is the number of the two digits at s[i], at most −528 when they are none.
func two(s string, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return math.MinInt16
	}
	return int(a)*10 + int(b)
}

// fraction reads .123 or ,123 at s[i] as ns, to nine digits; further ones are read and dropped.
func fraction(s string, i int) (nanos int64, next int) {
	if i+1 >= len(s) || s[i] != '.' && s[i] != ',' || !isDigit(s[i+1]) {
		return 0, i
	}
	unit := int64(1e8)
	for i++; i < len(s) && isDigit(s[i]); i++ {
		nanos += int64(s[i]-'0') * unit
		unit /= 10
	}
	return nanos, i
}

// zone reads Z, ±hh:mm, ±hhmm or ±hh at s[i] as seconds east of UTC; nothing is UTC.
func zone(s string, i int) (offset int64, next int, ok bool) {
	if i == len(s) {
		return 0, i, true
	}
	switch s[i] {
	case 'Z', 'z':
		return 0, i + 1, true
	case '+', '-':
	default:
		return 0, i, true
	}
	if len(s) < i+3 {
		return 0, i, false
	}
	h, m, end := two(s, i+1), 0, i+3
	if end < len(s) && s[end] == ':' {
		end++
	}
	if len(s) >= end+2 && isDigit(s[end]) {
		m, end = two(s, end), end+2
	} else if end > i+3 {
		return 0, i, false // a colon and nothing behind it
	}
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, i, false
	}
	offset = int64(h*3600 + m*60)
	if s[i] == '-' {
		offset = -offset
	}
	return offset, end, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSinceEpoch counts days of the Gregorian calendar from 1970-01-01 (Howard Hinnant, “chrono-Compatible Low-Level Date Algorithms”).
func daysSinceEpoch(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := (153*((m+9)%12)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}
