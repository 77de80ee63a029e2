package quorum

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onVote answers a Vote or pre-vote (KIP-595, KIP-996).
// Errors: INCONSISTENT_CLUSTER_ID, INVALID_REQUEST, FENCED_LEADER_EPOCH, INVALID_VOTER_KEY.
func (c *Core) onVote(req *kmsg.VoteRequest) kmsg.Response {
	if !c.validCluster(req.ClusterID) {
		return voteError(req, kerr.InconsistentClusterID.Code)
	}
	if len(req.Topics) != 1 || req.Topics[0].Topic != TopicName || len(req.Topics[0].Partitions) != 1 ||
		req.Topics[0].Partitions[0].Partition != Partition {
		return voteError(req, kerr.InvalidRequest.Code)
	}
	p := &req.Topics[0].Partitions[0]
	// A candidate has raised its epoch above its log's; whoever only asks for a pre-vote may have written in it.
	tooNew := p.LastOffsetEpoch >= p.CandidateEpoch
	if p.PreVote {
		tooNew = p.LastOffsetEpoch > p.CandidateEpoch
	}
	if p.LastOffset < 0 || p.LastOffsetEpoch < 0 || tooNew {
		return c.voteAnswer(req, kerr.InvalidRequest.Code, false)
	}
	if code := c.voterOnly(p.CandidateID, p.CandidateEpoch); code != 0 {
		return c.voteAnswer(req, code, false)
	}
	if p.CandidateEpoch > c.state.Epoch {
		c.toUnattached(p.CandidateEpoch, -1)
	}
	if !c.meantForUs(req.VoterID, p.VoterDirectoryID) {
		return c.voteAnswer(req, kerr.InvalidVoterKey.Code, false)
	}
	to := ReplicaKey{p.CandidateID, p.CandidateDirectoryID}
	upToDate := (SnapshotID{EndOffset: p.LastOffset, Epoch: p.LastOffsetEpoch}).Compare(c.end()) >= 0
	granted := c.role.grants(c, to, upToDate, p.PreVote)
	if granted && !p.PreVote && c.state.Voted.ID < 0 {
		c.elect(ElectionState{Epoch: c.state.Epoch, LeaderID: c.state.LeaderID, Voted: to})
		if c.bugs.has(bugWordBeforeDisk) {
			c.dirty = false
		}
		if _, ok := c.role.(*prospective); ok {
			c.become(&prospective{})
		} else {
			c.become(&unattached{})
		}
	}
	c.logf("vote for %d in epoch %d, pre-vote %t, its log %s: %t", p.CandidateID, p.CandidateEpoch, p.PreVote,
		SnapshotID{EndOffset: p.LastOffset, Epoch: p.LastOffsetEpoch}, granted)
	return c.voteAnswer(req, 0, granted)
}

func voteError(req *kmsg.VoteRequest, code int16) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.VoteResponse)
	resp.ErrorCode = code
	resp.Topics = []kmsg.VoteResponseTopic{}
	return resp
}

func (c *Core) voteAnswer(req *kmsg.VoteRequest, code int16, granted bool) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.VoteResponse)
	p := kmsg.NewVoteResponseTopicPartition()
	p.ErrorCode, p.LeaderID, p.LeaderEpoch, p.VoteGranted = code, c.state.LeaderID, c.state.Epoch, granted
	t := kmsg.NewVoteResponseTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.VoteResponseTopicPartition{p}
	resp.Topics = []kmsg.VoteResponseTopic{t}
	if id, host, port, ok := c.named(); ok && req.Version >= 1 {
		e := kmsg.NewVoteResponseNodeEndpoint()
		e.NodeID, e.Host, e.Port = id, host, uint16(port)
		resp.NodeEndpoints = append(resp.NodeEndpoints, e)
	}
	return resp
}

// sendVotes asks every voter that has not answered in this round.
func (c *Core) sendVotes(e *election, preVote bool) {
	if e.rejected() {
		return
	}
	for _, v := range c.voters() {
		if v.ID != c.cfg.Self.ID && e.open(v.ID) {
			c.sendToVoter(v, func() request { return c.voteRequest(v, preVote) })
		}
	}
}

func (c *Core) voteRequest(v Voter, preVote bool) request {
	req := kmsg.NewPtrVoteRequest()
	req.SetVersion(req.MaxVersion())
	req.ClusterID = &c.cfg.ClusterID
	req.VoterID = v.ID
	p := kmsg.NewVoteRequestTopicPartition()
	p.Partition = Partition
	p.CandidateEpoch, p.CandidateID, p.CandidateDirectoryID = c.state.Epoch, c.cfg.Self.ID, c.cfg.Self.DirectoryID
	p.VoterDirectoryID = v.DirectoryID
	p.LastOffset, p.LastOffsetEpoch, p.PreVote = c.log.End, c.log.lastEpoch(), preVote
	t := kmsg.NewVoteRequestTopic()
	t.Topic, t.Partitions = TopicName, []kmsg.VoteRequestTopicPartition{p}
	req.Topics = []kmsg.VoteRequestTopic{t}
	return req
}

func isPreVote(req *kmsg.VoteRequest) bool { return req.Topics[0].Partitions[0].PreVote }

// onVoteAnswer counts a vote. What was asked decides what the answer means: the two kinds look alike on the wire.
func (c *Core) onVoteAnswer(x *link, resp *kmsg.VoteResponse) bool {
	if resp.ErrorCode == kerr.UnsupportedVersion.Code {
		return c.onFailure(x, Response{Err: kerr.UnsupportedVersion})
	}
	if resp.ErrorCode != 0 || len(resp.Topics) != 1 || resp.Topics[0].Topic != TopicName ||
		len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != Partition {
		return false
	}
	p := &resp.Topics[0].Partitions[0]
	h := heard{code: p.ErrorCode, leaderID: p.LeaderID, epoch: p.LeaderEpoch}
	for _, e := range resp.NodeEndpoints {
		if e.NodeID == p.LeaderID {
			h.endpoints = []Endpoint{{c.cfg.Listener, e.Host, e.Port}}
		}
	}
	switch c.common(h) {
	case done:
		return true
	case dropped:
		return false
	}
	if p.ErrorCode != 0 {
		return false
	}
	switch r := c.role.(type) {
	case *prospective:
		r.votes.record(x.node, p.VoteGranted)
		if r.votes.won() {
			c.toCandidate()
		} else if r.votes.rejected() {
			r.lost(c)
		}
	case *candidate:
		r.votes.record(x.node, p.VoteGranted)
		if r.votes.won() {
			c.become(newLeader(r.votes.granted))
		}
	}
	return true
}
