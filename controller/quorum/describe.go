package quorum

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onDescribeQuorum tells who leads, who votes, who watches, and how far each is (KIP-595, KIP-836, KIP-853).
// Errors: UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.
func (c *Core) onDescribeQuorum(req *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.DescribeQuorumResponse)
	resp.Topics = []kmsg.DescribeQuorumResponseTopic{}
	resp.Nodes = []kmsg.DescribeQuorumResponseNode{}
	if len(req.Topics) != 1 || req.Topics[0].Topic != TopicName || len(req.Topics[0].Partitions) != 1 ||
		req.Topics[0].Partitions[0].Partition != Partition {
		for _, in := range req.Topics {
			t := kmsg.NewDescribeQuorumResponseTopic()
			t.Topic = in.Topic
			for _, x := range in.Partitions {
				t.Partitions = append(t.Partitions, describeError(x.Partition, kerr.UnknownTopicOrPartition))
			}
			resp.Topics = append(resp.Topics, t)
		}
		return resp
	}
	t := kmsg.NewDescribeQuorumResponseTopic()
	t.Topic = TopicName
	l, leads := c.role.(*leader)
	if !leads {
		t.Partitions = append(t.Partitions, describeError(Partition, kerr.NotLeaderForPartition))
		resp.Topics = append(resp.Topics, t)
		return resp
	}
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.Partition, p.LeaderID, p.LeaderEpoch, p.HighWatermark = Partition, c.cfg.Self.ID, c.state.Epoch, l.shown(c)
	p.CurrentVoters = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	p.Observers = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	l.forgetSilent(c)
	for _, v := range c.voters() {
		s := replicaState(v.Key())
		if v.Key().covers(c.cfg.Self) {
			s.LogEndOffset, s.LastFetchTimestamp, s.LastCaughtUpTimestamp = c.log.End, c.now.UnixMilli(), c.now.UnixMilli()
		} else if r := l.find(v.Key()); r != nil {
			fill(&s, r)
		}
		p.CurrentVoters = append(p.CurrentVoters, s)
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = v.ID
		for _, e := range v.Endpoints {
			x := kmsg.NewDescribeQuorumResponseNodeListener()
			x.Name, x.Host, x.Port = e.Name, e.Host, e.Port
			n.Listeners = append(n.Listeners, x)
		}
		resp.Nodes = append(resp.Nodes, n)
	}
	for i := range l.replicas {
		if r := &l.replicas[i]; !c.voters().has(r.key) {
			s := replicaState(r.key)
			fill(&s, r)
			p.Observers = append(p.Observers, s)
		}
	}
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	return resp
}

func describeError(partition int32, err *kerr.Error) kmsg.DescribeQuorumResponseTopicPartition {
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.Partition, p.ErrorCode, p.ErrorMessage = partition, err.Code, &err.Description
	p.CurrentVoters = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	p.Observers = []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{}
	return p
}

func replicaState(k ReplicaKey) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	s := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	s.ReplicaID, s.ReplicaDirectoryID = k.ID, k.DirectoryID
	s.LogEndOffset, s.LastFetchTimestamp, s.LastCaughtUpTimestamp = -1, -1, -1
	return s
}

func fill(s *kmsg.DescribeQuorumResponseTopicPartitionReplicaState, r *replica) {
	s.LogEndOffset, s.LastFetchTimestamp, s.LastCaughtUpTimestamp = r.end, millis(r.fetchedAt), millis(r.caughtUpAt)
}

// millis is -1 for the zero time, "never".
func millis(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}
