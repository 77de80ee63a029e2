package api

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeLogDirsListsReplicasWithoutFiles(t *testing.T) {
	_, d, _ := wiredRig(t)
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 5
	resp := put[*kmsg.DescribeLogDirsResponse](t, d, "PLAINTEXT", false, req)
	require.Len(t, resp.Dirs, 1)
	dir := resp.Dirs[0]
	assert.Zero(t, dir.ErrorCode)
	require.Len(t, dir.Topics, 2)
	assert.Equal(t, "__consumer_offsets", dir.Topics[0].Topic)
	assert.Equal(t, "plain", dir.Topics[1].Topic)
	require.Len(t, dir.Topics[1].Partitions, 3)
	for i, p := range dir.Topics[1].Partitions {
		assert.Equal(t, int32(i), p.Partition)
		assert.Zero(t, p.Size)
		assert.Zero(t, p.OffsetLag)
	}
	one := kmsg.NewDescribeLogDirsRequestTopic()
	one.Topic, one.Partitions = "plain", []int32{1, 9}
	req.Topics = append(req.Topics, one)
	resp = put[*kmsg.DescribeLogDirsResponse](t, d, "PLAINTEXT", false, req)
	require.Len(t, resp.Dirs[0].Topics, 1)
	require.Len(t, resp.Dirs[0].Topics[0].Partitions, 1)
	req.Topics = []kmsg.DescribeLogDirsRequestTopic{}
	resp = put[*kmsg.DescribeLogDirsResponse](t, d, "PLAINTEXT", false, req)
	assert.Empty(t, resp.Dirs[0].Topics, "an empty list is none, null is all")
}
