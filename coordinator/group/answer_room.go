package group

import "github.com/twmb/franz-go/pkg/kmsg"

// maxAnswer bounds the bytes that a request about many groups or partitions is answered with. A request of 1 MB may name the
// same ones hundreds of thousands of times, and each of them may have much to tell.
const maxAnswer = 128 << 20

// answerRoom is what is left of maxAnswer, in bytes. Groups that there is no room for are refused: INVALID_REQUEST.
type answerRoom int

// take uses up some of the room, and says whether there was as much.
func (r *answerRoom) take(bytes int) bool {
	*r -= answerRoom(bytes)
	return *r >= 0
}

// answerItem is about what a group, member, topic or partition takes in an answer besides names and what clients made up.
const answerItem = 16

func fetchedSize(t *kmsg.OffsetFetchResponseGroupTopic) int {
	n := answerItem + len(t.Topic)
	for i := range t.Partitions {
		n += answerItem
		if m := t.Partitions[i].Metadata; m != nil {
			n += len(*m)
		}
	}
	return n
}

func describedSize(g *kmsg.DescribeGroupsResponseGroup) int {
	n := answerItem + len(g.Group)
	for i := range g.Members {
		m := &g.Members[i]
		n += answerItem + len(m.MemberID) + len(m.ClientID) + len(m.ClientHost) + len(m.ProtocolMetadata) + len(m.MemberAssignment)
	}
	return n
}

func describedConsumerSize(g *kmsg.ConsumerGroupDescribeResponseGroup) int {
	n := answerItem + len(g.Group)
	for i := range g.Members {
		m := &g.Members[i]
		n += answerItem + len(m.MemberID) + len(m.ClientID) + len(m.ClientHost)
		for _, topic := range m.SubscribedTopics {
			n += answerItem + len(topic)
		}
		for _, a := range []*kmsg.Assignment{&m.Assignment, &m.TargetAssignment} {
			for j := range a.TopicPartitions {
				n += answerItem + len(a.TopicPartitions[j].Topic) + 4*len(a.TopicPartitions[j].Partitions)
			}
		}
	}
	return n
}
