package dohletest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dohle-io/dohle/dohletest"
)

// In a bubble, broker time moves both ways: with the bubble, and further by Advance. synctest.Wait tells when the
// broker has done what the step made due.
func TestAdvanceFiresRetentionRollAndExpiryAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, n *dohletest.Network) {
		b := dohletest.Start(t, dohletest.Net(n), dohletest.MovableTime(),
			dohletest.Topic("kept", 1), dohletest.Topic("short", 1, "retention.ms", "3600000", "segment.ms", "600000",
				"message.timestamp.type", "LogAppendTime")) // the client's own clock does not move
		began := time.Now()
		write(t, b, "kept", 3)
		write(t, b, "short", 3)
		require.Len(t, producers(t, b, "kept"), 1)

		b.Advance(11 * time.Minute)
		synctest.Wait()
		write(t, b, "short", 1) // rolls: the segment is older than segment.ms
		b.Advance(50 * time.Minute)
		synctest.Wait()
		require.EqualValues(t, 3, startOffset(t, b, "short"), "the first segment is too old, the second is not")

		b.Advance(8 * 24 * time.Hour)
		synctest.Wait()
		require.EqualValues(t, 4, startOffset(t, b, "short"))
		require.EqualValues(t, 3, startOffset(t, b, "kept"), "log.retention.hours")
		require.Empty(t, producers(t, b, "kept"))
		require.Less(t, time.Since(began), time.Second, "the bubble's own clock stood still")

		for _, topic := range []string{"kept", "short"} { // and it goes on
			write(t, b, topic, 2)
			require.EqualValues(t, startOffset(t, b, topic)+2, endOffset(t, b, topic))
		}
	})
}

func TestAdvanceLeavesSocketsAlone(t *testing.T) {
	b := dohletest.Start(t, dohletest.MovableTime(), dohletest.Topic("short", 1, "retention.ms", "3600000"))
	producer := client(t, b)
	defer producer.Close()
	consumer := client(t, b, kgo.ConsumeTopics("short"))
	defer consumer.Close()
	for i := range 3 {
		require.NoError(t, producer.ProduceSync(t.Context(), &kgo.Record{Topic: "short", Value: []byte("x")}).FirstErr())
		require.Equal(t, 1, consumer.PollRecords(t.Context(), 1).NumRecords())
		b.Advance(8 * 24 * time.Hour)
		require.Eventually(t, func() bool { return startOffset(t, b, "short") == int64(i+1) }, 10*time.Second, time.Millisecond)
	}
}

func TestAdvanceNeedsMovableTime(t *testing.T) {
	require.Equal(t, "dohletest: Advance needs the option MovableTime", fatal(t, func(tb testing.TB) { dohletest.Start(tb).Advance(time.Hour) }))
}
