package dohletest_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dohle-io/dohle/dohletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAStockClientWritesAndReads(t *testing.T) {
	b := dohletest.Start(t)
	roundTrip(t, b, "orders", 100)
}

func TestADirectoryIsFoundAgain(t *testing.T) {
	dir := t.TempDir()
	first := dohletest.Start(t, dohletest.Dir(dir), dohletest.Topic("kept", 1))
	roundTrip(t, first, "kept", 20)
	ids := topicIDs(t, first)
	first.Stop()
	second := dohletest.Start(t, dohletest.Dir(dir))
	require.Equal(t, first.ClusterID(), second.ClusterID())
	require.Equal(t, ids, topicIDs(t, second))
	read(t, second, "kept", 20)
	write(t, second, "kept", 5)
	require.EqualValues(t, 25, endOffset(t, second, "kept"))
}

func TestSeveralBrokersLiveSideBySide(t *testing.T) {
	a, b := dohletest.Start(t), dohletest.Start(t)
	require.NotEqual(t, a.Bootstrap(), b.Bootstrap())
	require.NotEqual(t, a.ClusterID(), b.ClusterID())
	roundTrip(t, a, "same", 3)
	roundTrip(t, b, "same", 5)
}

func TestParallelTestsHaveABrokerEach(t *testing.T) {
	for range 6 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			roundTrip(t, dohletest.Start(t, dohletest.Topic("mine", 1)), "mine", 10)
		})
	}
}

func TestStopTwiceIsStopOnce(t *testing.T) {
	b := dohletest.Start(t)
	b.Stop()
	b.Stop()
}

// Start and Stop in memory, the price that every test pays. Target: less than 15 ms.
func BenchmarkStartStop(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		dohletest.Start(b).Stop()
	}
}

func BenchmarkStartStopInMemoryNetwork(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		dohletest.Start(b, dohletest.Net(dohletest.NewNetwork())).Stop()
	}
}

func BenchmarkStartStopOnDisk(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		dohletest.Start(b, dohletest.Dir(b.TempDir())).Stop()
	}
}
