package quorum

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onBeginQuorumEpoch hears from a new leader. The same errors as Vote.
func (c *Core) onBeginQuorumEpoch(req *kmsg.BeginQuorumEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.BeginQuorumEpochResponse)
	resp.Topics = []kmsg.BeginQuorumEpochResponseTopic{}
	if !c.validCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		return resp
	}
	if len(req.Topics) != 1 || req.Topics[0].Topic != TopicName || len(req.Topics[0].Partitions) != 1 ||
		req.Topics[0].Partitions[0].Partition != Partition {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp
	}
	in := &req.Topics[0].Partitions[0]
	code := c.voterOnly(in.LeaderID, in.LeaderEpoch)
	if code == 0 {
		var endpoints []Endpoint
		for _, e := range req.LeaderEndpoints {
			endpoints = append(endpoints, Endpoint{e.Name, e.Host, e.Port})
		}
		if !c.learn(in.LeaderID, in.LeaderEpoch, endpoints) {
			code = kerr.InvalidRequest.Code
		} else if !c.meantForUs(req.VoterID, in.VoterDirectoryID) {
			code = kerr.InvalidVoterKey.Code
		}
	}
	p := kmsg.NewBeginQuorumEpochResponseTopicPartition()
	p.ErrorCode, p.LeaderID, p.LeaderEpoch = code, c.state.LeaderID, c.state.Epoch
	t := kmsg.NewBeginQuorumEpochResponseTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.BeginQuorumEpochResponseTopicPartition{p}
	resp.Topics = append(resp.Topics, t)
	if id, host, port, ok := c.named(); ok && req.Version >= 1 {
		e := kmsg.NewBeginQuorumEpochResponseNodeEndpoint()
		e.NodeID, e.Host, e.Port = id, host, uint16(port)
		resp.NodeEndpoints = append(resp.NodeEndpoints, e)
	}
	return resp
}

func (c *Core) beginQuorumEpoch(v Voter) request {
	req := kmsg.NewPtrBeginQuorumEpochRequest()
	req.SetVersion(req.MaxVersion())
	req.ClusterID = &c.cfg.ClusterID
	req.VoterID = v.ID
	p := kmsg.NewBeginQuorumEpochRequestTopicPartition()
	p.Partition, p.VoterDirectoryID, p.LeaderID, p.LeaderEpoch = Partition, v.DirectoryID, c.cfg.Self.ID, c.state.Epoch
	t := kmsg.NewBeginQuorumEpochRequestTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.BeginQuorumEpochRequestTopicPartition{p}
	req.Topics = []kmsg.BeginQuorumEpochRequestTopic{t}
	for _, e := range c.cfg.Endpoints {
		x := kmsg.NewBeginQuorumEpochRequestLeaderEndpoint()
		x.Name, x.Host, x.Port = e.Name, e.Host, e.Port
		req.LeaderEndpoints = append(req.LeaderEndpoints, x)
	}
	return req
}

func (c *Core) onBeginAnswer(_ *link, resp *kmsg.BeginQuorumEpochResponse) bool {
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return false
	}
	p := &resp.Topics[0].Partitions[0]
	h := heard{code: p.ErrorCode, leaderID: p.LeaderID, epoch: p.LeaderEpoch}
	for _, e := range resp.NodeEndpoints {
		if e.NodeID == p.LeaderID {
			h.endpoints = []Endpoint{{c.cfg.Listener, e.Host, e.Port}}
		}
	}
	if v := c.common(h); v != goOn {
		return v == done
	}
	return p.ErrorCode == 0
}

