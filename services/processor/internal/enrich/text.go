package enrich

import "github.com/logmill/logmill/shared/logrec"

// facts are what the text of a line says of itself. Zero values mean: it does not say.
type facts struct {
	time  int64 // ns
	level logrec.Level
	host  string
}

// read looks at the first bytes of a line to see who wrote it, then at its head for time, level and host.
// observed (ns) is when it was received: year-less times need it.
func read(s string, observed int64) facts {
	if len(s) < 4 {
		return facts{}
	}
	switch c := s[0]; {
	case c == '[':
		return readBracket(s)
	case c == '<':
		return readSyslogPriority(s, observed)
	case c-'0' <= 9:
		return readDigit(s)
	case c == '-' || c-'A' <= 25:
		return readCapital(s, observed)
	}
	return facts{level: levelIn(s, bareLevelWords)}
}

// readBracket: Apache's error log, or a time or level in brackets.
func readBracket(s string) facts {
	if ns, rest, ok := apacheStamp(s); ok {
		return facts{time: ns, level: levelIn(moduleLevel(rest), levelSearchWords)}
	}
	if ns, rest, ok := isoStamp(s[1:]); ok {
		return facts{time: ns, level: levelIn(rest, levelSearchWords)}
	}
	return facts{level: levelIn(s, bareLevelWords)}
}

// moduleLevel drops the module that newer Apaches write in front of the level: [core:error] becomes [error].
func moduleLevel(rest string) string {
	for i := 0; i < len(rest) && rest[i] != ']'; i++ {
		if rest[i] == ':' && i+1 < len(rest) {
			return " " + rest[i+1:]
		}
	}
	return rest
}

// readDigit: a time in front, in one of four ways.
func readDigit(s string) facts {
	ns, rest, ok := isoStamp(s)
	if !ok {
		ns, rest, ok = sparkStamp(s)
	}
	if !ok {
		ns, rest, ok = hdfsStamp(s)
	}
	if !ok {
		ns, rest, ok = epochStamp(s)
	}
	if !ok {
		return facts{level: levelIn(s, bareLevelWords)}
	}
	return facts{time: ns, level: levelIn(rest, levelSearchWords)}
}

// readCapital: a month (syslog), a klog letter, or a BlueGene/L event, which starts with a dash or the alert category.
func readCapital(s string, observed int64) facts {
	if ns, rest, ok := syslogStamp(s, observed); ok {
		host, rest := word(rest)
		return facts{time: ns, host: host, level: levelIn(afterTag(rest), bareLevelWords)}
	}
	if l := levelOfKlog(s[0]); l != logrec.LevelAbsent && s[1]-'0' <= 9 {
		if ns, _, ok := klogStamp(s[1:], observed); ok {
			return facts{time: ns, level: l}
		}
	}
	if f, ok := readBlueGene(s); ok {
		return f
	}
	return facts{level: levelIn(s, bareLevelWords)}
}

// readBlueGene: label, epoch seconds, date, node, local time with µs, node, type, component, level. The seconds are the moment in UTC,
// the local time only adds its fraction.
func readBlueGene(s string) (facts, bool) {
	_, rest := word(s)
	if rest == "" {
		return facts{}, false
	}
	ns, rest, ok := epochStamp(rest[1:])
	if !ok {
		return facts{}, false
	}
	date, rest := word(rest)
	node, rest := word(rest)
	local, rest := word(rest)
	if len(date) != 10 || !dateSep(date[4]) {
		return facts{time: ns, level: levelIn(rest, levelSearchWords)}, true
	}
	if t, _, ok := isoStamp(local); ok {
		ns += t % nsPerSecond
	}
	return facts{time: ns, host: node, level: levelIn(rest, levelSearchWords)}, true
}

// readSyslogPriority: <34>Oct 11 22:14:15 host tag: … (RFC 3164) and <165>1 2003-10-11T22:14:15.003Z host … (RFC 5424).
func readSyslogPriority(s string, observed int64) facts {
	end, pri := 1, 0
	for ; end < len(s) && end < 5 && s[end]-'0' <= 9; end++ {
		pri = pri*10 + int(s[end]-'0')
	}
	if end == 1 || end >= len(s) || s[end] != '>' || pri > 191 {
		return facts{level: levelIn(s, bareLevelWords)}
	}
	f, rest := facts{level: levelOfSyslog(pri & 7)}, s[end+1:]
	if len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' {
		rest = rest[2:]
	}
	ns, after, ok := isoStamp(rest)
	if !ok {
		ns, after, ok = syslogStamp(rest, observed)
	}
	if ok {
		f.time = ns
		f.host, _ = word(after)
	}
	return f
}

// word is the next word of s and what follows it.
func word(s string) (w, rest string) {
	for s != "" && s[0] == ' ' {
		s = s[1:]
	}
	for i := range len(s) {
		if s[i] == ' ' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// afterTag is a syslog text without its program: what follows the first ": ".
func afterTag(s string) string {
	for i := 0; i+1 < len(s) && i < levelSearchBytes; i++ {
		if s[i] == ':' && s[i+1] == ' ' {
			return s[i+1:]
		}
	}
	return s
}
