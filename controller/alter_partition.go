package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// AlterPartition decides about an ISR that the partition's leader proposes (key 56, KIP-497, KIP-704, KIP-841, KIP-903).
func AlterPartition(s *State, req *kmsg.AlterPartitionRequest) Decision {
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	resp.Topics = []kmsg.AlterPartitionResponseTopic{}
	d := Decision{Reply: resp, Split: true}
	if len(req.Topics) == 0 {
		return d // nothing is asked, so nobody's epoch is looked at
	}
	if _, err := s.checkBrokerEpoch(req.BrokerID, req.BrokerEpoch); err != nil {
		resp.ErrorCode = err.code.Code
		return d
	}
	for i := range req.Topics {
		topic := &req.Topics[i]
		out := kmsg.NewAlterPartitionResponseTopic()
		out.TopidID = topic.TopicID
		t := s.Image.Topics.ByID(topic.TopicID)
		for j := range topic.Partitions {
			p := &topic.Partitions[j]
			answer := kmsg.NewAlterPartitionResponseTopicPartition()
			answer.Partition = p.Partition
			answer.ISR = []int32{}
			if t == nil {
				answer.ErrorCode = kerr.UnknownTopicID.Code
			} else if record := s.alterPartition(t, p, req, &answer); record != nil {
				d.Records = append(d.Records, record)
			}
			out.Partitions = append(out.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return d
}

func (s *State) alterPartition(t *metadata.Topic, p *kmsg.AlterPartitionRequestTopicPartition, req *kmsg.AlterPartitionRequest, answer *kmsg.AlterPartitionResponseTopicPartition) metadata.Record {
	isr := p.NewISR
	epochs := map[int32]int64{}
	if req.Version >= 3 {
		isr = make([]int32, 0, len(p.NewEpochISR))
		for _, b := range p.NewEpochISR {
			isr = append(isr, b.BrokerID)
			epochs[b.BrokerID] = b.BrokerEpoch
		}
	}
	old := t.Partition(p.Partition)
	if err := s.checkISR(req.BrokerID, old, p, isr, epochs); err != nil {
		answer.ErrorCode = err.Code
		return nil
	}
	c := s.newChange(t, p.Partition, nil)
	if s.uncleanElection(t.Name) {
		c.election = electUnclean
	}
	c.isr, c.recovery = isr, p.LeaderRecoveryState
	record := c.record()
	now := old
	if record != nil {
		now = merged(old, record)
		if record.Leader != req.BrokerID && record.Leader != metadata.NoLeaderChange {
			// The change ended a reassignment and the proposer leads no more: it must look before it tries again.
			answer.ErrorCode = kerr.NewLeaderElected.Code
			return record
		}
	}
	answer.LeaderID, answer.LeaderEpoch, answer.PartitionEpoch = now.Leader, now.LeaderEpoch, now.PartitionEpoch
	answer.ISR, answer.LeaderRecoveryState = now.ISR, now.LeaderRecoveryState
	if record == nil {
		return nil // not a nil pointer in an interface
	}
	return record
}

// merged is p after r, as far as an answer shows it.
func merged(p *metadata.Partition, r *metadata.PartitionChangeRecord) *metadata.Partition {
	n := *p
	if r.Isr != nil {
		n.ISR = r.Isr
	}
	if r.Leader != metadata.NoLeaderChange {
		n.Leader, n.LeaderEpoch = r.Leader, n.LeaderEpoch+1
	}
	if r.LeaderRecoveryState != metadata.NoRecoveryChange {
		n.LeaderRecoveryState = r.LeaderRecoveryState
	}
	n.PartitionEpoch++
	return &n
}

func (s *State) checkISR(leader int32, p *metadata.Partition, req *kmsg.AlterPartitionRequestTopicPartition, isr []int32, epochs map[int32]int64) *kerr.Error {
	switch {
	case p == nil:
		return kerr.UnknownTopicOrPartition
	case req.LeaderEpoch > p.LeaderEpoch, req.PartitionEpoch > p.PartitionEpoch:
		return kerr.NotController // the leader knows more than we do: somebody else is the controller
	case req.LeaderEpoch < p.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case leader != p.Leader:
		return kerr.InvalidRequest
	case req.PartitionEpoch < p.PartitionEpoch:
		return kerr.InvalidUpdateVersion
	case len(isr) == 0, !containsAll(p.Replicas, isr), len(slices.Compact(slices.Sorted(slices.Values(isr)))) != len(isr), !slices.Contains(isr, p.Leader):
		return kerr.InvalidRequest
	case req.LeaderRecoveryState == metadata.LeaderRecovering && (len(isr) > 1 || p.LeaderRecoveryState == metadata.LeaderRecovered):
		return kerr.InvalidRequest
	case req.LeaderRecoveryState != metadata.LeaderRecovering && req.LeaderRecoveryState != metadata.LeaderRecovered:
		return kerr.InvalidRequest
	}
	for _, id := range isr {
		b := s.Image.Brokers.Get(id)
		epoch, named := epochs[id]
		if !b.Active() || named && epoch != -1 && epoch != b.Epoch {
			return kerr.IneligibleReplica
		}
	}
	return nil
}
