package enrich

import "time"

const nsPerSecond = int64(time.Second)

// maxYear keeps every time inside what int64 ns can hold (2262-04-11).
const (
	minYear = 1970
	maxYear = 2261
)

// civil is a time as people write it, in UTC unless an offset is given.
type civil struct {
	year, month, day     int
	hour, minute, second int
	frac                 int64 // ns
	offset               int   // s east of UTC
}

// valid says whether c is a real moment; 60 is accepted as a leap second.
func (c civil) valid() bool {
	return c.year >= minYear && c.year <= maxYear && c.month >= 1 && c.month <= 12 &&
		c.day >= 1 && c.day <= daysIn(c.month, c.year) &&
		c.hour <= 23 && c.minute <= 59 && c.second <= 60
}

// unixNano is c in ns since the epoch.
func (c civil) unixNano() int64 {
	s := daysSinceEpoch(c.year, c.month, c.day)*86400 + int64(c.hour)*3600 + int64(c.minute)*60 + int64(c.second)
	return (s-int64(c.offset))*nsPerSecond + c.frac
}

// daysSinceEpoch is Howard Hinnant's days_from_civil (chrono-compatible low-level date algorithms), for years from 1970 on.
func daysSinceEpoch(y, m, d int) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

func daysIn(month, year int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	}
	return 31
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

// yearTolerance is how far a year-less time may lie after the moment of receipt and still belong to the same year:
// clocks run ahead, and a zone east of UTC writes tomorrow's date.
const yearTolerance = int64(36 * time.Hour)

// inferYear gives c the latest year in which it is a real date that is not after observed (ns), and returns ns.
// ok is false when eight years have none (no such date).
func inferYear(c civil, observed int64) (ns int64, ok bool) {
	last := time.Unix(0, observed).UTC().Year() + 1 // a line of 1 January may reach us on 31 December
	for c.year = last; c.year > last-10; c.year-- {
		if !c.valid() {
			continue
		}
		if ns := c.unixNano(); ns <= observed+yearTolerance {
			return ns, true
		}
	}
	return 0, false
}
