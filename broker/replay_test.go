package broker_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/vfs"
)

// A restart replays the cluster's history. What an old moment of it says of a topic that has been deleted and made anew
// since, or configured otherwise, must not touch the data (R28): a broker acts on the first image that knows of its own
// start, and on those after it.
func TestARestartDoesNotActOnTheClustersPast(t *testing.T) {
	disk := vfs.NewMem()
	n, err := start(t, nil, disk, nil)
	require.NoError(t, err)
	_, err = n.createTopic("t", 1)
	require.NoError(t, err)
	for i := range 4 { // more than the quorum delivers at a time
		_, err = n.createTopic(fmt.Sprintf("wide%d", i), 5000)
		require.NoError(t, err)
	}
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 5000
	req.TopicNames = []string{"t"}
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr("t")
	req.Topics = append(req.Topics, topic)
	_, err = n.ask(req)
	require.NoError(t, err)
	id, err := n.createTopic("t", 1)
	require.NoError(t, err)
	_, err = n.produce("t", id, 0, -1, -1, -1, []string{"a", "b"})
	require.NoError(t, err)
	require.NoError(t, n.stop())

	n, err = start(t, nil, disk, nil)
	require.NoError(t, err)
	offset, err := n.produce("t", n.topicIDs()["t"], 0, -1, -1, -1, []string{"c"})
	require.NoError(t, err)
	require.EqualValues(t, 2, offset, "acknowledged records are gone")
}
