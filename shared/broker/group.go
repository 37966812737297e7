package broker

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator keeps consumer groups by Kafka's classic protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup), in memory: after a restart
// members join again. It stands in for kfake's, in which a group stops for good: a member whose connection dies while it waits for its
// answer is never removed, one that is removed while it waits for its assignment is counted below nothing, and every new join puts the
// end of the rebalance off, so that two members that give up and come back by turns wait for ever.
//
// The rules are Kafka's (GroupCoordinator of 3.x): a member waits in a join until all have joined or the rebalance is over time, which
// was said when it began; whoever waits does not expire; everybody else does unless it beats. Static members are members like others.
type coordinator struct {
	mu     sync.Mutex
	groups map[string]*group
	closed bool
}

func newCoordinator() *coordinator { return &coordinator{groups: map[string]*group{}} }

// close answers everybody who waits. Nobody waits after it.
func (c *coordinator) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, g := range c.groups {
		for _, m := range g.members {
			if m.joining != nil {
				m.joining.give(joinError(m.join, kerr.CoordinatorNotAvailable))
				m.joining = nil
			}
			g.synced(m, kerr.CoordinatorNotAvailable)
			m.stop()
		}
		if g.deadline != nil {
			g.deadline.Stop()
		}
	}
}

// The states, in Kafka's words.
const (
	empty      = "Empty"
	preparing  = "PreparingRebalance"  // members are joining
	completing = "CompletingRebalance" // the leader makes the assignment
	stable     = "Stable"
)

type group struct {
	c          *coordinator
	state      string
	generation int32
	kind       string // protocol type: "consumer"
	protocol   string
	leader     string
	members    map[string]*member
	pending    map[string]bool // ids that were given out and have not joined
	deadline   *time.Timer     // of the joins
}

type member struct {
	id         string
	join       *kmsg.JoinGroupRequest
	assignment []byte
	joining    *answer // set while it waits
	syncing    *answer // set while it waits
	expires    time.Time
	session    *time.Timer
}

// answer is one that is given later.
type answer struct {
	ready chan struct{}
	resp  kmsg.Response
}

func newAnswer() *answer { return &answer{ready: make(chan struct{})} }

func (a *answer) give(resp kmsg.Response) {
	a.resp = resp
	close(a.ready)
}

func (c *coordinator) group(name string) *group {
	g := c.groups[name]
	if g == nil {
		g = &group{c: c, state: empty, members: map[string]*member{}, pending: map[string]bool{}}
		c.groups[name] = g
	}
	return g
}

// join handles a JoinGroup: one of both results is set.
func (c *coordinator) join(req *kmsg.JoinGroupRequest) (now kmsg.Response, later *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	refuse := func(e *kerr.Error) kmsg.Response { return joinError(req, e) }
	session := millis(req.SessionTimeoutMillis)
	switch {
	case c.closed:
		return refuse(kerr.CoordinatorNotAvailable), nil
	case req.Group == "":
		return refuse(kerr.InvalidGroupID), nil
	case session < minSession || session > maxSession:
		return refuse(kerr.InvalidSessionTimeout), nil
	}
	g := c.group(req.Group)
	m := g.members[req.MemberID]
	switch {
	case !g.fits(req):
		return refuse(kerr.InconsistentGroupProtocol), nil
	case m != nil:
		return g.rejoin(m, req)
	case req.MemberID != "" && !g.pending[req.MemberID]:
		return refuse(kerr.UnknownMemberID), nil
	case len(g.members)+len(g.pending) >= maxMembers:
		return refuse(kerr.GroupMaxSizeReached), nil
	case req.MemberID == "" && req.Version >= 4 && req.InstanceID == nil:
		resp := joinError(req, kerr.MemberIDRequired)
		resp.MemberID = g.promise(session)
		return resp, nil
	}
	m = &member{id: req.MemberID}
	if m.id == "" {
		m.id = newMemberID()
	}
	delete(g.pending, m.id)
	g.members[m.id] = m
	return nil, g.wait(m, req)
}

// promise gives an id to somebody who then joins with it (KIP-394), or is forgotten.
func (g *group) promise(session time.Duration) string {
	id := newMemberID()
	g.pending[id] = true
	time.AfterFunc(session, func() {
		g.c.mu.Lock()
		defer g.c.mu.Unlock()
		delete(g.pending, id)
	})
	return id
}

func newMemberID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return "member-" + hex.EncodeToString(b)
}

// fits tells whether a member and all others have a protocol in common.
func (g *group) fits(req *kmsg.JoinGroupRequest) bool {
	if req.ProtocolType == "" || len(req.Protocols) == 0 {
		return false
	}
	if len(g.members) == 0 {
		return true
	}
	return req.ProtocolType == g.kind && slices.ContainsFunc(req.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		for id, m := range g.members {
			if id != req.MemberID && metadata(m.join, p.Name) == nil {
				return false
			}
		}
		return true
	})
}

// metadata is what a member says under a protocol; nil when it does not speak it.
func metadata(req *kmsg.JoinGroupRequest, protocol string) []byte {
	for _, p := range req.Protocols {
		if p.Name == protocol {
			return append([]byte{}, p.Metadata...)
		}
	}
	return nil
}

