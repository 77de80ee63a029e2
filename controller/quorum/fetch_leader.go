package quorum

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// parkedFetch waits for more log, a higher high watermark, or its time.
type parkedFetch struct {
	token    uint64
	req      *kmsg.FetchRequest
	deadline time.Time
}

// onFetch serves a follower or an observer.
// Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER.
func (c *Core) onFetch(token uint64, req *kmsg.FetchRequest) {
	if !c.validCluster(req.ClusterID) {
		c.reply(token, fetchError(req, kerr.InconsistentClusterID.Code))
		return
	}
	if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 || req.Topics[0].Partitions[0].Partition != Partition ||
		(req.Version >= 13 && req.Topics[0].TopicID != TopicID) || (req.Version < 13 && req.Topics[0].Topic != TopicName) {
		c.reply(token, fetchError(req, kerr.InvalidRequest.Code))
		return
	}
	p := &req.Topics[0].Partitions[0]
	if req.MaxWaitMillis < 0 || p.FetchOffset < 0 || p.LastFetchedEpoch < 0 || p.LastFetchedEpoch > p.CurrentLeaderEpoch {
		c.reply(token, c.fetchAnswer(req, kerr.InvalidRequest.Code))
		return
	}
	if code := c.leaderOnly(p.CurrentLeaderEpoch); code != 0 {
		c.reply(token, c.fetchAnswer(req, code))
		return
	}
	l := c.role.(*leader)
	where, id := c.log.locate(p.FetchOffset, p.LastFetchedEpoch)
	if where == positionSnapshot && c.bugs.has(bugStaysBelowStart) {
		where = positionValid
	}
	if where != positionValid {
		resp := c.fetchAnswer(req, 0)
		out := &resp.Topics[0].Partitions[0]
		if where == positionDiverging {
			out.DivergingEpoch.Epoch, out.DivergingEpoch.EndOffset = id.Epoch, id.EndOffset
		} else {
			out.SnapshotID.Epoch, out.SnapshotID.EndOffset = id.Epoch, id.EndOffset
		}
		c.reply(token, resp)
		return
	}
	l.fetchedFrom(c, ReplicaKey{fetchedBy(req), p.ReplicaDirectoryID}, p.FetchOffset)
	if p.FetchOffset < c.log.End || req.MaxWaitMillis == 0 || p.HighWatermark < l.shown(c) {
		c.serve(token, req)
		return
	}
	wait := time.Duration(req.MaxWaitMillis) * time.Millisecond
	if !c.bugs.has(bugParksForEver) {
		wait = min(wait, c.cfg.Timeouts.Fetch/2)
	}
	c.parked = append(c.parked, parkedFetch{token, req, c.now.Add(wait)})
}

// fetchedBy is the replica id: in a field of its own until version 15, in a tag since (KIP-903).
func fetchedBy(req *kmsg.FetchRequest) int32 {
	if req.Version >= 15 {
		return req.ReplicaState.ID
	}
	return req.ReplicaID
}

// serve answers with what there is from the fetch offset on, perhaps nothing.
func (c *Core) serve(token uint64, req *kmsg.FetchRequest) {
	r := Reply{Token: token, Resp: c.fetchAnswer(req, 0)}
	if p := &req.Topics[0].Partitions[0]; p.FetchOffset < c.log.End {
		r.Read = &Read{Offset: max(p.FetchOffset, c.log.Start), MaxBytes: req.MaxBytes}
	}
	c.out.Replies = append(c.out.Replies, r)
}

// serveParked answers the fetches that have something to read; all of them when the high watermark moved.
func (c *Core) serveParked(all bool) {
	kept := c.parked[:0]
	for _, f := range c.parked {
		if all || f.req.Topics[0].Partitions[0].FetchOffset < c.log.End {
			c.serve(f.token, f.req)
		} else {
			kept = append(kept, f)
		}
	}
	c.parked = kept
}

// expireParked answers the fetches whose time is up with nothing but the leader and the high watermark.
func (c *Core) expireParked() {
	kept := c.parked[:0]
	for _, f := range c.parked {
		if !c.now.Before(f.deadline) {
			c.serve(f.token, f.req)
			continue
		}
		c.wakeAt(f.deadline)
		kept = append(kept, f)
	}
	c.parked = kept
}

