package storage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

func TestMissingAndDamagedIndexesAreMadeAnew(t *testing.T) { // L5, L6
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	for i := range 100 {
		mustAppend(t, b.log(), batchOf(3, 50, 1000+int64(i)*10))
	}
	require.NoError(t, b.store.Close())
	want, err := readAll(newBed(t, disk.Clone()).open().log())
	require.NoError(t, err)
	for _, name := range list(t, disk, "/data/t-0") {
		if !strings.HasSuffix(name, "index") {
			continue
		}
		for what, damage := range map[string]func(d *vfs.Mem, name string) error{
			"removed": func(d *vfs.Mem, name string) error { return d.Remove(name) },
			"zeros":   func(d *vfs.Mem, name string) error { return vfs.WriteFileAtomic(d, name, make([]byte, 480), true) },
			"odd":     func(d *vfs.Mem, name string) error { return vfs.WriteFileAtomic(d, name, make([]byte, 7), true) },
		} {
			d := disk.Clone()
			require.NoError(t, damage(d, "/data/t-0/"+name))
			b := newBed(t, d).open()
			got, err := readAll(b.log())
			require.NoError(t, err, "%s %s", name, what)
			require.Equal(t, want, got)
			offset, _, _, found, err := b.log().OffsetForTimestamp(1500)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, int64(150), offset, "%s %s", name, what)
			mustAppend(t, b.log(), batchOf(3, 50, 5000))
			require.NoError(t, b.store.Close())
			_, err = d.Stat("/data/t-0/" + name)
			require.NoError(t, err)
		}
	}
}

func TestDamageBelowTheRecoveryPointIsNotCutAway(t *testing.T) { // L1, promise 8
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.SegmentBytes = 1 << 20
	l := b.open().log()
	for i := range 10 {
		mustAppend(t, l, batchOf(3, 50, int64(i)))
	}
	require.NoError(t, b.store.FlushDirty())
	mustAppend(t, l, batchOf(3, 50, 11))
	size := int64(len(batchOf(3, 50, 0)))
	flip := func(d *vfs.Mem, pos int64, truncate bool) *bed {
		f, err := d.OpenFile("/data/t-0/00000000000000000000.log", 2, 0)
		require.NoError(t, err)
		if truncate {
			require.NoError(t, f.Truncate(pos))
		} else {
			_, err = f.WriteAt([]byte{0xff, 0xff}, pos)
			require.NoError(t, err)
		}
		n := newBed(t, d)
		n.cfg = b.cfg
		return n.open()
	}
	// A torn tail is cut: the last batch was not flushed.
	n := flip(disk.Clone(), 10*size+100, false)
	require.NoError(t, n.log().Err())
	require.Equal(t, int64(30), n.log().LogEndOffset())
	// A damaged header below the recovery point, or a file that is too short, is not.
	for _, truncate := range []bool{false, true} {
		d := disk.Clone()
		n = flip(d, 5*size+9, truncate)
		before := list(t, d, "/data/t-0")
		l, ok := n.store.Log(tp0)
		require.True(t, ok)
		var damage *CorruptError
		require.ErrorAs(t, l.Err(), &damage)
		_, err := l.Read(0, 100, 30, true)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		_, err = l.AppendAsLeader(batchOf(1, 9, 1), 0, AppendOptions{})
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		_, err = n.store.Create(tp0, testTopicID, b.cfg, nil)
		require.ErrorIs(t, err, kerr.KafkaStorageError)
		require.True(t, n.store.Dirs()[0].Online())
		require.NoError(t, n.store.Close())
		require.Equal(t, before, list(t, d, "/data/t-0"))
		require.NotContains(t, list(t, d, "/data"), cleanShutdownName)
	}
}

func TestHundredsOfPartitionsReopen(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	for p := range int32(300) {
		l, err := b.store.Create(protocol.TopicPartition{Topic: "t", Partition: p}, testTopicID, b.cfg, nil)
		require.NoError(t, err)
		mustAppend(t, l, batchOf(2, 100, 1))
	}
	require.NoError(t, b.store.Close())
	fault := vfs.NewFault(disk)
	reads := map[string]int{}
	fault.Observe(func(op vfs.Op) {
		if op.Kind == vfs.KindRead {
			reads[op.Name[strings.LastIndexByte(op.Name, '.')+1:]]++
		}
	})
	b = newBed(t, fault).open()
	require.Zero(t, reads["log"]) // a clean start looks at sizes
	require.Zero(t, reads["index"])
	n := 0
	for _, l := range b.store.All() {
		require.Equal(t, int64(2), l.LogEndOffset())
		n++
	}
	require.Equal(t, 300, n)
}

