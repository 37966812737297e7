package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bench is a group and its members, in time that stands still unless somebody waits.
type bench struct {
	t *testing.T
	c *coordinator
}

const (
	session   = 6 * time.Second
	rebalance = 12 * time.Second
)

// inTime runs f with a coordinator in a bubble of its own.
func inTime(t *testing.T, f func(b *bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t, newCoordinator()}
		f(b)
		b.c.close()
	})
}

func joinRequest(id, says string) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.ProtocolType, req.MemberID = 7, "g", "consumer", id
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session.Milliseconds()), int32(rebalance.Milliseconds())
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "range", []byte(says)
	req.Protocols = append(req.Protocols, p)
	return req
}

// enter is a newcomer's: it gets an id and asks to join with it.
func (b *bench) enter() (id string, a *answer) {
	b.t.Helper()
	now, _ := b.c.join(joinRequest("", "x"))
	resp := now.(*kmsg.JoinGroupResponse)
	require.Equal(b.t, kerr.MemberIDRequired.Code, resp.ErrorCode)
	return resp.MemberID, b.join(resp.MemberID)
}

func (b *bench) join(id string) *answer {
	b.t.Helper()
	now, later := b.c.join(joinRequest(id, "x"))
	require.Nil(b.t, now, "%+v", now)
	return later
}

func given(a *answer) bool {
	select {
	case <-a.ready:
		return true
	default:
		return false
	}
}

func (b *bench) joined(a *answer) *kmsg.JoinGroupResponse {
	b.t.Helper()
	require.True(b.t, given(a), "the join is not answered")
	return a.resp.(*kmsg.JoinGroupResponse)
}

func (b *bench) sync(id string, generation int32, plan map[string]string) (*answer, *kmsg.SyncGroupResponse) {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 5, "g", id, generation
	for to, what := range plan {
		x := kmsg.NewSyncGroupRequestGroupAssignment()
		x.MemberID, x.MemberAssignment = to, []byte(what)
		req.GroupAssignment = append(req.GroupAssignment, x)
	}
	now, later := b.c.sync(req)
	if now != nil {
		return nil, now.(*kmsg.SyncGroupResponse)
	}
	return later, nil
}

func (b *bench) assignment(a *answer) string {
	b.t.Helper()
	require.True(b.t, given(a), "the sync is not answered")
	resp := a.resp.(*kmsg.SyncGroupResponse)
	require.Zero(b.t, resp.ErrorCode)
	return string(resp.MemberAssignment)
}

func (b *bench) beat(id string, generation int32) int16 {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = "g", id, generation
	return b.c.heartbeat(req).(*kmsg.HeartbeatResponse).ErrorCode
}

// beats lets time pass while a member beats, until it is told something or the time is over.
func (b *bench) beats(id string, generation int32, d time.Duration) int16 {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		if code := b.beat(id, generation); code != 0 {
			return code
		}
	}
	return 0
}

// pair is a stable group of two: the first is its leader.
func (b *bench) pair() (first, second string, generation int32) {
	b.t.Helper()
	first, a1 := b.enter()
	g := b.joined(a1).Generation
	s1, _ := b.sync(first, g, map[string]string{first: "all"})
	require.Equal(b.t, "all", b.assignment(s1))
	second, a2 := b.enter()
	require.False(b.t, given(a2), "the first has not joined yet")
	require.Equal(b.t, kerr.RebalanceInProgress.Code, b.beat(first, g))
	a1 = b.join(first)
	r1, r2 := b.joined(a1), b.joined(a2)
	require.Equal(b.t, first, r1.LeaderID)
	require.Equal(b.t, first, r2.LeaderID)
	require.Len(b.t, r1.Members, 2, "the leader hears of all")
	require.Empty(b.t, r2.Members)
	require.Equal(b.t, g+1, r1.Generation)
	s2, _ := b.sync(second, g+1, nil)
	require.False(b.t, given(s2), "the leader has not said it yet")
	s1, _ = b.sync(first, g+1, map[string]string{first: "a", second: "b"})
	require.Equal(b.t, "a", b.assignment(s1))
	require.Equal(b.t, "b", b.assignment(s2))
	return first, second, g + 1
}

func TestTwoShareAndOneLeaves(t *testing.T) {
	inTime(t, func(b *bench) {
		first, second, g := b.pair()
		require.Zero(b.t, b.beats(second, g, session/2))
		require.Zero(b.t, b.beat(first, g))
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Version, leave.Group = 3, "g"
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: first}}
		require.Zero(b.t, b.c.leave(leave).(*kmsg.LeaveGroupResponse).Members[0].ErrorCode)
		require.Equal(b.t, kerr.RebalanceInProgress.Code, b.beat(second, g))
		require.Equal(b.t, kerr.UnknownMemberID.Code, b.beat(first, g))
		r := b.joined(b.join(second))
		require.Equal(b.t, second, r.LeaderID, "it is alone")
		require.Equal(b.t, kerr.IllegalGeneration.Code, b.beat(second, g))
	})
}

