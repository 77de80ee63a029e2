package storage

import (
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// TestReadersSeeWholeBatchesWhileEverythingMoves reads at the tail, in the middle and by time, while the log is
// appended to, flushed, rolled and shortened from the front.
func TestReadersSeeWholeBatchesWhileEverythingMoves(t *testing.T) { // L15, L14
	b := newBed(t, vfs.NewMem())
	b.cfg.RetentionBytes, b.cfg.FileDeleteDelayMs = 20_000, 0
	o := b.options()
	o.MaxOpenFiles = 8
	var err error
	b.store, err = Open(o)
	require.NoError(t, err)
	l := b.log()
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, back := range []int64{1, 40, 400} {
		wg.Go(func() {
			buf := make([]byte, 8192)
			for !stop.Load() {
				end := l.HighWatermark()
				s, err := l.Read(max(end-back, l.LogStartOffset()), 3000, end, true)
				if errors.Is(err, kerr.OffsetOutOfRange) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if s.Len() == 0 {
					continue
				}
				rest := buf[:s.Len()]
				if _, err := s.ReadAt(rest, 0); err != nil {
					t.Error(err)
				}
				s.Release()
				for len(rest) > 0 {
					var batch record.Batch
					if batch, rest, err = record.Next(rest); err != nil || !batch.VerifyCRC() || batch.NextOffset() > end {
						t.Errorf("a torn batch, or one above %d: %v", end, err)
						return
					}
				}
			}
		})
	}
	wg.Go(func() {
		for !stop.Load() {
			if _, _, _, _, err := l.OffsetForTimestamp(5000); err != nil {
				t.Error(err)
			}
			l.LastStableOffset()
			l.EndOffsetForEpoch(0)
			l.ActiveProducers()
		}
	})
	wg.Go(func() {
		for !stop.Load() {
			if err := b.store.FlushDirty(); err != nil {
				t.Error(err)
			}
			b.store.DeleteOldSegments()
			b.store.RemoveDue()
		}
	})
	for i := 0; i < 3000 || l.LogStartOffset() == 0 && i < 300_000; i++ { // a busy machine may let retention wait
		mustAppend(t, l, batchOf(1+i%4, 60, int64(i)))
		if i%3 == 0 {
			l.UpdateHighWatermark(l.LogEndOffset() - int64(i%2))
		}
	}
	stop.Store(true)
	wg.Wait()
	require.Positive(t, l.LogStartOffset())
	_, err = readAll(l)
	require.NoError(t, err)
}

// gatedFS holds the first fsync back until it is told to go on.
type gatedFS struct {
	vfs.FS
	once    sync.Once
	syncing chan struct{}
	goOn    chan struct{}
}

func (g *gatedFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := g.FS.OpenFile(name, flag, perm)
	return &gatedFile{f, g}, err
}

type gatedFile struct {
	vfs.File
	g *gatedFS
}

func (f *gatedFile) Sync() error {
	f.g.once.Do(func() { close(f.g.syncing) })
	<-f.g.goOn
	return f.File.Sync()
}

func TestAnFsyncHoldsNobodyUp(t *testing.T) { // L10
	disk := vfs.NewFault(vfs.NewMem())
	b := newBed(t, disk).open()
	l := b.log()
	mustAppend(t, l, batchOf(1, 9, 1))
	syncing, goOn := make(chan struct{}), make(chan struct{})
	gated := &gatedFS{FS: disk, syncing: syncing, goOn: goOn}
	l.files.fs = gated
	l.files.forget(&l.active().file)
	flushed := make(chan error)
	go func() { flushed <- l.Flush(1) }()
	<-syncing
	for i := range 100 { // rolls included
		mustAppend(t, l, batchOf(1, 100, int64(i)))
	}
	l.UpdateHighWatermark(100)
	s, err := l.Read(50, 1000, 100, true)
	require.NoError(t, err)
	s.Release()
	require.Zero(t, l.RecoveryPoint())
	close(goOn)
	require.NoError(t, <-flushed)
	require.Equal(t, int64(1), l.RecoveryPoint())
}

// TestCallersOfFlushShareOne is the group commit.
func TestCallersOfFlushShareOne(t *testing.T) {
	disk := vfs.NewFault(vfs.NewMem())
	b := newBed(t, disk).open()
	l := b.log()
	syncing, goOn := make(chan struct{}), make(chan struct{})
	l.files.fs = &gatedFS{FS: disk, syncing: syncing, goOn: goOn}
	mustAppend(t, l, batchOf(1, 9, 1))
	var syncs atomic.Int64
	disk.Observe(func(op vfs.Op) {
		if op.Kind == vfs.KindSync {
			syncs.Add(1)
		}
	})
	var wg sync.WaitGroup
	wg.Go(func() { require.NoError(t, l.Flush(1)) })
	<-syncing
	for i := range int64(20) {
		mustAppend(t, l, batchOf(1, 9, 1))
		wg.Go(func() { require.NoError(t, l.Flush(i+2)) })
	}
	close(goOn)
	wg.Wait()
	require.Equal(t, int64(21), l.RecoveryPoint())
	require.LessOrEqual(t, syncs.Load(), int64(20), "as many fsyncs as callers")
}
