package enrich

import "strings"

// Each stamp function reads one way of writing a time at the start of s and returns it with the rest of the text.

// isoStamp reads 2015-07-29 17:41:44,747 · 2015-07-29T17:41:44.747Z · 2015/07/29 17:41:44 · 2005-06-03-15.42.50.675872.
func isoStamp(s string) (ns int64, rest string, ok bool) {
	if len(s) < 19 || !dateSep(s[4]) || s[7] != s[4] || !timeSep(s[13]) || s[16] != s[13] {
		return 0, s, false
	}
	if s[10] != ' ' && s[10] != 'T' && s[10] != 't' && s[10] != '-' {
		return 0, s, false
	}
	c, bad := civil{}, 0
	c.year = digits(s[0:4], &bad)
	c.month = digits(s[5:7], &bad)
	c.day = digits(s[8:10], &bad)
	clock(&c, s[11:19], &bad)
	if bad != 0 || !c.valid() {
		return 0, s, false
	}
	c.frac, rest = fraction(s[19:])
	c.offset, rest = zone(rest)
	return c.unixNano(), rest, true
}

// sparkStamp reads 17/06/09 20:10:40, year first.
func sparkStamp(s string) (ns int64, rest string, ok bool) {
	if len(s) < 17 || s[2] != '/' || s[5] != '/' || s[8] != ' ' || s[11] != ':' || s[14] != ':' {
		return 0, s, false
	}
	c, bad := civil{}, 0
	c.year = 2000 + digits(s[0:2], &bad)
	c.month = digits(s[3:5], &bad)
	c.day = digits(s[6:8], &bad)
	clock(&c, s[9:17], &bad)
	return finish(c, bad, s, s[17:])
}

// hdfsStamp reads 081109 203615.
func hdfsStamp(s string) (ns int64, rest string, ok bool) {
	if len(s) < 14 || s[6] != ' ' || s[13] != ' ' {
		return 0, s, false
	}
	c, bad := civil{}, 0
	c.year = 2000 + digits(s[0:2], &bad)
	c.month = digits(s[2:4], &bad)
	c.day = digits(s[4:6], &bad)
	c.hour = digits(s[7:9], &bad)
	c.minute = digits(s[9:11], &bad)
	c.second = digits(s[11:13], &bad)
	return finish(c, bad, s, s[13:])
}

// syslogStamp reads Jun 14 15:16:01 and Jul  1 00:21:30; the year comes from when the line was received.
func syslogStamp(s string, observed int64) (ns int64, rest string, ok bool) {
	if len(s) < 15 || s[3] != ' ' || s[6] != ' ' || s[9] != ':' || s[12] != ':' {
		return 0, s, false
	}
	c, bad := civil{month: monthOf(s[:3])}, 0
	c.day = day(s[4:6], &bad)
	clock(&c, s[7:15], &bad)
	if bad != 0 || c.month == 0 {
		return 0, s, false
	}
	c.frac, rest = fraction(s[15:])
	ns, ok = inferYear(c, observed)
	return ns, rest, ok
}

// klogStamp reads I1123 21:55:42.123456, the head of Kubernetes' own components, after the level letter.
func klogStamp(s string, observed int64) (ns int64, rest string, ok bool) {
	if len(s) < 13 || s[4] != ' ' || s[7] != ':' || s[10] != ':' {
		return 0, s, false
	}
	c, bad := civil{}, 0
	c.month = digits(s[0:2], &bad)
	c.day = digits(s[2:4], &bad)
	clock(&c, s[5:13], &bad)
	if bad != 0 {
		return 0, s, false
	}
	c.frac, rest = fraction(s[13:])
	ns, ok = inferYear(c, observed)
	return ns, rest, ok
}

// apacheStamp reads [Sun Dec 04 04:47:44 2005] and [Sun Dec 04 04:47:44.123456 2005].
func apacheStamp(s string) (ns int64, rest string, ok bool) {
	if len(s) < 26 || s[0] != '[' || s[4] != ' ' || s[8] != ' ' || s[11] != ' ' {
		return 0, s, false
	}
	c, bad := civil{month: monthOf(s[5:8])}, 0
	c.day = day(s[9:11], &bad)
	clock(&c, s[12:20], &bad)
	c.frac, rest = fraction(s[20:])
	if len(rest) < 6 || rest[0] != ' ' || rest[5] != ']' {
		return 0, s, false
	}
	c.year = digits(rest[1:5], &bad)
	return finish(c, bad, s, rest[6:])
}

