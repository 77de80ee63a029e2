package storage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

func TestAppendReadAndReopenCleanly(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk).open()
	l := b.log()
	for i := range 100 {
		info := mustAppend(t, l, batchOf(3, 50, 1000+int64(i)))
		require.Equal(t, int64(3*i), info.FirstOffset)
		require.Equal(t, int64(3*i+2), info.LastOffset)
	}
	require.Greater(t, len(l.segments()), 3)
	offsets, err := readAll(l)
	require.NoError(t, err)
	require.Len(t, offsets, 100)
	l.UpdateHighWatermark(250)
	require.NoError(t, b.store.Close())

	b.open()
	l = b.log()
	require.Equal(t, int64(300), l.LogEndOffset())
	require.Equal(t, int64(250), l.HighWatermark())
	require.Equal(t, int64(300), l.RecoveryPoint())
	again, err := readAll(l)
	require.NoError(t, err)
	require.Equal(t, offsets, again)
	mustAppend(t, l, batchOf(1, 10, 5000))
	require.NoError(t, b.store.FlushDirty())

	// The process is killed: nothing of what was written is lost.
	b = newBed(t, disk.Clone()).open()
	l = b.log()
	require.Equal(t, int64(301), l.LogEndOffset())
	_, err = readAll(l)
	require.NoError(t, err)
}
