package engine

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/logmill/logmill/shared/rule"
)

// snapshotVersion is the first byte of a snapshot. Older ones stay readable: testdata holds one of each.
//
//	1  a silence was id, labels that an alert must have, until
//	2  a silence is id, matchers, from, until
//	3  what compares a number with a constant is on a ladder, not a series for each constant
const snapshotVersion = 3

// Snapshot is the whole state. With the same versions and commands Restore goes on exactly as the engine would have.
//
//	byte version
//	last, watermark, folded                                   varint
//	sequences of fingerprints, silences                       lists
//	rules in force: id, version, since, warm, full, instances
//	series: key, kind, windows, groups: open cells, rings
func (e *Engine) Snapshot() []byte {
	w := &writer{b: []byte{snapshotVersion}}
	w.int(e.last)
	w.int(e.wm)
	w.int(e.folded)
	w.int(e.overflows)
	w.sequences(e)
	w.len(len(e.quiets))
	for _, s := range e.quiets {
		w.silence(s)
	}
	w.len(len(e.active))
	for _, key := range slices.Sorted(maps.Keys(e.active)) {
		w.text(key)
		w.rule(e.active[key])
	}
	w.len(len(e.order))
	for _, s := range e.order {
		w.series(s)
	}
	return w.b
}

func (w *writer) silence(s *silence) {
	w.text(s.ID)
	w.len(len(s.Matchers))
	for _, m := range s.Matchers {
		w.text(m.Name)
		w.text(m.Value)
		w.bool(m.IsRegex)
		w.bool(m.IsEqual)
	}
	w.int(s.From)
	w.int(s.Until)
}

func (r *reader) silence(version byte) *silence {
	s := &silence{ID: r.text()}
	if version == 1 {
		labels := r.labels()
		for _, name := range slices.Sorted(maps.Keys(labels)) {
			s.Matchers = append(s.Matchers, rule.Matcher{Name: name, Value: labels[name], IsEqual: true})
		}
	} else {
		for range r.len() {
			s.Matchers = append(s.Matchers, rule.Matcher{Name: r.text(), Value: r.text(), IsRegex: r.bool(), IsEqual: r.bool()})
		}
		s.From = r.int()
	}
	s.Until = r.int()
	var err error
	if s.match, err = rule.Matching(s.Matchers); err != nil {
		r.fail()
	}
	return s
}

// sequences leaves out those that the next instance begins above anyway.
func (w *writer) sequences(e *Engine) {
	keep := map[string]int64{}
	for fp, seq := range e.seqs {
		if seq >= e.last*Tick/1e9 {
			keep[hex.EncodeToString(fp[:])] = seq
		}
	}
	w.len(len(keep))
	for _, fp := range slices.Sorted(maps.Keys(keep)) {
		w.text(fp)
		w.int(keep[fp])
	}
}

func (w *writer) rule(a *active) {
	w.text(a.c.ID)
	w.int(int64(a.c.Version))
	w.int(a.since)
	w.int(a.warm)
	w.int(a.full)
	w.len(len(a.instances))
	for _, i := range sortedInstances(a) {
		w.texts(i.r.labels)
		w.int(i.born)
		w.alert(&i.alert)
	}
}

func (w *writer) alert(a *alert) {
	for _, v := range []int64{int64(a.Phase), a.Pending, a.Starts, a.Final, a.False, a.LastTrue, a.Told, a.Seq} {
		w.int(v)
	}
	w.value(a.Value.value())
	w.value(a.Peak.value())
	w.bool(a.NoData)
	w.bool(a.Muted)
	said := a.said()
	w.texts([]string{said.Ack, said.Note, said.Quiet})
}

func (r *reader) alert() (a alert) {
	a.Phase = phase(r.int())
	for _, v := range []*int64{&a.Pending, &a.Starts, &a.Final, &a.False, &a.LastTrue, &a.Told, &a.Seq} {
		*v = r.int()
	}
	a.Value, a.Peak = numberOf(r.value()), numberOf(r.value())
	a.NoData, a.Muted = r.bool(), r.bool()
	if t := r.texts(); len(t) == 3 {
		a.say(said{t[0], t[1], t[2]})
	}
	return a
}

func (w *writer) series(s *series) {
	w.text(s.key)
	w.int(int64(s.kind))
	w.len(len(s.windows))
	for _, u := range s.windows {
		w.int(u.size)
		w.int(u.count)
	}
	w.len(len(s.groups))
	for _, key := range slices.Sorted(maps.Keys(s.groups)) {
		g := s.groups[key]
		w.texts(g.labels)
		w.int(g.last)
		w.len(len(g.open))
		for i := range g.open {
			w.int(g.open[i].tick)
			w.cell(s.kind, &g.open[i].cell)
		}
		w.len(len(g.rings))
		for _, r := range g.rings {
			w.ring(r)
		}
	}
}

