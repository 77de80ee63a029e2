package broker_test

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// aDisk is a file system on which the files below one directory lie on a disk of their own, which may fail.
type aDisk struct {
	vfs.FS
	dir  string
	disk *vfs.Fault
}

func (d aDisk) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if strings.HasPrefix(name, d.dir+"/") {
		return d.disk.OpenFile(name, flag, perm)
	}
	return d.FS.OpenFile(name, flag, perm)
}

// troubles are failures of one write or sync of a segment; the disk works again right after.
var troubles = map[string]vfs.Rule{
	"no space":          {Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 1, Err: syscall.ENOSPC},
	"no space, halfway": {Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 1, Err: syscall.ENOSPC, Short: true},
	"write error":       {Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 1, Err: syscall.EIO},
	"fsync error":       {Kinds: vfs.KindSync, Pattern: "*.log", Nth: 1, Err: syscall.EIO},
}

// ledger remembers what was acknowledged where.
type ledger map[int32]map[int64]string

func (l ledger) add(partition int32, offset int64, value string) {
	if l[partition] == nil {
		l[partition] = map[int64]string{}
	}
	l[partition][offset] = value
}

// reads checks that everything acknowledged is there.
func (l ledger) reads(t *testing.T, n *node, topic string) {
	t.Helper()
	id := n.topicIDs()[topic]
	for partition, want := range l {
		got := map[int64]string{}
		require.Eventually(t, func() bool {
			offset, values, err := n.fetch(topic, id, partition, 0)
			for i, v := range values {
				got[offset+int64(i)] = v
			}
			return err == nil
		}, 10*time.Second, 20*time.Millisecond)
		for offset, value := range want {
			require.Equal(t, value, got[offset], "partition %d offset %d", partition, offset)
		}
	}
}

// fetch reads from offset to the end, a partition of less than a megabyte.
func (n *node) fetch(topic string, id protocol.UUID, partition int32, offset int64) (first int64, values []string, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes, req.MaxWaitMillis, req.ReplicaState.ID = 1<<20, 1, -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic, rt.TopicID = topic, id
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = partition, offset, 1<<20
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := n.ask(req)
	if err != nil {
		return 0, nil, err
	}
	got := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
		return 0, nil, err
	}
	first = -1
	for rest := got.RecordBatches; len(rest) > 0; {
		batch, more, err := record.Next(rest)
		if err != nil {
			return 0, nil, err
		}
		if first < 0 {
			first = batch.BaseOffset()
		}
		values, rest = append(values, batchValues(n.t, batch)...), more
	}
	return first, values, nil
}

// Of two log directories one fails: its partitions answer KAFKA_STORAGE_ERROR and acknowledge nothing more, those of
// the other go on, and after a restart on the healed disk everything acknowledged is there.
func TestATroubledDiskTakesOnlyItsOwnPartitions(t *testing.T) {
	for name, rule := range troubles {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			trouble := vfs.NewFault(disk)
			set := map[string]string{"log.dirs": "/a,/b", "metadata.log.dir": "/meta"}
			n, err := start(t, memnet.OS, aDisk{disk, "/a", trouble}, set)
			require.NoError(t, err)
			id, err := n.createTopic("t", 2, "flush.messages", "1")
			require.NoError(t, err)
			acked := ledger{}
			write := func(n *node, p int32, i int) error {
				value := fmt.Sprintf("%d-%d", p, i)
				offset, err := n.produce("t", id, p, -1, -1, -1, []string{value})
				if err == nil {
					acked.add(p, offset, value)
				}
				return err
			}
			for i := range 20 {
				for p := range int32(2) {
					require.NoError(t, write(n, p, i))
				}
			}
			trouble.Fail(rule)
			var failed []int32
			for p := range int32(2) {
				if err := write(n, p, 20); err != nil {
					require.ErrorIs(t, err, kerr.KafkaStorageError)
					failed = append(failed, p)
				}
			}
			require.Len(t, failed, 1, "the partition on the troubled disk")
			trouble.Heal() // which changes nothing before a restart
			bad, good := failed[0], 1-failed[0]
			for i := 21; i < 40; i++ {
				err := write(n, bad, i)
				require.Error(t, err)
				require.True(t, anyOf(err, kerr.KafkaStorageError, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable), "a write to it: %v", err)
				_, _, err = n.fetch("t", id, bad, 0)
				require.True(t, anyOf(err, kerr.KafkaStorageError, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable), "a read from it: %v", err)
				require.NoError(t, write(n, good, i))
			}
			select {
			case <-n.b.Done():
				t.Fatal("the node has ended", n.b.Err())
			default:
			}
			_ = n.stop() // unclean on one side

			n, err = start(t, memnet.OS, disk, set)
			require.NoError(t, err)
			acked.reads(t, n, "t")
			require.Eventually(t, func() bool { return write(n, bad, 100) == nil }, 10*time.Second, 20*time.Millisecond)
			require.NoError(t, write(n, good, 100))
			acked.reads(t, n, "t")
			require.NoError(t, n.stop())
		})
	}
}

