package dump

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/internal/vfs"
	logrecord "github.com/dohle-io/dohle/protocol/record"
)

func TestRecordsOfGroupsAreDecodedInTheirTopic(t *testing.T) {
	w := logrecord.NewBuilder(logrecord.NewOptions())
	add := func(k record.Key, v record.Value) {
		key, value := record.Encode(k, v)
		w.Add(1700000000000, key, value)
	}
	key := record.NewOffsetCommitKey()
	key.Group, key.Topic, key.Partition = "readers", "orders", 2
	commit := record.NewOffsetCommitValue()
	commit.Offset, commit.CommitTimestamp = 42, 1700000000000
	add(key, commit)
	add(key, nil)
	group := record.NewGroupMetadataKey()
	group.Group = "readers"
	classic := record.NewGroupMetadataValue()
	classic.ProtocolType, classic.Generation = "consumer", 3
	add(group, classic)
	consumer := record.NewConsumerGroupMetadataKey()
	consumer.GroupId = "eaters"
	add(consumer, record.NewConsumerGroupMetadataValue())
	w.Add(1700000000000, []byte{0, 99, 1}, []byte("later"))
	w.Add(1700000000000, []byte{0, 1, 0, 9}, []byte{0, 3})
	b, err := w.Build()
	require.NoError(t, err)

	fsys := vfs.NewMem()
	const segment = "00000000000000000000.log"
	write(t, fsys, "__consumer_offsets-7/"+segment, b)
	write(t, fsys, "orders-0/"+segment, b)
	out := show(fsys, false, "__consumer_offsets-7/"+segment)
	for _, part := range []string{
		`key: {"type":"OFFSET_COMMIT","data":{"group":"readers","topic":"orders","partition":2}} payload: {"version":4,"data":{"offset":42,"leaderEpoch":-1,"metadata":"","commitTimestamp":1700000000000`,
		`key: {"type":"OFFSET_COMMIT","data":{"group":"readers","topic":"orders","partition":2}} payload: null` + "\n",
		`key: {"type":"GROUP_METADATA","data":{"group":"readers"}} payload: {"version":3,"data":{"protocolType":"consumer","generation":3,"protocol":null,"leader":null,`,
		`key: {"type":"CONSUMER_GROUP_METADATA","data":{"groupId":"eaters"}} payload: {"version":0,"data":{"epoch":0`,
		` key: "\x00c\x01" value: "later"` + "\n",
		"the value of the record at offset 5 cannot be read",
	} {
		require.Contains(t, out, part)
	}
	require.Contains(t, show(fsys, true, "__consumer_offsets-7/"+segment), `"key":{"type":"OFFSET_COMMIT","data":{"group":"readers"`)
	require.NotContains(t, show(fsys, false, "orders-0/"+segment), "OFFSET_COMMIT")
}