// accessStamp reads 10/Oct/2000:13:55:36 -0700, the time of access logs, without its brackets.
func accessStamp(s string) (ns int64, ok bool) {
	if len(s) < 20 || s[2] != '/' || s[6] != '/' || s[11] != ':' {
		return 0, false
	}
	c, bad := civil{month: monthOf(s[3:6])}, 0
	c.day = digits(s[0:2], &bad)
	c.year = digits(s[7:11], &bad)
	clock(&c, s[12:20], &bad)
	c.offset, _ = zone(strings.TrimPrefix(s[20:], " "))
	ns, _, ok = finish(c, bad, s, "")
	return ns, ok
}

// epochStamp reads ten digits of seconds, with an optional fraction, up to a space.
func epochStamp(s string) (ns int64, rest string, ok bool) {
	if len(s) < 11 || s[0] != '1' && s[0] != '2' {
		return 0, s, false
	}
	bad := 0
	sec := digits(s[:10], &bad)
	frac, rest := fraction(s[10:])
	if bad != 0 || rest == "" || rest[0] != ' ' {
		return 0, s, false
	}
	return int64(sec)*nsPerSecond + frac, rest, true
}

func finish(c civil, bad int, s, after string) (ns int64, rest string, ok bool) {
	if bad != 0 || !c.valid() {
		return 0, s, false
	}
	return c.unixNano(), after, true
}

// clock reads hh:mm:ss whatever stands between; the caller has checked the separators it cares for.
func clock(c *civil, s string, bad *int) {
	if !timeSep(s[2]) || s[5] != s[2] {
		*bad = 1
		return
	}
	c.hour = digits(s[0:2], bad)
	c.minute = digits(s[3:5], bad)
	c.second = digits(s[6:8], bad)
}

// digits is the number in s; anything else in it sets bad.
func digits(s string, bad *int) int {
	n := 0
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			*bad = 1
			return 0
		}
		n = n*10 + int(d)
	}
	return n
}

// day reads two digits or a space and a digit.
func day(s string, bad *int) int {
	if s[0] == ' ' {
		s = s[1:]
	}
	return digits(s, bad)
}

// fraction reads .747 or ,747 (any number of digits; those past ns are dropped) and returns ns.
func fraction(s string) (ns int64, rest string) {
	if len(s) < 2 || s[0] != '.' && s[0] != ',' || s[1]-'0' > 9 {
		return 0, s
	}
	unit, i := nsPerSecond/10, 1
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		ns += int64(s[i]-'0') * unit
		unit /= 10
	}
	return ns, s[i:]
}

// zone reads Z, +02:00, -0700 or nothing, and returns s east of UTC.
func zone(s string) (offset int, rest string) {
	if s == "" {
		return 0, s
	}
	if s[0] == 'Z' {
		return 0, s[1:]
	}
	if s[0] != '+' && s[0] != '-' || len(s) < 5 {
		return 0, s
	}
	minutes, end := s[3:5], 5
	if s[3] == ':' {
		if len(s) < 6 {
			return 0, s
		}
		minutes, end = s[4:6], 6
	}
	bad := 0
	h, m := digits(s[1:3], &bad), digits(minutes, &bad)
	if bad != 0 || h > 14 || m > 59 {
		return 0, s
	}
	offset = h*3600 + m*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, s[end:]
}

func dateSep(c byte) bool { return c == '-' || c == '/' || c == '.' }
func timeSep(c byte) bool { return c == ':' || c == '.' }

// monthOf is 1–12 for Jan–Dec, 0 for anything else.
func monthOf(s string) int {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	if i := strings.Index(names, s); len(s) == 3 && i >= 0 && i%3 == 0 {
		return i/3 + 1
	}
	return 0
}
