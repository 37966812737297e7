package broker

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinate puts our coordinator in the place of kfake's. Offsets stay kfake's, which keeps them on disk: commits of members are checked
// here and go on as those of nobody, of a group that has no members there.
func (b *Broker) coordinate() {
	c := b.groups
	handle(b, kmsg.JoinGroup, c.join)
	handle(b, kmsg.SyncGroup, c.sync)
	handle(b, kmsg.Heartbeat, func(r *kmsg.HeartbeatRequest) (kmsg.Response, *answer) { return c.heartbeat(r), nil })
	handle(b, kmsg.LeaveGroup, func(r *kmsg.LeaveGroupRequest) (kmsg.Response, *answer) { return c.leave(r), nil })
	handle(b, kmsg.DescribeGroups, func(r *kmsg.DescribeGroupsRequest) (kmsg.Response, *answer) {
		if !c.knows(r.Groups) { // kfake may: a group whose offsets are there
			return nil, nil
		}
		return c.describeAll(r), nil
	})
	handle(b, kmsg.OffsetCommit, func(r *kmsg.OffsetCommitRequest) (kmsg.Response, *answer) {
		if e := c.mayCommit(r.Group, r.MemberID, r.Generation); e != nil {
			return commitError(r, e), nil
		}
		r.MemberID, r.InstanceID, r.Generation = "", nil, -1
		return nil, nil
	})
	handle(b, kmsg.OffsetFetch, func(r *kmsg.OffsetFetchRequest) (kmsg.Response, *answer) {
		if len(r.Groups) > 1 || b.cluster.GroupInfo(groupOf(r)) != nil {
			return nil, nil
		}
		return noOffsets(r), nil
	})
	handle(b, kmsg.TxnOffsetCommit, func(r *kmsg.TxnOffsetCommitRequest) (kmsg.Response, *answer) {
		if r.MemberID != "" || r.Generation >= 0 { // before version 3 there is neither
			if e := c.mayCommit(r.Group, r.MemberID, r.Generation); e != nil {
				return txnCommitError(r, e), nil
			}
		}
		r.MemberID, r.InstanceID, r.Generation = "", nil, -1
		return nil, nil
	})
}

// handle lets f answer requests of a key. Without an answer, now or later, the request goes on to kfake.
func handle[R kmsg.Request](b *Broker, key kmsg.Key, f func(R) (now kmsg.Response, later *answer)) {
	b.cluster.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.KeepControl()
		now, later := f(r.(R))
		if later == nil {
			return now, nil, now != nil
		}
		select {
		case <-later.ready:
		default:
			b.cluster.SleepControl(func() { <-later.ready })
			<-later.ready // it has slept, or everything is being closed: then close answers
		}
		return later.resp, nil, true
	})
}

// knows tells whether one of the groups has had a member.
func (c *coordinator) knows(names []string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(names, func(name string) bool { return c.groups[name] != nil })
}

func (c *coordinator) describeAll(req *kmsg.DescribeGroupsRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, name := range req.Groups {
		resp.Groups = append(resp.Groups, c.describe(name))
	}
	return resp
}

func commitError(req *kmsg.OffsetCommitRequest, e *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		out := kmsg.NewOffsetCommitResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetCommitResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, e.Code
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func txnCommitError(req *kmsg.TxnOffsetCommitRequest, e *kerr.Error) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, t := range req.Topics {
		out := kmsg.NewTxnOffsetCommitResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, e.Code
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// groupOf is the group that is asked for; from version 8 on there may be several.
func groupOf(req *kmsg.OffsetFetchRequest) string {
	if len(req.Groups) == 1 {
		return req.Groups[0].Group
	}
	return req.Group
}

// noOffsets is what Kafka says of a group that has committed nothing. kfake, which first hears of a group when it commits, says that there
// is none.
func noOffsets(req *kmsg.OffsetFetchRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	for _, t := range req.Topics {
		out := kmsg.NewOffsetFetchResponseTopic()
		out.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewOffsetFetchResponseTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch = p, -1, -1
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	for _, g := range req.Groups {
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = g.Group
		for _, t := range g.Topics {
			out := kmsg.NewOffsetFetchResponseGroupTopic()
			out.Topic, out.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				part := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				part.Partition, part.Offset, part.LeaderEpoch = p, -1, -1
				out.Partitions = append(out.Partitions, part)
			}
			group.Topics = append(group.Topics, out)
		}
		resp.Groups = append(resp.Groups, group)
	}
	return resp
}
