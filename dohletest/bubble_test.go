package dohletest_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/dohletest"
)

// bubble runs f with an empty network in a bubble of its own. The bubble ends only when every goroutine in it has,
// so each test here is also a test for leaks.
func bubble(t *testing.T, f func(t *testing.T, n *dohletest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, dohletest.NewNetwork()) })
}

func TestABubbleHoldsABrokerAndItsClients(t *testing.T) {
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n))
		roundTrip(t, b, "orders", 50)
	})
}

// Whatever holds a channel or a timer and outlives its bubble kills the next one: a pooled encoder with goroutines,
// a timer in a package variable.
func TestBubblesInOneProcessShareNothingThatWaits(t *testing.T) {
	for i := range 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			bubble(t, func(t *testing.T, n *dohletest.Network) {
				b := dohletest.Start(t, dohletest.Net(n))
				for topic, codec := range map[string]kgo.CompressionCodec{
					"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
				} {
					for _, stored := range []string{"producer", "gzip", "snappy", "lz4", "zstd"} {
						name := topic + "-as-" + stored
						createTopic(t, b, name, 1, "compression.type", stored)
						roundTrip(t, b, name, 5, kgo.ProducerBatchCompression(codec), kgo.WithDecompressor(zstdOutsidePools{kgo.DefaultDecompressor()}))
					}
				}
			})
		})
	}
}

// zstdOutsidePools is what a franz-go client needs to read zstd in a bubble: its own decoders are closed by finalizers,
// which run outside and may not touch the channels of a bubble.
type zstdOutsidePools struct{ kgo.Decompressor }

func (z zstdOutsidePools) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecZstd {
		return z.Decompressor.Decompress(src, codec)
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(src, nil)
}

func TestSeveralBrokersShareANetwork(t *testing.T) {
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		var brokers []*dohletest.Broker
		for range 4 {
			brokers = append(brokers, dohletest.Start(t, dohletest.Net(n)))
		}
		for i, b := range brokers {
			roundTrip(t, b, "same", i+1)
		}
		brokers[0].Stop()
		for i, b := range brokers[1:] {
			require.EqualValues(t, i+2, endOffset(t, b, "same"))
		}
	})
}

func TestABrokerStopsWhileItsClientsAreBusy(t *testing.T) {
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n), dohletest.Topic("busy", 3))
		consumer := client(t, b, kgo.ConsumeTopics("busy"), kgo.FetchMaxWait(5*time.Minute))
		producer := client(t, b)
		polls := make(chan int)
		go func() {
			got := 0
			for {
				fetches := consumer.PollFetches(t.Context())
				if got += fetches.NumRecords(); fetches.IsClientClosed() || t.Context().Err() != nil {
					polls <- got
					return
				}
			}
		}()
		for range 20 {
			require.NoError(t, producer.ProduceSync(t.Context(), &kgo.Record{Topic: "busy", Value: []byte("x")}).FirstErr())
		}
		synctest.Wait() // the consumer has read everything and its next fetches are parked
		b.Stop()
		_, err := b.Dial(t.Context(), "tcp", b.Bootstrap())
		require.Error(t, err, "nobody listens any more")
		consumer.Close()
		producer.Close()
		require.Equal(t, 20, <-polls)
	})
}

func TestAnHourPassesAtOnce(t *testing.T) {
	began := time.Now()
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n), dohletest.Topic("old", 1, "retention.ms", "1200000", "segment.ms", "60000"))
		registered := brokerState(t, b)
		write(t, b, "old", 10)
		time.Sleep(2 * time.Minute)
		write(t, b, "old", 1) // rolls the segment
		time.Sleep(15 * time.Minute)
		require.EqualValues(t, 0, startOffset(t, b, "old"), "nothing is older than twenty minutes yet")
		time.Sleep(43 * time.Minute)
		require.EqualValues(t, 11, startOffset(t, b, "old"), "retention takes the active segment too once it is old")
		require.EqualValues(t, 11, endOffset(t, b, "old"))
		write(t, b, "old", 5)
		require.EqualValues(t, 16, endOffset(t, b, "old"))
		require.Equal(t, registered, brokerState(t, b), "heartbeats went on: never fenced, never registered again")
	})
	t.Logf("an hour took %v", time.Since(began))
	require.Less(t, time.Since(began), 30*time.Second, "about 200 ms on an idle machine; the bound only catches waiting in real time")
}

