package group

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/xxh3"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// The numbers were computed with the hash library of Apache Kafka 4.4.0 (hash4j 0.22.0), in the order of its
// computeTopicHash and computeGroupHash.
func TestMetadataHashIsKafkas(t *testing.T) {
	d := metadata.NewDelta(metadata.Empty())
	rack := "r1"
	id := protocol.UUID{1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18}
	for i, rec := range []metadata.Record{
		&metadata.RegisterBrokerRecord{BrokerId: 1, BrokerEpoch: 1, Rack: &rack},
		&metadata.RegisterBrokerRecord{BrokerId: 2, BrokerEpoch: 2},
		&metadata.TopicRecord{Name: "föo-topic", TopicId: id},
		&metadata.PartitionRecord{TopicId: id, PartitionId: 0, Replicas: []int32{1}, Isr: []int32{1}, Leader: 1},
		&metadata.PartitionRecord{TopicId: id, PartitionId: 1, Replicas: []int32{2}, Isr: []int32{2}, Leader: 2},
	} {
		require.NoError(t, d.Replay(int64(i), 1, rec))
	}
	d.At(5, 1, 0)
	img := d.Apply()
	require.Equal(t, int64(1590811258033535465), int64(topicHash(img, img.Topics.ByName("föo-topic"))))

	b := binary.LittleEndian.AppendUint64(nil, 123456789012345)
	minus := int64(-5)
	b = binary.LittleEndian.AppendUint64(b, uint64(minus))
	require.Equal(t, int64(-6805086895166342745), int64(xxh3.Hash(b)))
	long := strings.Repeat("abcdefghijklmnopqrstuvwxyz", 12)[:300]
	require.Equal(t, int64(-7307135907131605995), int64(xxh3.Hash(appendHashed(nil, long))), "beyond 240 bytes")
}