// onEndQuorumEpoch hears that the leader goes. The first of its preferred successors stands at once, the others later
// the further down they are, so that the best log usually wins without a contest.
func (c *Core) onEndQuorumEpoch(req *kmsg.EndQuorumEpochRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.EndQuorumEpochResponse)
	resp.Topics = []kmsg.EndQuorumEpochResponseTopic{}
	if !c.validCluster(req.ClusterID) {
		resp.ErrorCode = kerr.InconsistentClusterID.Code
		return resp
	}
	if len(req.Topics) != 1 || req.Topics[0].Topic != TopicName || len(req.Topics[0].Partitions) != 1 ||
		req.Topics[0].Partitions[0].Partition != Partition {
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp
	}
	in := &req.Topics[0].Partitions[0]
	code := c.voterOnly(in.LeaderID, in.LeaderEpoch)
	if code == 0 {
		var endpoints []Endpoint
		for _, e := range req.LeaderEndpoints {
			endpoints = append(endpoints, Endpoint{e.Name, e.Host, e.Port})
		}
		if !c.learn(in.LeaderID, in.LeaderEpoch, endpoints) {
			code = kerr.InvalidRequest.Code
		}
	}
	if f, ok := c.role.(*follower); ok && code == 0 && c.state.LeaderID == in.LeaderID {
		f.deadline = c.now.Add(c.successionDelay(in))
	}
	p := kmsg.NewEndQuorumEpochResponseTopicPartition()
	p.ErrorCode, p.LeaderID, p.LeaderEpoch = code, c.state.LeaderID, c.state.Epoch
	t := kmsg.NewEndQuorumEpochResponseTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.EndQuorumEpochResponseTopicPartition{p}
	resp.Topics = append(resp.Topics, t)
	if id, host, port, ok := c.named(); ok && req.Version >= 1 {
		e := kmsg.NewEndQuorumEpochResponseNodeEndpoint()
		e.NodeID, e.Host, e.Port = id, host, uint16(port)
		resp.NodeEndpoints = append(resp.NodeEndpoints, e)
	}
	return resp
}

// successionDelay grows with the place in the list: nothing for the first, then doubling up to the maximal back-off,
// which is also for those who are not in it.
func (c *Core) successionDelay(in *kmsg.EndQuorumEpochRequestTopicPartition) time.Duration {
	place, total := -1, len(in.PreferredCandidates)
	for i, x := range in.PreferredCandidates {
		if (ReplicaKey{x.CandidateID, x.CandidateDirectoryID}).covers(c.cfg.Self) {
			place = i
			break
		}
	}
	if total == 0 { // version 0 names ids only
		total = len(in.PreferredSuccessors)
		for i, id := range in.PreferredSuccessors {
			if id == c.cfg.Self.ID {
				place = i
				break
			}
		}
	}
	longest := c.cfg.Timeouts.ElectionBackoffMax
	switch {
	case total == 0: // a leader that was restarted: everybody, but not all at the same moment
		return time.Duration(c.rng.Int64N(int64(c.cfg.Timeouts.Election/10) + 1))
	case place == 0:
		return 0
	case place < 0 || total > 32:
		return longest
	}
	return min(longest, longest>>(total-1)<<(place-1))
}

func (c *Core) endQuorumEpoch(successors []ReplicaKey) request {
	req := kmsg.NewPtrEndQuorumEpochRequest()
	req.SetVersion(req.MaxVersion())
	req.ClusterID = &c.cfg.ClusterID
	p := kmsg.NewEndQuorumEpochRequestTopicPartition()
	p.Partition, p.LeaderID, p.LeaderEpoch = Partition, c.cfg.Self.ID, c.state.Epoch
	p.PreferredSuccessors = []int32{}
	for _, k := range successors {
		x := kmsg.NewEndQuorumEpochRequestTopicPartitionPreferredCandidate()
		x.CandidateID, x.CandidateDirectoryID = k.ID, k.DirectoryID
		p.PreferredSuccessors = append(p.PreferredSuccessors, k.ID)
		p.PreferredCandidates = append(p.PreferredCandidates, x)
	}
	t := kmsg.NewEndQuorumEpochRequestTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.EndQuorumEpochRequestTopicPartition{p}
	req.Topics = []kmsg.EndQuorumEpochRequestTopic{t}
	return req
}

func (c *Core) onEndAnswer(x *link, resp *kmsg.EndQuorumEpochResponse) bool {
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return false
	}
	p := &resp.Topics[0].Partitions[0]
	h := heard{code: p.ErrorCode, leaderID: p.LeaderID, epoch: p.LeaderEpoch}
	for _, e := range resp.NodeEndpoints {
		if e.NodeID == p.LeaderID {
			h.endpoints = []Endpoint{{c.cfg.Listener, e.Host, e.Port}}
		}
	}
	if v := c.common(h); v != goOn {
		return v == done
	}
	if r, ok := c.role.(*resigned); ok && p.ErrorCode == 0 {
		r.acknowledged(x.node)
	}
	return p.ErrorCode == 0
}
