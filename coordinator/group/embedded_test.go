package group

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/coordinator/group/assign"
)

func TestEmbeddedAssignmentNamesATopicTwice(t *testing.T) {
	r := newConsumerRig(t, nil)
	a, err := readAssignment([]byte(embedded("a", 0, 1)))
	require.NoError(t, err)
	require.Equal(t, []namedPartitions{{"a", []int32{0, 1}}}, a.topics)
	a.topics = append(a.topics, namedPartitions{"gone", []int32{1}}, namedPartitions{"a", []int32{3, 2, 3}})
	require.Equal(t, assign.Assignment{{Topic: topicID("a"), Partitions: []int32{2, 3}}}, r.state.assignmentByNames(a.topics))
}

// FuzzEmbedded reads what clients call subscriptions and assignments: nothing of it may panic, or become more than it weighs.
func FuzzEmbedded(f *testing.F) {
	f.Add(subscription("a", "b"))
	f.Add([]byte(embedded("a", 1, 2)))
	f.Add([]byte{})
	f.Add([]byte{0, 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 1, 'a', 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1, 0, 1, 'r'})
	f.Add([]byte{0, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		weigh := func(list []namedPartitions) (n int) {
			for _, p := range list {
				n += 6 + len(p.topic) + 4*len(p.partitions)
			}
			return n
		}
		s, err := readSubscription(b)
		size := weigh(s.owned)
		for _, topic := range s.topics {
			size += 2 + len(topic)
		}
		require.LessOrEqual(t, size, len(b))
		if known := addTopics(map[string]struct{}{}, b); err == nil {
			require.True(t, known, "a consumer group reads what a classic group does not")
		}
		a, _ := readAssignment(b)
		require.LessOrEqual(t, weigh(a.topics), len(b))
	})
}
