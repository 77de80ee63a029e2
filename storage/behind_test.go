package storage

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

// The log rolls several times while its window lies in an earlier segment; every byte can still be read.
func TestPagesBehindTheWindowAreGivenBack(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{FS: vfs.OS, Clocks: newBed(t, vfs.NewMem()).options().Clocks, Codecs: newBed(t, vfs.NewMem()).options().Codecs,
		Rand: newRand(1), Dirs: []string{dir}, NodeID: 1, ClusterID: "c", CacheWindow: 16 << 20,
		DefaultConfig: func(string) LogConfig { return DefaultLogConfig() }, BrokerEpoch: func() int64 { return -1 }})
	require.NoError(t, err)
	defer s.Close()
	cfg := DefaultLogConfig()
	cfg.SegmentBytes = 20 << 20
	l, err := s.Create(tp0, testTopicID, cfg, nil)
	require.NoError(t, err)
	batch := batchOf(1, 900_000, 1)
	for range 80 {
		mustAppend(t, l, bytes.Clone(batch))
	}
	require.Greater(t, len(l.segments()), 3)
	var n int64
	for _, seg := range l.segments() {
		f, err := seg.acquire()
		require.NoError(t, err)
		got, err := io.Copy(io.Discard, io.NewSectionReader(f, 0, seg.size))
		seg.release()
		require.NoError(t, err)
		n += got
	}
	require.Equal(t, int64(80*len(batch)), n)
}
