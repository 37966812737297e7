package enrich

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/logmill/logmill/shared/logrec"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line  string
		time  string
		level logrec.Level
		host  string
	}{
		"apache error log":     {"[Sun Dec 04 04:47:44 2005] [notice] worker ready", "2005-12-04T04:47:44Z", logrec.LevelInfo, ""},
		"apache error":         {"[Mon Dec 05 04:47:44 2005] [error] child died", "2005-12-05T04:47:44Z", logrec.LevelError, ""},
		"apache 2.4":           {"[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708] File does not exist", "2011-09-09T10:42:29.902022Z", logrec.LevelError, ""},
		"spark":                {"17/06/09 20:10:40 WARN storage.BlockManager: slow", "2017-06-09T20:10:40Z", logrec.LevelWarn, ""},
		"hdfs":                 {"081109 203615 148 INFO dfs.DataNode$PacketResponder: done", "2008-11-09T20:36:15Z", logrec.LevelInfo, ""},
		"bluegene":             {"- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.675872 R02-M1 RAS KERNEL INFO parity error corrected", "2005-06-03T22:42:50.675872Z", logrec.LevelInfo, "R02-M1"},
		"bluegene alert":       {"KERNDTLB 1117838573 2005.06.03 R02-M1 2005-06-03-15.42.53.276129 R02-M1 RAS KERNEL FATAL data TLB error", "2005-06-03T22:42:53.276129Z", logrec.LevelFatal, "R02-M1"},
		"bluegene severe":      {"- 1123060215 2005.08.03 UNKNOWN_LOCATION 2005-08-03-02.10.15.206558 UNKNOWN_LOCATION NULL DISCOVERY SEVERE no card", "2005-08-03T09:10:15.206558Z", logrec.LevelError, "UNKNOWN_LOCATION"},
		"bluegene time alone":  {"2005-06-03-15.42.50.675872 started", "2005-06-03T15:42:50.675872Z", 0, ""},
		"zookeeper":            {"2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]:Leader@774] - time out", "2015-07-29T17:41:44.747Z", logrec.LevelInfo, ""},
		"hadoop":               {"2015-10-18 18:01:47,978 FATAL [main] org.apache.Main: no", "2015-10-18T18:01:47.978Z", logrec.LevelFatal, ""},
		"iso with zone":        {"2015-10-18T18:01:47.5+02:00 error: x", "2015-10-18T16:01:47.5Z", logrec.LevelError, ""},
		"nginx error log":      {"2015/10/18 18:01:47 [crit] 12#0: x", "2015-10-18T18:01:47Z", logrec.LevelFatal, ""},
		"syslog this year":     {"Feb 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown", "2026-02-14T15:16:01Z", 0, "combo"},
		"syslog last year":     {"Jun 14 15:16:01 combo kernel: error: bad disk", "2025-06-14T15:16:01Z", logrec.LevelError, "combo"},
		"syslog one digit day": {"Jul  1 00:21:30 combo su: hi", "2025-07-01T00:21:30Z", 0, "combo"},
		"syslog prose level":   {"Jul  1 00:21:30 combo su: no ERROR was seen, said error: nothing", "2025-07-01T00:21:30Z", logrec.LevelError, "combo"},
		"rfc 3164":             {"<34>Oct 11 22:14:15 mymachine su: 'su root' failed", "2025-10-11T22:14:15Z", logrec.LevelFatal, "mymachine"},
		"rfc 5424":             {"<165>1 2003-10-11T22:14:15.003Z host.example.com evntslog - ID47 hi", "2003-10-11T22:14:15.003Z", logrec.LevelInfo, "host.example.com"},
		"klog":                 {"E0228 21:55:42.123456       1 reflector.go:1] failed", "2026-02-28T21:55:42.123456Z", logrec.LevelError, ""},
		"level in front":       {"ERROR disk full", "", logrec.LevelError, ""},
		"level in brackets":    {"[warn] disk nearly full", "", logrec.LevelWarn, ""},
		"level with colon":     {"error: disk full", "", logrec.LevelError, ""},
		"prose":                {"the user saw an ERROR and left", "", 0, ""},
		"prose info":           {"info about things", "", 0, ""},
		"errors is no level":   {"ERRORS were found", "", 0, ""},
		"no such day":          {"2015-02-30 17:41:44 INFO x", "", logrec.LevelInfo, ""},
		"year out of range":    {"9999-02-03 17:41:44 INFO x", "", logrec.LevelInfo, ""},
		"empty":                {"", "", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := read(c.line, received)
			require.Equal(t, ns(t, c.time), f.time, "time is %s", time.Unix(0, f.time).UTC())
			require.Equal(t, c.level.String(), f.level.String())
			require.Equal(t, c.host, f.host)
		})
	}
}

func TestInferYear(t *testing.T) {
	t.Parallel()
	newYear := time.Date(2026, 1, 1, 0, 0, 5, 0, time.UTC).UnixNano()
	for name, c := range map[string]struct {
		c        civil
		observed int64
		want     string
	}{
		"a second before new year":    {civil{month: 12, day: 31, hour: 23, minute: 59, second: 59}, newYear, "2025-12-31T23:59:59Z"},
		"a sender's clock runs fast":  {civil{month: 1, day: 1, second: 9}, newYear - 10e9, "2026-01-01T00:00:09Z"},
		"two days ahead is last year": {civil{month: 1, day: 3}, newYear, "2025-01-03T00:00:00Z"},
		"29 February":                 {civil{month: 2, day: 29}, newYear, "2024-02-29T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := inferYear(c.c, c.observed)
			require.True(t, ok)
			require.Equal(t, c.want, time.Unix(0, got).UTC().Format(time.RFC3339))
		})
	}
	_, ok := inferYear(civil{month: 2, day: 30}, newYear)
	require.False(t, ok)
}

func TestDaysSinceEpochAgainstTime(t *testing.T) {
	t.Parallel()
	for day := time.Date(minYear, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() <= maxYear; day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got := daysSinceEpoch(y, int(m), d); got != day.Unix()/86400 {
			t.Fatalf("%s: %d", day, got)
		}
	}
}

// FuzzRead: no text crashes a parser, and no time leaves what int64 and the year rule allow.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"[Sun Dec 04 04:47:44 2005] [notice] x", "17/06/09 20:10:40 INFO x", "081109 203615 148 INFO x", "- 1117838570 2005.06.03 R 2005-06-03-15.42.50.675872 R RAS KERNEL INFO x",
		"2015-07-29 17:41:44,747 - INFO x", "Jun 14 15:16:01 combo x: y", "<34>1 2015-07-29T17:41:44Z h", "I1123 21:55:42.1 x", `1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1`, `a=1 b="x\"y" c=`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := read(s, received)
		require.GreaterOrEqual(t, got.time, int64(-15*3600*nsPerSecond))
		parseAccess(s)
		pairs, ok := parsePairs(nil, s)
		if !ok {
			require.Empty(t, pairs)
		}
	})
}
