package storage

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// testdata/kafka-4.4.0 was made by Apache Kafka; testdata/golden/make.sh makes it anew.
const goldenDir = "testdata/kafka-4.4.0"

func goldenConfig() LogConfig {
	c := DefaultLogConfig()
	c.SegmentBytes, c.SegmentIndexBytes, c.IndexIntervalBytes = 8192, 2048, 512
	c.RetentionMs = -1
	return c
}

// copyIn copies a directory of the machine into a disk in memory.
func copyIn(t testing.TB, from string) *vfs.Mem {
	t.Helper()
	disk := vfs.NewMem()
	require.NoError(t, filepath.WalkDir(from, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := "/data" + strings.TrimPrefix(name, from)
		if e.IsDir() {
			return disk.MkdirAll(to)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return vfs.WriteFileAtomic(disk, to, b, true)
	}))
	return disk
}

func openGolden(t *testing.T, disk *vfs.Mem, now time.Time) *bed {
	t.Helper()
	b := newBed(t, disk)
	b.clock.now, b.cfg = now, goldenConfig()
	o := b.options()
	o.ClusterID = "golden-cluster"
	var err error
	b.store, err = Open(o)
	require.NoError(t, err)
	for _, l := range b.store.All() {
		require.NoError(t, l.Err())
	}
	return b
}

func logBatches(t *testing.T, l *Log) (all [][]byte) {
	t.Helper()
	for at := l.LogStartOffset(); at < l.LogEndOffset(); {
		b, err := l.ReadBytes(at, 1<<20, l.LogEndOffset())
		require.NoError(t, err)
		require.NotEmpty(t, b)
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			require.NoError(t, err)
			all = append(all, bytes.Clone(batch))
			at, b = batch.NextOffset(), rest
		}
	}
	return all
}

var goldenTopics = []string{"plain", "codecs", "txn", "appendtime", "deleted", "empty"}

func TestDirectoriesOfKafkaOpenAndOursAreTheSameBytes(t *testing.T) {
	kafka := copyIn(t, goldenDir+"/clean")
	source := openGolden(t, kafka.Clone(), testStart)
	for _, topic := range goldenTopics {
		t.Run(topic, func(t *testing.T) {
			tp := protocol.TopicPartition{Topic: topic}
			from, ok := source.store.Log(tp)
			require.True(t, ok)
			if topic == "deleted" { // what was deleted is still in the files
				from.logStart.Store(0)
			}

			b := newBed(t, vfs.NewMem())
			b.cfg = goldenConfig()
			b.open()
			to, err := b.store.Create(tp, from.TopicID(), b.cfg, nil)
			require.NoError(t, err)
			if topic == "empty" {
				require.Zero(t, from.LogEndOffset())
				return
			}
			for i, batch := range logBatches(t, from) {
				_, err := to.AppendAsFollower(batch)
				require.NoError(t, err)
				if i%7 == 3 {
					require.NoError(t, b.store.FlushDirty())
				}
				to.UpdateHighWatermark(to.LogEndOffset())
			}
			if topic == "deleted" {
				require.NoError(t, to.IncrementLogStartOffset(11))
			}
			require.NoError(t, b.store.Close())
			compareDirs(t, kafka, b.fs, "/data/"+topic+"-0")
		})
	}
}

func compareDirs(t *testing.T, want, got vfs.FS, dir string) {
	t.Helper()
	names := func(f vfs.FS) (list []string) {
		entries, err := f.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			list = append(list, e.Name())
		}
		return list
	}
	require.Equal(t, names(want), names(got))
	for _, name := range names(want) {
		w, err := vfs.ReadFile(want, dir+"/"+name, 1<<30)
		require.NoError(t, err)
		g, err := vfs.ReadFile(got, dir+"/"+name, 1<<30)
		require.NoError(t, err)
		require.Equal(t, w, g, name)
	}
}

func TestACleanDirectoryOfKafkaStaysTheSameWhenNothingHappens(t *testing.T) {
	kafka := copyIn(t, goldenDir+"/clean")
	ours := kafka.Clone()
	b := openGolden(t, ours, testStart)
	require.NoError(t, b.store.Close())
	for _, topic := range goldenTopics {
		compareDirs(t, kafka, ours, "/data/"+topic+"-0")
	}
	for _, name := range []string{recoveryPointName, logStartName, highWatermarkName} {
		var want, got map[protocol.TopicPartition]int64
		for fsys, into := range map[vfs.FS]*map[protocol.TopicPartition]int64{kafka: &want, ours: &got} {
			b, err := vfs.ReadFile(fsys, "/data/"+name, 1<<20)
			require.NoError(t, err)
			*into, err = parseOffsets(name, b)
			require.NoError(t, err)
		}
		for _, m := range []map[protocol.TopicPartition]int64{want, got} { // internal topics are not kept in testdata
			delete(m, protocol.TopicPartition{Topic: "__transaction_state"})
		}
		require.Equal(t, want, got, name)
	}
}

func TestAKilledDirectoryOfKafkaIsRecovered(t *testing.T) {
	// The producers wrote with timestamps of 2023; on that day none is expired.
	b := openGolden(t, copyIn(t, goldenDir+"/killed"), testStart)
	ends := map[string]int64{}
	for tp, l := range b.store.All() {
		offsets, err := readAll(l)
		require.NoError(t, err)
		ends[tp.Topic] = l.LogEndOffset()
		require.Equal(t, l.LogEndOffset() > 0, len(offsets) > 0)
		l.UpdateHighWatermark(l.LogEndOffset())
	}
	require.Equal(t, map[string]int64{"plain": 323, "codecs": 375, "txn": 146, "appendtime": 99, "deleted": 80, "empty": 0}, ends)

	txn, _ := b.store.Log(protocol.TopicPartition{Topic: "txn"})
	require.Equal(t, int64(144), txn.LastStableOffset()) // of the transaction that was open
	aborted, err := txn.AbortedTransactions(0, 146)
	require.NoError(t, err)
	markers := 0
	for _, b := range logBatches(t, txn) {
		if m, ok, err := readMarker(b, codecs); record.Batch(b).IsControl() && ok && !m.commit {
			require.NoError(t, err)
			markers++
		}
	}
	require.Len(t, aborted, markers)
	require.Greater(t, markers, 9)
	for _, a := range aborted {
		require.Less(t, a.FirstOffset, a.LastOffset)
	}
	epoch, ok := txn.LatestEpoch()
	require.True(t, ok)
	require.Equal(t, int32(2), epoch)

	deleted, _ := b.store.Log(protocol.TopicPartition{Topic: "deleted"})
	require.Equal(t, int64(11), deleted.LogStartOffset())
}

func TestRecoveredIndexesAreTheOnesKafkaHad(t *testing.T) {
	kafka := copyIn(t, goldenDir+"/clean")
	ours := kafka.Clone()
	require.NoError(t, ours.Remove("/data/"+cleanShutdownName))
	require.NoError(t, ours.Remove("/data/"+recoveryPointName)) // everything is scanned
	for _, topic := range goldenTopics {
		entries, err := ours.ReadDir("/data/" + topic + "-0")
		require.NoError(t, err)
		for _, e := range entries {
			if _, suffix, ok := parseOffsetName(e.Name()); ok && suffix != logSuffix {
				require.NoError(t, ours.Remove("/data/"+topic+"-0/"+e.Name()))
			}
		}
	}
	b := openGolden(t, ours, testStart)
	require.NoError(t, b.store.Close())
	for _, topic := range goldenTopics {
		if topic != "empty" {
			compareDirs(t, kafka, ours, "/data/"+topic+"-0")
		}
	}
}