func TestSwapsAreFinishedOrUndone(t *testing.T) { // L4
	base := vfs.NewMem()
	b := newBed(t, base).open()
	for i := range 40 {
		mustAppend(t, b.log(), batchOf(2, 150, int64(i)))
	}
	require.NoError(t, b.store.Close())
	want, err := readAll(newBed(t, base.Clone()).open().log())
	require.NoError(t, err)
	segs := []string{}
	for _, name := range list(t, base, "/data/t-0") {
		if strings.HasSuffix(name, logSuffix) {
			segs = append(segs, strings.TrimSuffix(name, logSuffix))
		}
	}
	require.Greater(t, len(segs), 2)
	dup := func(d *vfs.Mem, seg, suffix string) {
		for _, s := range []string{logSuffix, indexSuffix, timeIndexSuffix} {
			c, err := vfs.ReadFile(d, "/data/t-0/"+seg+s, 1<<20)
			require.NoError(t, err)
			require.NoError(t, vfs.WriteFileAtomic(d, "/data/t-0/"+seg+s+suffix, c, true))
		}
	}
	for name, prepare := range map[string]func(d *vfs.Mem){
		"cleaned only":     func(d *vfs.Mem) { dup(d, segs[0], cleanedSuffix) },
		"cleaned and swap": func(d *vfs.Mem) { dup(d, segs[1], swapSuffix); dup(d, segs[0], cleanedSuffix) },
		"swap":             func(d *vfs.Mem) { dup(d, segs[1], swapSuffix) },
		"swap, half deleted": func(d *vfs.Mem) {
			dup(d, segs[0], swapSuffix)
			require.NoError(t, d.Rename("/data/t-0/"+segs[0]+logSuffix, "/data/t-0/"+segs[0]+logSuffix+deletedSuffix))
		},
		"deleted": func(d *vfs.Mem) { dup(d, segs[0], deletedSuffix) },
	} {
		t.Run(name, func(t *testing.T) {
			d := base.Clone()
			prepare(d)
			total := 0
			for crash := -1; crash < max(total, 1); crash++ { // also when the start itself is killed
				fault := vfs.NewFault(d.Clone())
				if crash >= 0 {
					fault.CrashAfter(crash)
				}
				n := newBed(t, fault)
				err := n.tryOpen()
				if crash < 0 {
					require.NoError(t, err)
					total = fault.Count()
					got, err := readAll(n.log())
					require.NoError(t, err)
					require.Equal(t, want, got)
					for _, name := range list(t, fault, "/data/t-0") {
						require.NotRegexp(t, `\.(cleaned|swap|deleted)$`, name)
					}
				}
			}
		})
	}
}

// What recovery has cut is gone for good: a second power cut must not bring a segment of the lost tail back behind what
// was written in between.
func TestACutTailDoesNotComeBack(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.SegmentBytes = 900
	l := b.open().log()
	for range 3 {
		mustAppend(t, l, batchOf(1, 100, 1))
	}
	require.NoError(t, b.store.FlushDirty())
	size, _ := l.active().tail()
	for range 9 {
		mustAppend(t, l, batchOf(1, 100, 2))
	}
	require.Greater(t, len(l.segments()), 2)
	next := l.segments()[1].base
	require.NoError(t, syncFile(disk, l.segments()[1].logName())) // written back early, unlike what comes before it
	require.NoError(t, disk.SyncDir(l.Path()))
	torn := disk.Clone()
	require.NoError(t, truncateFile(torn, "/data/t-0/"+offsetName(0, logSuffix), size))

	again := newBed(t, torn)
	again.cfg = b.cfg
	l = again.open().log()
	require.EqualValues(t, 3, l.LogEndOffset())
	for l.LogEndOffset() < next {
		mustAppend(t, l, batchOf(1, 100, 3))
	}
	require.NoError(t, syncFile(torn, l.active().logName()))
	for seed := range uint64(10) {
		last := newBed(t, torn.CrashClone(newRand(seed)))
		last.cfg = b.cfg
		require.Equal(t, next, last.open().log().LogEndOffset(), "seed %d", seed)
	}
}