// refuseParked: this node leads no more.
func (c *Core) refuseParked() {
	for _, f := range c.parked {
		c.reply(f.token, c.fetchAnswer(f.req, kerr.NotLeaderForPartition.Code))
	}
	c.parked = nil
}

func (c *Core) unpark(token uint64) {
	kept := c.parked[:0]
	for _, f := range c.parked {
		if f.token != token {
			kept = append(kept, f)
		}
	}
	c.parked = kept
}

func fetchError(req *kmsg.FetchRequest, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	resp.ErrorCode = code
	resp.Topics = []kmsg.FetchResponseTopic{}
	return resp
}

// fetchAnswer is the frame of every answer about the partition: who leads, where the log starts, what is committed.
func (c *Core) fetchAnswer(req *kmsg.FetchRequest, code int16) *kmsg.FetchResponse {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.LogStartOffset, p.HighWatermark = Partition, code, c.log.Start, -1
	p.RecordBatches = []byte{}
	if l, ok := c.role.(*leader); ok && code == 0 {
		p.HighWatermark = l.shown(c)
	}
	p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = c.state.LeaderID, c.state.Epoch
	t := kmsg.NewFetchResponseTopic()
	t.Topic, t.TopicID, t.Partitions = TopicName, TopicID, []kmsg.FetchResponseTopicPartition{p}
	resp.Topics = []kmsg.FetchResponseTopic{t}
	if id, host, port, ok := c.named(); ok && req.Version >= 17 {
		b := kmsg.NewFetchResponseBroker()
		b.NodeID, b.Host, b.Port = id, host, port
		resp.Brokers = append(resp.Brokers, b)
	}
	return resp
}

// onFetchSnapshot serves bytes of a snapshot's file (KIP-630).
// Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH,
// UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER, SNAPSHOT_NOT_FOUND, POSITION_OUT_OF_RANGE (by the node, which knows
// the file's size).
func (c *Core) onFetchSnapshot(token uint64, req *kmsg.FetchSnapshotRequest) {
	resp := req.ResponseKind().(*kmsg.FetchSnapshotResponse)
	resp.Topics = []kmsg.FetchSnapshotResponseTopic{}
	if !c.validCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		c.reply(token, resp)
		return
	}
	if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 {
		resp.ErrorCode = kerr.InvalidRequest.Code
		c.reply(token, resp)
		return
	}
	in := &req.Topics[0].Partitions[0]
	t := kmsg.NewFetchSnapshotResponseTopic()
	t.Topic = req.Topics[0].Topic
	p := kmsg.NewFetchSnapshotResponseTopicPartition()
	p.Partition, p.Bytes = in.Partition, []byte{}
	id := SnapshotID{in.SnapshotID.EndOffset, in.SnapshotID.Epoch}
	r := Reply{Token: token, Resp: resp}
	if t.Topic != TopicName || in.Partition != Partition {
		p.ErrorCode = kerr.UnknownTopicOrPartition.Code
	} else {
		p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = c.state.LeaderID, c.state.Epoch
		switch code := c.leaderOnly(in.CurrentLeaderEpoch); {
		case code != 0:
			p.ErrorCode = code
		case !c.log.hasSnapshot(id) || id.isBootstrap():
			p.ErrorCode = kerr.SnapshotNotFound.Code
		case in.Position < 0:
			p.ErrorCode = kerr.PositionOutOfRange.Code
		default:
			p.SnapshotID.EndOffset, p.SnapshotID.Epoch, p.Position = id.EndOffset, id.Epoch, in.Position
			r.Read = &Read{Snapshot: &id, Offset: in.Position, MaxBytes: req.MaxBytes}
			c.role.(*leader).follows(c, ReplicaKey{req.ReplicaID, in.ReplicaDirectoryID})
		}
	}
	if id, host, port, ok := c.named(); ok && req.Version >= 1 {
		e := kmsg.NewFetchSnapshotResponseNodeEndpoint()
		e.NodeID, e.Host, e.Port = id, host, uint16(port)
		resp.NodeEndpoints = append(resp.NodeEndpoints, e)
	}
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	c.out.Replies = append(c.out.Replies, r)
}