func anyOf(err error, kinds ...*kerr.Error) bool {
	for _, k := range kinds {
		if err != nil && strings.HasPrefix(err.Error(), k.Message) {
			return true
		}
	}
	return false
}

// With the only log directory gone there is nothing left to serve: the node ends and says why, and the healed disk
// has everything that was acknowledged. The metadata log lies on another disk, or on the same.
func TestTheOnlyDiskInTroubleEndsTheNode(t *testing.T) {
	for name, rule := range troubles {
		for _, meta := range []string{"/meta", "/data"} {
			t.Run(name+", metadata in "+meta, func(t *testing.T) {
				disk := vfs.NewMem()
				trouble := vfs.NewFault(disk)
				set := map[string]string{"metadata.log.dir": meta}
				n, err := start(t, memnet.OS, aDisk{disk, "/data", trouble}, set)
				require.NoError(t, err)
				id, err := n.createTopic("t", 1, "flush.messages", "1")
				require.NoError(t, err)
				acked := ledger{}
				for i := range 20 {
					value := fmt.Sprint(i)
					offset, err := n.produce("t", id, 0, -1, -1, -1, []string{value})
					require.NoError(t, err)
					acked.add(0, offset, value)
				}
				rule.Last = -1
				trouble.Fail(rule)
				for i := 20; i < 25; i++ {
					_, err := n.produce("t", id, 0, -1, -1, -1, []string{fmt.Sprint(i)})
					require.Error(t, err)
				}
				select {
				case <-n.b.Done():
				case <-time.After(10 * time.Second):
					t.Fatal("the node goes on")
				}
				err = n.b.Err()
				require.ErrorContains(t, err, "/data")
				require.ErrorContains(t, err, rule.Err.Error())
				t.Log(err)
				_ = n.stop()
				trouble.Heal()

				n, err = start(t, memnet.OS, disk, set)
				require.NoError(t, err)
				acked.reads(t, n, "t")
				require.NoError(t, n.stop())
			})
		}
	}
}

// The metadata log's disk fails at a decision: the request is not answered as done, and the node ends.
func TestTroubleInTheMetadataLogEndsTheNode(t *testing.T) {
	for name, rule := range troubles {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			trouble := vfs.NewFault(disk)
			set := map[string]string{"metadata.log.dir": "/meta"}
			n, err := start(t, memnet.OS, aDisk{disk, "/meta", trouble}, set)
			require.NoError(t, err)
			id, err := n.createTopic("before", 1)
			require.NoError(t, err)
			rule.Last = -1
			trouble.Fail(rule)
			answered := make(chan error, 1)
			go func() {
				_, err := n.createTopic("after", 1)
				answered <- err
			}()
			select {
			case <-n.b.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("the node goes on")
			}
			require.ErrorContains(t, n.b.Err(), "/meta")
			require.ErrorContains(t, n.b.Err(), rule.Err.Error())
			t.Log(n.b.Err())
			_ = n.stop()
			require.Error(t, <-answered)
			trouble.Heal()

			n, err = start(t, memnet.OS, disk, set)
			require.NoError(t, err)
			require.Equal(t, id, n.topicIDs()["before"])
			require.NoError(t, n.stop())
		})
	}
}
