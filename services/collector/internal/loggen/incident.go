package loggen

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// incident is something that goes wrong in the shop.
type incident struct {
	Name     string
	About    string
	from, to time.Duration // in the script's cycle
	// change makes a line as it is in the incident; ok is false for a line that is not written.
	change func(d *demo, l *line, t time.Time) (at time.Time, ok bool)
}

// cycle is how long the script takes; then it begins anew.
const cycle = 18 * time.Minute

// Calm is no incident: under it, or as it, nothing goes wrong.
const Calm = "calm"

// Shares of lines that an incident changes, per cent. The sample rules fire at 5 and at 20 % errors, below 95 % of 2xx, and at 1 and 5 s
// on average; each incident is well past its own rules' thresholds and well before the others'.
const (
	burstShare  = 12
	outageShare = 45
	fatalShare  = 20
	slowMillis  = 2500
	stuckMillis = 10_000
	skew        = 10 * time.Minute
)

// script is what goes wrong, and when. Between two incidents of a kind there is time for the alerts of the first to resolve.
var script = []*incident{
	{"error-burst", "one request in eight fails: High error rate, Low success rate", 1 * time.Minute, 2 * time.Minute, failing(burstShare, "connection pool exhausted: 100 of 100 in use")},
	{"outage", "nearly half of all requests fail: Critical error rate too", 3*time.Minute + 30*time.Second, 4*time.Minute + 30*time.Second, failing(outageShare, "database primary is gone: no route to host")},
	{"slow-dependency", "catalog is slow, and so is who waits for it: Slow responses", 6 * time.Minute, 7 * time.Minute, slow(slowMillis)},
	{"timeouts", "catalog hangs: Very slow responses too", 8*time.Minute + 30*time.Second, 9*time.Minute + 30*time.Second, slow(stuckMillis)},
	{"silent-service", "shipping says nothing: Service is silent", 10*time.Minute + 30*time.Second, 12 * time.Minute, silent(func(service string) bool { return service == "shipping" })},
	{"network-partition", "nothing but web-gateway is heard: Few services, and a dozen that are silent", 13 * time.Minute, 14*time.Minute + 30*time.Second, silent(func(service string) bool { return service != "web-gateway" })},
	{"fatal", "inventory finds its ledger broken, an error never seen before: Fatal logs", 15*time.Minute + 15*time.Second, 15*time.Minute + 45*time.Second, fatal},
	{"clock-skew", "the clock of batch-jobs is ten minutes behind: its lines are stored and rules do not see them", 16*time.Minute + 30*time.Second, 17*time.Minute + 15*time.Second, skewed},
}

func failing(share int, message string) func(*demo, *line, time.Time) (time.Time, bool) {
	return func(d *demo, l *line, t time.Time) (time.Time, bool) {
		if d.rng.IntN(100) < share {
			l.level, l.status, l.message = "error", errorStatus(l.status), message
		}
		return t, true
	}
}

func slow(millis float64) func(*demo, *line, time.Time) (time.Time, bool) {
	return func(d *demo, l *line, t time.Time) (time.Time, bool) {
		if l.status != 0 && (l.service == "catalog" || l.service == "web-gateway") {
			l.millis += millis * (0.9 + 0.2*d.rng.Float64())
		}
		return t, true
	}
}

func silent(is func(service string) bool) func(*demo, *line, time.Time) (time.Time, bool) {
	return func(_ *demo, l *line, t time.Time) (time.Time, bool) { return t, !is(l.service) }
}

func fatal(d *demo, l *line, t time.Time) (time.Time, bool) {
	if l.service == "inventory" && d.rng.IntN(100) < fatalShare {
		l.level, l.message = "fatal", "negative stock after reservation: invariant violated in ledger shard 7"
	}
	return t, true
}

func skewed(_ *demo, l *line, t time.Time) (time.Time, bool) {
	if l.service == "batch-jobs" {
		return t.Add(-skew), true
	}
	return t, true
}

// director chooses the incident: one that was begun by hand for as long as the script has it, else the one of the whole run, else the script's.
type director struct {
	whole *incident // nil: the script
	calm  bool      // the whole run has none
	cue   atomic.Pointer[string]
	hand  *incident
	until time.Duration
}

// current is what goes wrong at a moment since the start; nil: nothing.
func (d *director) current(now time.Duration) *incident {
	if cue := d.cue.Swap(nil); cue != nil {
		if d.hand, _ = find(*cue); d.hand != nil {
			d.until = now + d.hand.to - d.hand.from
		}
	}
	switch {
	case d.hand != nil && now < d.until:
		return d.hand
	case d.whole != nil || d.calm:
		return d.whole
	}
	for _, i := range script {
		if at := now % cycle; at >= i.from && at < i.to {
			return i
		}
	}
	return nil
}

// Play makes an incident, or Calm, last for the whole run. Call it before the first line.
func (d *director) Play(name string) (err error) {
	d.whole, err = find(name)
	d.calm = name == Calm
	return err
}

// Cue begins an incident now; Calm ends one that was begun so. Safe for concurrent use.
func (d *director) Cue(name string) error {
	if _, err := find(name); err != nil {
		return err
	}
	d.cue.Store(&name)
	return nil
}

// find is the incident of a name; nil for Calm.
func find(name string) (*incident, error) {
	for _, i := range script {
		if i.Name == name {
			return i, nil
		}
	}
	if name == Calm {
		return nil, nil
	}
	return nil, fmt.Errorf("there is no incident %q; there are\n%s", name, Incidents())
}

// Incidents is a list for people, in the order of the script.
func Incidents() string {
	var b strings.Builder
	for _, i := range script {
		fmt.Fprintf(&b, "  %-18s %s\n", i.Name, i.About)
	}
	fmt.Fprintf(&b, "  %-18s %s\n", Calm, "nothing goes wrong; ends what was begun by hand")
	return b.String()
}
