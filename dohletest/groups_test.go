package dohletest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dohle-io/dohle/dohletest"
)

func TestGroupsCanBeWaitedForAndExpired(t *testing.T) {
	b := dohletest.Start(t, dohletest.Topic("orders", 4))
	require.Equal(t, dohletest.Group{State: "Dead"}, b.Group("readers"))
	one := client(t, b, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"))
	defer one.Close()
	b.WaitGroupStable("readers", 1)
	two := client(t, b, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"))
	defer two.Close()
	b.WaitGroupStable("readers", 2)
	before := b.Group("readers")
	require.Len(t, before.Members, 2)
	require.NotEmpty(t, before.Waits)

	gone := b.ExpireMembers("readers", before.Members[0])
	require.Equal(t, before.Members[:1], gone)
	require.NotContains(t, b.Group("readers").Members, gone[0])
	b.WaitGroupStable("readers", 2) // the client comes again, by another member id
	require.NotEqual(t, before.Members, b.Group("readers").Members)
}