// rejoin is a member's that is known. One that says nothing new hears what it did not hear, but in a stable group the leader's join asks for
// a new assignment.
func (g *group) rejoin(m *member, req *kmsg.JoinGroupRequest) (kmsg.Response, *answer) {
	same := slices.EqualFunc(m.join.Protocols, req.Protocols, func(a, b kmsg.JoinGroupRequestProtocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
	if same && (g.state == completing || g.state == stable && m.id != g.leader) {
		m.join = req
		g.beat(m)
		return g.joined(m), nil
	}
	return nil, g.wait(m, req)
}

// wait makes a member wait until all have joined.
func (g *group) wait(m *member, req *kmsg.JoinGroupRequest) *answer {
	if m.joining != nil { // its client gave up and came back
		m.joining.give(joinError(m.join, kerr.RebalanceInProgress))
	}
	a := newAnswer()
	m.join, m.joining, g.kind = req, a, req.ProtocolType
	m.stop()
	g.rebalance()
	return a
}

// joined is the answer to a join that is complete. The leader hears of all members.
func (g *group) joined(m *member) kmsg.Response {
	resp := m.join.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.Generation, resp.MemberID, resp.LeaderID = g.generation, m.id, g.leader
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(g.kind), kmsg.StringPtr(g.protocol)
	if m.id != g.leader {
		return resp
	}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		rm := kmsg.NewJoinGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ProtocolMetadata = id, g.members[id].join.InstanceID, metadata(g.members[id].join, g.protocol)
		resp.Members = append(resp.Members, rm)
	}
	return resp
}

func joinError(req *kmsg.JoinGroupRequest, e *kerr.Error) *kmsg.JoinGroupResponse {
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.MemberID, resp.Generation = e.Code, req.MemberID, -1
	return resp
}

// sync handles a SyncGroup: one of both results is set.
func (c *coordinator) sync(req *kmsg.SyncGroupRequest) (now kmsg.Response, later *answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.group(req.Group)
	m, e := g.find(req.MemberID, req.Generation)
	switch {
	case c.closed:
		e = kerr.CoordinatorNotAvailable
	case e == nil && g.state == preparing:
		e = kerr.RebalanceInProgress
	}
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	if e != nil {
		resp.ErrorCode = e.Code
		return resp, nil
	}
	g.synced(m, kerr.RebalanceInProgress) // its client gave up and came back
	a := newAnswer()
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(g.kind), kmsg.StringPtr(g.protocol)
	a.resp, m.syncing = resp, a
	m.stop()
	if g.state == completing && m.id == g.leader {
		for _, x := range req.GroupAssignment {
			if to := g.members[x.MemberID]; to != nil {
				to.assignment = x.MemberAssignment
			}
		}
		g.state = stable
	}
	if g.state == stable {
		for _, m := range g.members {
			g.synced(m, nil)
		}
	}
	return nil, a
}

// find is a member that is what it takes itself for.
func (g *group) find(id string, generation int32) (*member, *kerr.Error) {
	m := g.members[id]
	switch {
	case m == nil:
		return nil, kerr.UnknownMemberID
	case generation != g.generation:
		return nil, kerr.IllegalGeneration
	}
	return m, nil
}

// heartbeat handles a Heartbeat.
func (c *coordinator) heartbeat(req *kmsg.HeartbeatRequest) kmsg.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	g := c.group(req.Group)
	m, e := g.find(req.MemberID, req.Generation)
	if e == nil {
		g.beat(m)
		if g.state == preparing {
			e = kerr.RebalanceInProgress
		}
	}
	if e != nil {
		resp.ErrorCode = e.Code
	}
	return resp
}

// leave handles a LeaveGroup.
func (c *coordinator) leave(req *kmsg.LeaveGroupRequest) kmsg.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	g := c.group(req.Group)
	gone := req.Members
	if req.Version < 3 {
		gone = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	for _, rm := range gone {
		out := kmsg.NewLeaveGroupResponseMember()
		out.MemberID, out.InstanceID = rm.MemberID, rm.InstanceID
		switch m := g.members[rm.MemberID]; {
		case m != nil:
			g.remove(m)
		case g.pending[rm.MemberID]:
			delete(g.pending, rm.MemberID)
		default:
			out.ErrorCode = kerr.UnknownMemberID.Code
		}
		if req.Version < 3 {
			resp.ErrorCode = out.ErrorCode
			break
		}
		resp.Members = append(resp.Members, out)
	}
	return resp
}

// mayCommit tells whether a member may store offsets for its group. Whoever is no member may while the group has none.
func (c *coordinator) mayCommit(name, id string, generation int32) *kerr.Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.group(name)
	if id == "" && generation < 0 && len(g.members) == 0 {
		return nil
	}
	m, e := g.find(id, generation)
	switch {
	case e != nil:
		return e
	case g.state == completing:
		return kerr.RebalanceInProgress
	}
	g.beat(m)
	return nil
}

// describe says what Kafka's tools show of a group.
func (c *coordinator) describe(name string) kmsg.DescribeGroupsResponseGroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := kmsg.NewDescribeGroupsResponseGroup()
	out.Group, out.State = name, "Dead" // what Kafka says of one that nobody knows
	g := c.groups[name]
	if g == nil {
		return out
	}
	out.State, out.ProtocolType, out.Protocol = g.state, g.kind, g.protocol
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := kmsg.NewDescribeGroupsResponseGroupMember()
		m.MemberID, m.InstanceID, m.ProtocolMetadata, m.MemberAssignment = id, g.members[id].join.InstanceID, metadata(g.members[id].join, g.protocol), g.members[id].assignment
		out.Members = append(out.Members, m)
	}
	return out
}

func millis(n int32) time.Duration { return time.Duration(n) * time.Millisecond }
