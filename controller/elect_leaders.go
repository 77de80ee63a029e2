package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// ElectLeaders elects preferred leaders, or any leader for partitions that have none (key 43, KIP-460).
func ElectLeaders(s *State, req *kmsg.ElectLeadersRequest) Decision {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	resp.Topics = []kmsg.ElectLeadersResponseTopic{}
	d := Decision{Reply: resp, Split: true}
	kind := electPreferred
	var unknown *refusal
	switch req.ElectionType {
	case 0:
	case 1:
		kind = electUnclean
	default:
		if req.Topics == nil || len(req.Topics) > 0 {
			resp.ErrorCode = kerr.InvalidRequest.Code
		}
		if req.Topics == nil {
			return d
		}
		unknown = refuse(kerr.InvalidRequest, "Unknown election type %d", req.ElectionType)
	}
	elect := func(name string, index int32) *refusal {
		if unknown != nil {
			return unknown
		}
		r, err := s.electLeader(name, index, kind)
		if r != nil {
			d.Records = append(d.Records, r)
		}
		return err
	}
	if req.Topics == nil {
		for _, t := range s.Image.Topics.Sorted() {
			out := kmsg.NewElectLeadersResponseTopic()
			out.Topic = t.Name
			out.Partitions = []kmsg.ElectLeadersResponseTopicPartition{}
			for i := range t.Partitions {
				if err := elect(t.Name, int32(i)); err == nil || err.code != kerr.ElectionNotNeeded {
					out.Partitions = append(out.Partitions, elected(int32(i), err))
				}
			}
			resp.Topics = append(resp.Topics, out)
		}
		return d
	}
	for _, t := range req.Topics {
		out := kmsg.NewElectLeadersResponseTopic()
		out.Topic = t.Topic
		out.Partitions = []kmsg.ElectLeadersResponseTopicPartition{}
		for _, i := range t.Partitions {
			out.Partitions = append(out.Partitions, elected(i, elect(t.Topic, i)))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return d
}

func elected(index int32, err *refusal) kmsg.ElectLeadersResponseTopicPartition {
	p := kmsg.NewElectLeadersResponseTopicPartition()
	p.Partition = index
	err.on(&p.ErrorCode, &p.ErrorMessage)
	return p
}

func (s *State) electLeader(name string, index int32, kind election) (*metadata.PartitionChangeRecord, *refusal) {
	t := s.Image.Topics.ByName(name)
	if t == nil {
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such topic as %s", name)
	}
	p := t.Partition(index)
	switch {
	case p == nil:
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", name, index)
	case kind == electPreferred && p.Leader == p.PreferredLeader(), kind == electUnclean && p.Leader != nobody:
		return nil, refuse(kerr.ElectionNotNeeded, "Leader election not needed for topic partition.")
	}
	c := s.newChange(t, index, nil)
	c.election = kind
	r := c.record()
	switch {
	case r != nil:
		return r, nil
	case kind == electPreferred:
		return nil, plain(kerr.PreferredLeaderNotAvailable)
	}
	return nil, plain(kerr.EligibleLeadersNotAvailable)
}

// maxElections bounds what one periodic round changes, so that requests get in between.
const maxElections = 1000

// PreferredElections moves leaderships back to preferred replicas that are in sync (auto.leader.rebalance.enable).
// more is true when a further round would find more.
func PreferredElections(s *State) (d Decision, more bool) {
	d.Split = true
	for _, t := range s.Image.Topics.Sorted() {
		for i, p := range t.Partitions {
			first := p.PreferredLeader()
			if p.Leader == first || !slices.Contains(p.ISR, first) || !s.active(first) {
				continue
			}
			if len(d.Records) >= maxElections {
				return d, true
			}
			c := s.newChange(t, int32(i), nil)
			c.election = electPreferred
			if r := c.record(); r != nil {
				d.Records = append(d.Records, r)
			}
		}
	}
	return d, false
}

// UncleanElections gives leaderless partitions a leader where the topic allows it to be one that was not in sync
// (unclean.leader.election.enable).
func UncleanElections(s *State) (d Decision, more bool) {
	d.Split = true
	for _, t := range s.Image.Topics.Sorted() {
		if !slices.ContainsFunc(t.Partitions, leaderless) || !s.uncleanElection(t.Name) {
			continue
		}
		for i, p := range t.Partitions {
			if !leaderless(p) {
				continue
			}
			if len(d.Records) >= maxElections {
				return d, true
			}
			if r, _ := s.electLeader(t.Name, int32(i), electUnclean); r != nil {
				d.Records = append(d.Records, r)
			}
		}
	}
	return d, false
}
