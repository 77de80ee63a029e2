package dohletest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/dohletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// roundTrip writes n records with stock franz-go and reads them back from the start.
func roundTrip(t *testing.T, b *dohletest.Broker, topic string, n int, opts ...kgo.Opt) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	opts = append(opts, kgo.SeedBrokers(b.Bootstrap()), kgo.AllowAutoTopicCreation(), kgo.Dialer(b.Dial))
	producer, err := kgo.NewClient(opts...)
	require.NoError(t, err)
	defer producer.Close()
	for i := range n {
		require.NoError(t, producer.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "value %d", i)}).FirstErr())
	}
	consumer, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(topic))...)
	require.NoError(t, err)
	defer consumer.Close()
	for got := 0; got < n; {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			require.Equal(t, fmt.Sprintf("value %d", got), string(r.Value))
			got++
		})
	}
}

func TestAStockClientWritesAndReads(t *testing.T) {
	b := dohletest.Start(t)
	roundTrip(t, b, "orders", 100)
}

func TestSeedTopicsAreThereWhenStartReturns(t *testing.T) {
	b := dohletest.Start(t, dohletest.Topic("seeded", 1, "retention.ms", "1000"))
	roundTrip(t, b, "seeded", 10)
}

func TestADirectoryIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	first := dohletest.Start(t, dohletest.Dir(dir))
	roundTrip(t, first, "kept", 20)
	id := first.ClusterID()
	first.Stop()
	second := dohletest.Start(t, dohletest.Dir(dir))
	require.Equal(t, id, second.ClusterID())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	consumer, err := kgo.NewClient(kgo.SeedBrokers(second.Bootstrap()), kgo.ConsumeTopics("kept"))
	require.NoError(t, err)
	defer consumer.Close()
	for got := 0; got < 20; {
		fetches := consumer.PollFetches(ctx)
		require.NoError(t, fetches.Err())
		got += fetches.NumRecords()
	}
}

func TestSeveralBrokersLiveSideBySide(t *testing.T) {
	a, b := dohletest.Start(t), dohletest.Start(t)
	require.NotEqual(t, a.Bootstrap(), b.Bootstrap())
	require.NotEqual(t, a.ClusterID(), b.ClusterID())
	roundTrip(t, a, "same", 3)
	roundTrip(t, b, "same", 5)
}
