package config

import (
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOwnKeysAreKeys(t *testing.T) {
	require.True(t, sort.SliceIsSorted(ownRows, func(i, j int) bool { return ownRows[i].Name < ownRows[j].Name }))
	for i := range ownRows {
		row := &ownRows[i]
		require.True(t, strings.HasPrefix(row.Name, "dohle."))
		require.Same(t, row, BrokerRow(row.Name))
		require.NotEmpty(t, row.Effect(), row.Name)
		require.Nil(t, find(brokerRows, row.Name))
	}
	required := map[string]string{"process.roles": "broker,controller", "node.id": "1", "controller.listener.names": "CONTROLLER",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.bootstrap.servers": "localhost:9093"}
	f, err := NewStatic(required)
	require.NoError(t, err)
	require.Equal(t, int64(200), DohleGroupConsumerUnsettledHeartbeatMs.Get(f).Milliseconds())
	required["dohle.group.consumer.unsettled.heartbeat.ms"] = "-1"
	_, err = NewStatic(required)
	require.Error(t, err)
	required["dohle.group.consumer.unsettled.heartbeat.ms"] = "0"
	f, err = NewStatic(required)
	require.NoError(t, err)
	require.Zero(t, DohleGroupConsumerUnsettledHeartbeatMs.Get(f))
}
