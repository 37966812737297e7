package tail

import "bytes"

// shapes are how lines begin that begin an entry: 0 stands for a digit, A for a letter, everything else for itself. They are the forms
// in which the processor finds times, shortened to what tells them from other text.
var shapes = []string{
	"0000-00-00", "0000/00/00", "0000.00.00", "00000000 000000", // ISO, Go's log, HDFS with a long date
	"00/00/00 00:", "000000 000000 ", "00:00:00", // Spark, HDFS, a time alone
	"AAA 00 00:00:00", "AAA  0 00:00:00", "AAA AAA 00 00:00:00", // syslog, ctime
	"00/AAA/0000:", "00-AAA-0000 ", "00 AAA 0000 ", "0000-AAA-00", // access logs, Java's SimpleDateFormat
	"A0000 00:00:00",                               // klog
	"0000000000 ", "0000000000.", "0000000000000 ", // Unix time
}

// start is how a line begins.
type start uint8

const (
	plain  start = iota // it may continue what was before it
	keyed               // logfmt, or a JSON object: an entry of its own
	timed               // with a time: lines without one belong to it
	closed              // a whole JSON object: nothing continues it
)

// startOf tells how a line begins: with a time (in brackets or after a syslog priority too), as logfmt, as a JSON object.
func startOf(line []byte) start {
	if len(line) == 0 {
		return plain
	}
	if line[0] == '{' {
		if line[len(line)-1] == '}' {
			return closed
		}
		return keyed
	}
	text := afterCategory(opened(line))
	for _, s := range shapes {
		if matches(text, s) {
			return timed
		}
	}
	switch {
	case accessLine(line):
		return timed
	case hasKey(line, "time=") || hasKey(line, "ts=") || hasKey(line, "level="):
		return keyed
	}
	return plain
}

// afterCategory drops the alert category of a BlueGene/L event: a dash or a word in capitals before Unix time and date.
func afterCategory(line []byte) []byte {
	i := bytes.IndexByte(line, ' ')
	if i < 1 || i > 12 || !matches(line[i+1:], "0000000000 0000.00.00") || bytes.ContainsAny(line[:i], "abcdefghijklmnopqrstuvwxyz") {
		return line
	}
	return line[i+1:]
}

// opened drops an opening bracket, or a syslog priority as in <34>1.
func opened(line []byte) []byte {
	if len(line) > 2 && line[0] == '[' {
		return line[1:]
	}
	if len(line) > 3 && line[0] == '<' {
		for i := 1; i < len(line) && i < 5; i++ {
			if line[i] == '>' {
				line = line[i+1:]
				if len(line) > 2 && line[0] == '1' && line[1] == ' ' {
					line = line[2:]
				}
				return line
			}
		}
	}
	return line
}

func matches(line []byte, shape string) bool {
	if len(line) < len(shape) {
		return false
	}
	for i := range len(shape) {
		c := line[i]
		switch shape[i] {
		case '0':
			if c < '0' || c > '9' {
				return false
			}
		case 'A':
			if c|0x20 < 'a' || c|0x20 > 'z' {
				return false
			}
		default:
			if c != shape[i] {
				return false
			}
		}
	}
	return true
}

func hasKey(line []byte, key string) bool {
	return len(line) > len(key) && string(line[:len(key)]) == key
}

// accessLine: an address, two words and a time in brackets, as web servers write it.
func accessLine(line []byte) bool {
	words := 0
	for i, c := range line {
		switch {
		case i > 200 || words > 3:
			return false
		case c == ' ':
			words++
		case c == '[':
			return words == 3 && matches(line[i+1:], "00/AAA/0000:")
		}
	}
	return false
}