func (w *writer) ring(r *ring) {
	if r == nil {
		w.len(0)
		w.len(0)
		return
	}
	w.len(len(r.sums))
	for _, s := range r.sums {
		w.int(s.at)
		w.int(s.n)
		w.fixed(s.sum)
	}
	w.len(len(r.cells))
	for _, s := range r.cells {
		w.int(s.at)
		w.cell(r.kind, s.cell)
	}
}

// Restore rebuilds an engine from a snapshot. versions and commands are all that are known, in force or not.
func Restore(place Place, snapshot []byte, versions []Version, commands []Command) (*Engine, error) {
	if len(snapshot) == 0 || snapshot[0] < 1 || snapshot[0] > snapshotVersion {
		return nil, fmt.Errorf("%w: a snapshot of a format that this version does not know", ErrDamaged)
	}
	r := &reader{b: snapshot[1:]}
	e := New(place, 0)
	e.fresh = false
	e.last, e.wm, e.folded, e.overflows = r.int(), r.int(), r.int(), r.int()
	for range r.len() {
		fp, seq := r.fingerprint(), r.int()
		e.seqs[fp] = seq
	}
	for range r.len() {
		e.silence(r.silence(snapshot[0]), e.last)
	}
	if err := e.restoreRules(r, versions); err != nil {
		return nil, err
	}
	later := slices.DeleteFunc(slices.Clone(versions), func(v Version) bool { return tickOf(v.Effective) <= e.last })
	undone := slices.DeleteFunc(slices.Clone(commands), func(c Command) bool { return tickOf(c.Effective) <= e.last })
	folded := e.folded
	e.folded = 0 // records above the last tick were folded with these versions known
	if err := e.Schedule(later, undone); err != nil {
		return nil, err
	}
	e.folded = folded
	plain, old := map[string]use{}, map[*series]use{}
	if snapshot[0] < 3 {
		plain = e.plainUses()
	}
	for range r.len() {
		s := e.restoreSeries(r)
		if u, ok := plain[s.key]; ok && e.series[s.key] != s {
			old[s] = u
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	e.takeOver(old)
	for _, a := range e.active {
		for _, i := range a.instances {
			i.wake = 0
			if next := i.next(e.last); next != 0 {
				e.wakeAt(i, next)
			}
		}
	}
	for _, q := range e.questions {
		for _, r := range q.readings {
			e.wakeNext(r)
		}
	}
	return e, nil
}

func (e *Engine) restoreRules(r *reader, versions []Version) error {
	type name struct {
		id     string
		number int
	}
	byName := make(map[name]*Version, len(versions))
	for i := range versions {
		byName[name{versions[i].RuleID, versions[i].Number}] = &versions[i]
	}
	for range r.len() {
		key := r.text()
		n := name{r.text(), int(r.int())}
		v := byName[n]
		if v == nil {
			return errors.Join(r.err, fmt.Errorf("%w: version %d of rule %s is in the snapshot but not known", ErrDamaged, n.number, n.id))
		}
		a := e.compile(v)
		if a == nil {
			return fmt.Errorf("%w: version %d of rule %s cannot be in force: %w", ErrDamaged, n.number, n.id, e.failed[n.id])
		}
		a.since, a.warm, a.full = r.int(), r.int(), r.int()
		if key == n.id {
			e.enter(a)
		} else {
			e.active[key] = a
		}
		for range r.len() {
			labels := r.texts()
			born := r.int()
			state := r.alert()
			if r.err != nil {
				return r.err
			}
			i := e.instance(a, groupKey(labels), labels, born)
			i.born, i.alert = born, state
		}
	}
	return r.err
}

// restoreSeries fills the series that the rules have linked. One that nobody needs any more is returned and belongs to nobody.
func (e *Engine) restoreSeries(r *reader) *series {
	key, k := r.text(), kind(r.int())
	s := e.series[key]
	if s == nil || s.kind != k {
		s = &series{key: key, kind: k, by: &grouping{}, groups: map[string]*group{}, services: map[string]int{}}
	}
	places := make([]int, r.len())
	for i := range places {
		size, count := r.int(), r.int()
		if size <= 0 || count <= 0 {
			r.fail()
			return s
		}
		places[i] = s.window(size, count)
	}
	for range r.len() {
		labels := r.texts()
		g := s.find(groupKey(labels), labels)
		g.last = r.int()
		for range r.len() {
			tick := r.int()
			c, _ := g.at(tick)
			*c = r.cell(k)
			if e.series[key] == s {
				e.openAt(tick, s, g)
			}
		}
		for i := range r.len() {
			if i >= len(places) {
				r.fail()
				return s
			}
			r.ring(s.ring(g, places[i]))
		}
	}
	return s
}

func (r *reader) ring(into *ring) {
	for range r.len() {
		s := sumSlot{at: r.int(), n: r.int(), sum: r.fixed()}
		into.sums = append(into.sums, s)
		into.total.n += s.n
		into.total.sum = into.total.sum.plus(s.sum)
	}
	for range r.len() {
		at := r.int()
		c := r.cell(into.kind)
		into.cells = append(into.cells, cellSlot{at, &c})
		if r.err == nil {
			into.sumUp(&c, 1)
		}
	}
}
