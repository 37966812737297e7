package broker

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rebalance asks everybody to join, unless it has.
func (g *group) rebalance() {
	if g.state != preparing {
		for _, m := range g.members {
			g.synced(m, kerr.RebalanceInProgress)
		}
		g.state = preparing
		g.began()
	}
	for _, m := range g.members {
		if m.joining == nil {
			return
		}
	}
	g.complete()
}

// began sets the end of the joins: whoever has not joined by then is out. Further joins do not put it off.
func (g *group) began() {
	var most time.Duration
	for _, m := range g.members {
		most = max(most, millis(m.join.RebalanceTimeoutMillis), millis(m.join.SessionTimeoutMillis))
	}
	var t *time.Timer
	t = time.AfterFunc(most, func() {
		g.c.mu.Lock()
		defer g.c.mu.Unlock()
		if g.deadline == t {
			g.complete()
		}
	})
	g.deadline = t
}

// complete begins a generation of those who have joined.
func (g *group) complete() {
	g.deadline.Stop()
	g.deadline = nil
	for _, m := range g.members {
		if m.joining == nil {
			m.stop()
			delete(g.members, m.id)
		}
	}
	g.generation++
	if len(g.members) == 0 {
		g.state, g.leader, g.protocol = empty, "", ""
		return
	}
	g.state = completing
	if g.members[g.leader] == nil {
		g.leader = slices.Min(slices.Collect(maps.Keys(g.members)))
	}
	g.protocol = g.vote()
	for _, m := range g.members {
		a := m.joining
		m.joining, m.assignment = nil, nil
		a.give(g.joined(m))
		g.beat(m)
	}
}

// vote is the protocol that the leader likes best of those that all speak; fits saw to it that there is one.
func (g *group) vote() string {
	for _, p := range g.members[g.leader].join.Protocols {
		all := true
		for _, m := range g.members {
			all = all && metadata(m.join, p.Name) != nil
		}
		if all {
			return p.Name
		}
	}
	return ""
}

// synced answers a member that waits for its assignment.
func (g *group) synced(m *member, e *kerr.Error) {
	a := m.syncing
	if a == nil {
		return
	}
	resp := a.resp.(*kmsg.SyncGroupResponse)
	if e != nil {
		resp.ErrorCode = e.Code
	} else {
		resp.MemberAssignment = m.assignment
	}
	if resp.MemberAssignment == nil {
		resp.MemberAssignment = nothing
	}
	m.syncing = nil
	a.give(resp)
	g.beat(m)
}

// nothing is the assignment of a member that got none: some clients cannot read an empty one.
var nothing = new(kmsg.ConsumerMemberAssignment).AppendTo(nil)

// beat says that a member lives. One that waits for an answer cannot, and need not.
func (g *group) beat(m *member) {
	if m.joining != nil || m.syncing != nil {
		return
	}
	session := millis(m.join.SessionTimeoutMillis)
	m.expires = time.Now().Add(session)
	m.stop()
	m.session = time.AfterFunc(session, func() {
		g.c.mu.Lock()
		defer g.c.mu.Unlock()
		if g.members[m.id] == m && m.joining == nil && m.syncing == nil && !time.Now().Before(m.expires) {
			g.remove(m)
		}
	})
}

func (m *member) stop() {
	if m.session != nil {
		m.session.Stop()
	}
}

func (g *group) remove(m *member) {
	delete(g.members, m.id)
	if m.joining != nil {
		m.joining.give(joinError(m.join, kerr.UnknownMemberID))
	}
	g.synced(m, kerr.UnknownMemberID)
	m.stop()
	g.rebalance()
}