// What a second of bubble time costs is what the broker does in it: two NoOpRecords and half a heartbeat.
func TestEightDaysPassAtOnce(t *testing.T) {
	began := time.Now()
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n), dohletest.Topic("old", 1),
			dohletest.Config("metadata.max.idle.interval.ms", "0"),
			dohletest.Config("broker.heartbeat.interval.ms", "60000"), dohletest.Config("broker.session.timeout.ms", "600000"))
		registered := brokerState(t, b)
		write(t, b, "old", 10)
		require.Len(t, producers(t, b, "old"), 1)
		for range 8 {
			time.Sleep(24 * time.Hour)
			require.Equal(t, registered, brokerState(t, b))
		}
		require.EqualValues(t, 10, startOffset(t, b, "old"), "seven days is what Kafka keeps records by default")
		require.Empty(t, producers(t, b, "old"), "producers that are silent for a day are forgotten")
		write(t, b, "old", 5)
		require.EqualValues(t, 15, endOffset(t, b, "old"))
	})
	t.Logf("eight days took %v", time.Since(began))
	require.Less(t, time.Since(began), 60*time.Second, "less than a second on an idle machine; the bound only catches waiting in real time")
}

// A directory on disk is no hindrance: a file operation holds the bubble's time, as any work does.
func TestABubbleMayKeepItsDataOnDisk(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		bubble(t, func(t *testing.T, n *dohletest.Network) {
			b := dohletest.Start(t, dohletest.Net(n), dohletest.Dir(dir))
			write(t, b, "orders", 5)
			time.Sleep(10 * time.Second)
			b.Stop()
		})
	}
	b := dohletest.Start(t, dohletest.Dir(dir))
	require.EqualValues(t, 10, endOffset(t, b, "orders"))
}

// A client that hears nothing gives up and comes back by itself.
func TestClientsOutliveATornAndASilentNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n), dohletest.Topic("t", 1))
		producer := client(t, b, kgo.ProduceRequestTimeout(time.Second), kgo.RequestTimeoutOverhead(time.Second))
		defer producer.Close()
		produce := func() {
			require.NoError(t, producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr())
		}
		produce()
		for _, fault := range []func(string){n.Cut, n.Hold, func(addr string) { n.Delay(addr, 300*time.Millisecond) }} {
			fault(b.Bootstrap())
			answered := make(chan struct{})
			go func() { produce(); close(answered) }()
			time.Sleep(20 * time.Second)
			n.Heal(b.Bootstrap())
			<-answered
		}
		require.EqualValues(t, 4, endOffset(t, b, "t"), "every record once, however often it was sent")
	})
}

// brokerState is what DescribeCluster says of the one broker, and the epoch of its registration in the quorum's log.
func brokerState(t *testing.T, b *dohletest.Broker) string {
	t.Helper()
	req := kmsg.NewPtrDescribeClusterRequest()
	req.IncludeFencedBrokers = true
	cluster := ask[*kmsg.DescribeClusterResponse](t, b, req)
	require.Len(t, cluster.Brokers, 1)
	quorum := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	quorum.Topics = append(quorum.Topics, topic)
	leader := ask[*kmsg.DescribeQuorumResponse](t, b, quorum).Topics[0].Partitions[0]
	return fmt.Sprintf("fenced=%t controller=%d epoch=%d", cluster.Brokers[0].IsFenced, leader.LeaderID, leader.LeaderEpoch)
}
