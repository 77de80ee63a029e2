package storage

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

func TestOffsetsBeyond32Bits(t *testing.T) { // L7
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	start := int64(1) << 40
	require.NoError(t, l.TruncateFullyAndStartAt(start))
	for i, offset := range []int64{start, start + math.MaxInt32, start + math.MaxInt32 + 1, start + 3<<32} {
		batch := record.Batch(batchOf(1, 9, 1000))
		batch.SetBaseOffset(offset)
		batch.SetPartitionLeaderEpoch(int32(i))
		_, err := l.AppendAsFollower(batch)
		require.NoError(t, err)
	}
	check := func(l *Log) {
		offsets, err := readAll(l)
		require.NoError(t, err)
		require.Equal(t, []int64{start, start + math.MaxInt32, start + math.MaxInt32 + 1, start + 3<<32}, offsets)
		s, err := l.Read(start+5, 100, math.MaxInt64, true) // C10: a gap leads to the next record
		require.NoError(t, err)
		require.Equal(t, start+math.MaxInt32, s.BaseOffset())
		s.Release()
		epoch, end := l.EndOffsetForEpoch(2)
		require.Equal(t, int32(2), epoch)
		require.Equal(t, start+3<<32, end)
	}
	check(l)
	require.NoError(t, b.store.FlushDirty())
	check(newBed(t, disk.Clone()).open().log())
	require.NoError(t, b.store.Close())
	check(newBed(t, disk).open().log())
}

func TestFetchInsideABatchReturnsIt(t *testing.T) { // Q8, F1
	l := newBed(t, vfs.NewMem()).open().log()
	for i := range 50 {
		mustAppend(t, l, batchOf(10, 20, int64(i)))
	}
	size := len(batchOf(10, 20, 0))
	s, err := l.Read(237, 10*size, 500, true)
	require.NoError(t, err)
	require.Equal(t, int64(230), s.BaseOffset())
	require.Zero(t, s.Len()%size)
	s.Release()
	s, err = l.Read(237, size-1, 500, false)
	require.NoError(t, err)
	require.Zero(t, s.Len())
	s, err = l.Read(237, 1, 500, true)
	require.NoError(t, err)
	require.Equal(t, size, s.Len())
	s.Release()
	for _, end := range []int64{231, 239} { // the batch reaches past the end
		s, err = l.Read(230, 10*size, end, true)
		require.NoError(t, err)
		require.Zero(t, s.Len())
	}
	s, err = l.Read(230, 10*size, 240, true)
	require.NoError(t, err)
	require.Equal(t, size, s.Len())
	s.Release()
	for _, offset := range []int64{-1, 501} {
		_, err = l.Read(offset, 100, 500, true)
		require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	}
	s, err = l.Read(500, 100, 500, true)
	require.NoError(t, err)
	require.Zero(t, s.Len())
}

func TestTimestampsAreExactInEveryCodec(t *testing.T) { // S1
	for _, c := range []compress.Codec{compress.None, compress.Gzip, compress.Snappy, compress.LZ4, compress.Zstd} {
		t.Run(c.String(), func(t *testing.T) {
			disk := vfs.NewMem()
			b := newBed(t, disk).open()
			l := b.log()
			for i := range 60 { // batch i: i*100 to i*100+9, but every seventh is 250 ms early
				ts := int64(1000 + i*100)
				if i%7 == 3 {
					ts -= 250
				}
				mustAppend(t, l, batchOf(10, 20, ts, codec(c)))
			}
			require.NoError(t, b.store.FlushDirty())
			type answer struct{ offset, ts int64 }
			var times []int64 // by offset
			for i := range 60 {
				for j := range 10 {
					ts := int64(1000 + i*100 + j)
					if i%7 == 3 {
						ts -= 250
					}
					times = append(times, ts)
				}
			}
			check := func(l *Log) {
				t.Helper()
				for ts := int64(900); ts < 7000; ts += 37 {
					want := answer{-1, -1}
					for offset, at := range times {
						if at >= ts {
							want = answer{int64(offset), at}
							break
						}
					}
					offset, at, _, found, err := l.OffsetForTimestamp(ts)
					require.NoError(t, err)
					require.Equal(t, want, answer{offset, at}, "timestamp %d", ts)
					require.Equal(t, want.offset >= 0, found)
				}
				offset, at, _, found, err := l.OffsetOfMaxTimestamp()
				require.NoError(t, err)
				require.True(t, found)
				want := answer{-1, -1}
				for offset, at := range times {
					if at > want.ts {
						want = answer{int64(offset), at}
					}
				}
				require.Equal(t, want, answer{offset, at})
			}
			check(l)
			require.NoError(t, b.store.Close())
			check(newBed(t, disk).open().log())
		})
	}
}

func TestMaxTimestampWithLogAppendTimeIsItsFirstRecord(t *testing.T) {
	b := newBed(t, vfs.NewMem())
	b.cfg.TimestampType = record.LogAppendTime
	l := b.open().log()
	info := mustAppend(t, l, batchOf(3, 9, 5))
	require.Equal(t, testStart.UnixMilli(), info.LogAppendTime)
	b.clock.now = testStart.Add(time.Second)
	mustAppend(t, l, batchOf(3, 9, 5))
	mustAppend(t, l, batchOf(3, 9, 5))
	offset, at, _, _, err := l.OffsetOfMaxTimestamp()
	require.NoError(t, err)
	require.Equal(t, int64(3), offset)
	require.Equal(t, b.clock.now.UnixMilli(), at)
}
