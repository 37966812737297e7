package engine

import (
	"github.com/logmill/logmill/shared/rule"
	"github.com/logmill/logmill/shared/rule/expr"
)

// phase of an alert.
type phase uint8

// The phases. Their numbers are part of the snapshot's format.
const (
	inactive phase = iota
	pending        // the condition holds, but not yet for long enough
	firing
)

// alert is the state of an instance. Times are ticks, 0 = none.
type alert struct {
	Phase    phase
	NoData   bool  // fires for lack of data
	Muted    bool  // resolved by hand: silent until the condition has been false
	Pending  int64 // since when the condition holds
	Starts   int64 // announced
	Final    int64 // the first closed tick of the episode; 0 while an early alert is unconfirmed
	False    int64 // since when it does not hold while firing
	LastTrue int64
	Told     int64 // of the last event
	Seq      int64 // of the last event
	Value    number
	Peak     number
	Said     *said // nil: nothing
}

// number is a value, or NULL: there are many alerts, and expr.Value is twice as large.
type number struct {
	N     float64
	Known bool
}

func numberOf(v expr.Value) number { return number{v.N, !v.Null()} }

func (n number) value() expr.Value {
	if !n.Known {
		return expr.Value{}
	}
	return expr.NumberOf(n.N)
}

// said is what people have said of an alert.
type said struct {
	Ack   string // who acknowledged it
	Note  string
	Quiet string // the silence that covers it
}

func (a *alert) said() said {
	if a.Said == nil {
		return said{}
	}
	return *a.Said
}

func (a *alert) say(s said) {
	a.Said = nil
	if s != (said{}) {
		a.Said = &s
	}
}

// quiet notes the silence that covers it, "" for none.
func (a *alert) quiet(silence string) {
	s := a.said()
	s.Quiet = silence
	a.say(s)
}

// move is what an observation leads to.
type move uint8

const (
	stay move = iota
	fire
	confirm
	resolve
	renew // re-notify
)

// observe takes in the value of a closed tick. Ticks at which nothing can have changed are left out.
func (a *alert) observe(c *rule.Compiled, tick int64, v expr.Value) move {
	holds, known := a.holds(c, v)
	if !known {
		return a.renewal(c, tick) // no_data: keep
	}
	switch a.Phase {
	case inactive:
		return a.begin(c, tick, v, holds)
	case pending:
		if !holds {
			a.Phase, a.Pending = inactive, 0
			return stay
		}
		return a.mature(c, tick, v)
	}
	if holds {
		return a.goOn(c, tick, v)
	}
	return a.end(c, tick)
}

// holds tells whether the condition holds, and whether that is known.
func (a *alert) holds(c *rule.Compiled, v expr.Value) (holds, known bool) {
	if v.Null() {
		return c.NoData == rule.NoDataFiring, c.NoData != rule.NoDataKeep
	}
	if a.Phase == firing && c.ResolveThreshold != nil {
		return rule.Holds(c.Operator, v.N, *c.ResolveThreshold), true
	}
	return rule.Holds(c.Operator, v.N, c.Threshold), true
}

func (a *alert) begin(c *rule.Compiled, tick int64, v expr.Value, holds bool) move {
	if !holds {
		a.Muted = false
		return stay
	}
	if a.Muted {
		return stay
	}
	a.Phase, a.Pending = pending, tick
	return a.mature(c, tick, v)
}

func (a *alert) mature(c *rule.Compiled, tick int64, v expr.Value) move {
	a.LastTrue = tick
	if tick-a.Pending < int64(c.For)/Tick {
		return stay
	}
	a.Phase, a.Starts, a.Final, a.False = firing, tick, tick, 0
	a.Value, a.Peak, a.NoData = numberOf(v), numberOf(v), v.Null()
	return fire
}

// goOn is a firing alert whose condition holds.
func (a *alert) goOn(c *rule.Compiled, tick int64, v expr.Value) move {
	a.LastTrue, a.False = tick, 0
	if a.Final == 0 { // fired early: this is the tick that decides
		a.Final, a.Value, a.Peak = tick, numberOf(v), numberOf(v)
		return confirm
	}
	if !v.Null() && (!a.Peak.Known || further(c, v.N, a.Peak.N)) {
		a.Peak = numberOf(v)
	}
	return a.renewal(c, tick)
}

// further tells whether v is further past the threshold than the peak.
func further(c *rule.Compiled, v, peak float64) bool {
	if c.Absence {
		return v < peak
	}
	return v > peak
}

func (a *alert) renewal(c *rule.Compiled, tick int64) move {
	if every := int64(*c.RepeatInterval) / Tick; a.Phase == firing && every > 0 && tick-a.Told >= every {
		return renew
	}
	return stay
}

// end is a firing alert whose condition does not hold.
func (a *alert) end(c *rule.Compiled, tick int64) move {
	if a.Final == 0 && tick < a.Starts {
		return stay // announced for a tick that is still to come
	}
	if a.False == 0 {
		a.False, a.LastTrue = tick, tick-1 // between the ticks that were looked at nothing changed
	}
	if tick-a.False+1 < keepTicks(c) {
		return a.renewal(c, tick)
	}
	return resolve
}

func keepTicks(c *rule.Compiled) int64 { return max(1, int64(c.KeepFiringFor)/Tick) }

// times calls at with the ticks at which the alert moves on by itself.
func (a *alert) times(c *rule.Compiled, at func(int64)) {
	switch a.Phase {
	case pending:
		at(a.Pending + int64(c.For)/Tick)
	case firing:
		if a.False != 0 {
			at(a.False + keepTicks(c) - 1)
		}
		if every := int64(*c.RepeatInterval) / Tick; every > 0 {
			at(a.Told + every)
		}
		if a.Final == 0 {
			at(a.Starts)
		}
	}
}

// reset ends an episode.
func (a *alert) reset() {
	*a = alert{Seq: a.Seq, Told: a.Told, Muted: a.Muted}
}
