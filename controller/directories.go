package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// AssignReplicasToDirs notes in which directories a broker keeps replicas (key 73, KIP-858). A replica in a directory
// that is offline leaves the ISR.
func AssignReplicasToDirs(s *State, req *kmsg.AssignReplicasToDirsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.AssignReplicasToDirsResponse)
	d := Decision{Reply: resp, Split: true}
	if !s.Image.Level().DirectoryAssignmentSupported() {
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		return d
	}
	b, err := s.checkBrokerEpoch(req.BrokerID, req.BrokerEpoch)
	if err != nil {
		resp.ErrorCode = err.code.Code
		return d
	}
	lost := map[*metadata.Partition]bool{}
	for _, dir := range req.Directories {
		outDir := kmsg.NewAssignReplicasToDirsResponseDirectory()
		outDir.ID = dir.ID
		outDir.Topics = []kmsg.AssignReplicasToDirsResponseDirectoryTopic{}
		for _, topic := range dir.Topics {
			outTopic := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
			outTopic.TopicID = topic.TopicID
			outTopic.Partitions = []kmsg.AssignReplicasToDirsResponseDirectoryTopicPartition{}
			t := s.Image.Topics.ByID(topic.TopicID)
			for _, p := range topic.Partitions {
				out := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
				out.Partition = p.Partition
				part := t.Partition(p.Partition)
				switch {
				case t == nil:
					out.ErrorCode = kerr.UnknownTopicID.Code
				case part == nil:
					out.ErrorCode = kerr.UnknownTopicOrPartition.Code
				case !part.HasReplica(b.ID):
					out.ErrorCode = kerr.NotLeaderForPartition.Code
				default:
					c := s.newChange(t, p.Partition, nil)
					c.dirs[b.ID] = protocol.UUID(dir.ID)
					if r := c.record(); r != nil {
						d.Records = append(d.Records, r)
					}
					if !b.HasOnlineDir(dir.ID) {
						lost[part] = true
					}
				}
				outTopic.Partitions = append(outTopic.Partitions, out)
			}
			outDir.Topics = append(outDir.Topics, outTopic)
		}
		resp.Directories = append(resp.Directories, outDir)
	}
	if len(lost) > 0 {
		d.Records = append(d.Records, s.elections(move{remove: b.ID, add: nobody, unclean: nobody},
			func(p *metadata.Partition) bool { return lost[p] })...)
	}
	return d
}