func TestTheSilentAreReplaced(t *testing.T) {
	inTime(t, func(b *bench) {
		first, second, g := b.pair()
		require.Equal(b.t, kerr.RebalanceInProgress.Code, b.beats(second, g, 2*session), "the first says nothing")
		require.Equal(b.t, kerr.UnknownMemberID.Code, b.beat(first, g))
		require.Equal(b.t, second, b.joined(b.join(second)).LeaderID)
	})
}

// TestOneDiesWhileItWaitsToJoin: its answer reaches nobody. It is found out when it does not beat.
func TestOneDiesWhileItWaitsToJoin(t *testing.T) {
	inTime(t, func(b *bench) {
		first, a := b.enter()
		s, _ := b.sync(first, b.joined(a).Generation, map[string]string{first: "all"})
		require.Equal(b.t, "all", b.assignment(s))
		_, _ = b.enter() // and is gone
		r := b.joined(b.join(first))
		s, _ = b.sync(first, r.Generation, map[string]string{first: "half"})
		require.Equal(b.t, "half", b.assignment(s))
		require.Equal(b.t, kerr.RebalanceInProgress.Code, b.beats(first, r.Generation, 2*session))
		require.Len(b.t, b.joined(b.join(first)).Members, 1)
	})
}

// TestTheLeaderDiesBeforeItsPlan: who waits for the plan is told to join again when the leader is given up, and does not expire meanwhile.
func TestTheLeaderDiesBeforeItsPlan(t *testing.T) {
	inTime(t, func(b *bench) {
		first, second, g := b.pair()
		third, a3 := b.enter()
		a1, a2 := b.join(first), b.join(second)
		for _, a := range []*answer{a1, a2, a3} {
			require.Equal(b.t, g+1, b.joined(a).Generation)
		}
		s2, _ := b.sync(second, g+1, nil)
		s3, _ := b.sync(third, g+1, nil)
		time.Sleep(session + time.Second)
		for _, s := range []*answer{s2, s3} {
			require.True(b.t, given(s))
			require.Equal(b.t, kerr.RebalanceInProgress.Code, s.resp.(*kmsg.SyncGroupResponse).ErrorCode)
		}
		a2, a3 = b.join(second), b.join(third)
		require.Equal(b.t, g+2, b.joined(a2).Generation)
		require.Equal(b.t, g+2, b.joined(a3).Generation)
		require.Contains(b.t, []string{second, third}, b.joined(a2).LeaderID)
	})
}

// TestWhoComesBackDoesNotPutTheEndOff: two clients give up and come back by turns while a third one, which beats, does not join.
func TestWhoComesBackDoesNotPutTheEndOff(t *testing.T) {
	inTime(t, func(b *bench) {
		first, second, g := b.pair()
		third, a3 := b.enter()
		began := time.Now()
		var a2 *answer
		for time.Since(began) < rebalance-time.Second {
			a2 = b.join(second)
			b.beats(first, g, 2*time.Second) // it is told, and does not listen
			time.Sleep(2 * time.Second)
			require.Equal(b.t, kerr.RebalanceInProgress.Code, b.beat(first, g))
			a3 = b.join(third)
			time.Sleep(time.Second)
		}
		time.Sleep(time.Until(began.Add(rebalance + time.Millisecond)))
		require.Equal(b.t, g+1, b.joined(a2).Generation)
		require.Equal(b.t, g+1, b.joined(a3).Generation)
		require.Equal(b.t, kerr.UnknownMemberID.Code, b.beat(first, g))
	})
}

func TestWhoMayCommit(t *testing.T) {
	inTime(t, func(b *bench) {
		require.Nil(b.t, b.c.mayCommit("g", "", -1), "nobody's, of a group without members")
		first, second, g := b.pair()
		require.Nil(b.t, b.c.mayCommit("g", second, g))
		require.Equal(b.t, kerr.UnknownMemberID, b.c.mayCommit("g", "", -1))
		require.Equal(b.t, kerr.IllegalGeneration, b.c.mayCommit("g", second, g-1))
		a := b.join(first) // its leader joins again: a new generation is coming
		require.Nil(b.t, b.c.mayCommit("g", second, g), "partitions are given up with their last commit")
		require.False(b.t, given(a))
		b.join(second)
		require.Equal(b.t, kerr.RebalanceInProgress, b.c.mayCommit("g", second, g+1))
	})
}

func TestWhatIsNoJoin(t *testing.T) {
	inTime(t, func(b *bench) {
		refused := func(why *kerr.Error, f func(*kmsg.JoinGroupRequest)) {
			req := joinRequest("", "x")
			f(req)
			now, _ := b.c.join(req)
			require.NotNil(b.t, now)
			require.Equal(b.t, why.Code, now.(*kmsg.JoinGroupResponse).ErrorCode)
		}
		b.pair()
		refused(kerr.InvalidGroupID, func(r *kmsg.JoinGroupRequest) { r.Group = "" })
		refused(kerr.InvalidSessionTimeout, func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 })
		refused(kerr.UnknownMemberID, func(r *kmsg.JoinGroupRequest) { r.MemberID = "nobody" })
		refused(kerr.InconsistentGroupProtocol, func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })
		refused(kerr.InconsistentGroupProtocol, func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "sticky" })
		refused(kerr.InconsistentGroupProtocol, func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })
	})
}
