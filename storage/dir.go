package storage

import (
	"fmt"
	"io"
	"maps"
	"path"
	"sync"
	"sync/atomic"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// Dir is a log directory: one disk, one lock, one set of checkpoints.
type Dir struct {
	path    string
	id      protocol.UUID
	store   *Store // nil for the parent of a log on its own, which has no checkpoints
	lock    io.Closer
	flusher vfs.Flusher           // nil where the machine has none
	err     atomic.Pointer[error] // why it is offline

	hosted int // logs of the store that lie here; guarded by Store.mu

	marks atomic.Bool // a high watermark has moved since they were written

	// writeMu is held while a checkpoint is written, before mu.
	writeMu sync.Mutex

	mu      sync.Mutex
	logs    map[protocol.TopicPartition]*Log  // those whose directory exists
	saved   map[protocol.TopicPartition]int64 // recovery points as the checkpoint has them
	missing map[protocol.TopicPartition]int64 // named by the checkpoint, but their directory is gone; with their high watermark
	deleted map[protocol.TopicPartition]bool  // still named by a checkpoint
	points  bool                              // recovery points have moved since they were written
	starts  bool                              // log starts have moved

	cleaned      map[protocol.TopicPartition]int64 // below this offset a log is clean
	cleanedMoved bool                              // since the checkpoint was written
}

func newDir(s *Store, dir string) *Dir {
	return &Dir{path: dir, store: s, logs: map[protocol.TopicPartition]*Log{}, saved: map[protocol.TopicPartition]int64{},
		missing: map[protocol.TopicPartition]int64{}, deleted: map[protocol.TopicPartition]bool{}}
}

// Path is the directory as it was configured.
func (d *Dir) Path() string { return d.path }

// ID is the directory id from meta.properties (KIP-858); zero for a directory that could not be read.
func (d *Dir) ID() protocol.UUID { return d.id }

// Online is false after the first failed disk operation.
func (d *Dir) Online() bool { return d.err.Load() == nil }

// Err is why the directory is offline.
func (d *Dir) Err() error {
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Usage is the size and free space of its file system, in bytes; -1 when unknown.
func (d *Dir) Usage() (total, free int64) {
	if d.store == nil || !d.Online() {
		return -1, -1
	}
	total, free, err := d.store.files.fs.Usage(d.path)
	if err != nil {
		return -1, -1
	}
	return total, free
}

// Missing lists partitions whose directory was here and has vanished (R28). Create refuses them until AcceptLoss.
func (d *Dir) Missing() []protocol.TopicPartition {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]protocol.TopicPartition, 0, len(d.missing))
	for tp := range d.missing {
		list = append(list, tp)
	}
	return list
}

// fail takes the directory offline, once.
func (d *Dir) fail(err error) {
	if !d.err.CompareAndSwap(nil, &err) {
		return
	}
	if d.store != nil {
		d.store.logger.Error().Err(err).Str("dir", d.path).Msg("log directory is offline")
		select {
		case d.store.offline <- struct{}{}:
		default:
		}
	}
}

// beforeMake is called before a partition's directory is made: an older one of the same name must not be named by
// any checkpoint any more, or its recovery point would be taken for the new one's.
func (d *Dir) beforeMake(tp protocol.TopicPartition) error {
	d.mu.Lock()
	stale := d.deleted[tp]
	d.mu.Unlock()
	if !stale || d.store == nil {
		return nil
	}
	return d.writeAll()
}

func (d *Dir) made(l *Log) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logs[l.tp] = l
}

// forget drops a log whose directory was renamed for deletion.
func (d *Dir) forget(tp protocol.TopicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.logs, tp)
	delete(d.missing, tp)
	d.deleted[tp] = true
	d.points, d.starts = true, true
	if _, ok := d.cleaned[tp]; ok {
		delete(d.cleaned, tp)
		d.cleanedMoved = true
	}
}

func (d *Dir) moved() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.points = true
}

func (d *Dir) startMoved() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starts = true
}

// lowerRecoveryPoint makes sure that the checkpoint on the disk says at most offset for tp. The log's own recovery
// point must have come down before.
func (d *Dir) lowerRecoveryPoint(tp protocol.TopicPartition, offset int64) error {
	if d.store == nil {
		return nil
	}
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	d.mu.Lock()
	high := d.saved[tp] > offset
	d.mu.Unlock()
	if !high {
		return nil
	}
	return d.writePointsHolding()
}

// snapshot lists one number of every log whose directory exists.
func (d *Dir) snapshot(value func(*Log) (int64, bool)) []offsetEntry {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]offsetEntry, 0, len(d.logs))
	for tp, l := range d.logs {
		if v, ok := value(l); ok {
			list = append(list, offsetEntry{tp, v})
		}
	}
	return list
}

func (d *Dir) write(name string, list []offsetEntry) error {
	if err := d.Err(); err != nil {
		return storageErr(err)
	}
	if err := vfs.WriteFileAtomic(d.store.files.fs, path.Join(d.path, name), encodeOffsets(list), true); err != nil {
		err = fmt.Errorf("write %s in %s: %w", name, d.path, storageErr(err))
		d.fail(err)
		return err
	}
	return nil
}

func (d *Dir) writePointsHolding() error {
	d.mu.Lock()
	d.points = false
	d.mu.Unlock()
	list := d.snapshot(func(l *Log) (int64, bool) { return l.recoveryPoint.Load(), true })
	if err := d.write(recoveryPointName, list); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.saved)
	for _, e := range list {
		d.saved[e.tp] = e.offset
	}
	return nil
}

// writeLogStarts writes the log starts that do not follow from the names of the segments.
func (d *Dir) writeLogStarts() error {
	if d.store == nil {
		return nil
	}
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	return d.writeStartsHolding()
}

// writeLogStart writes the checkpoint with a start for one partition that its log does not have yet.
func (d *Dir) writeLogStart(tp protocol.TopicPartition, start int64) error {
	if d.store == nil {
		return nil
	}
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	list := d.snapshot(func(l *Log) (int64, bool) {
		if l.tp == tp {
			return start, true
		}
		return l.checkpointedStart()
	})
	return d.write(logStartName, list)
}

// checkpointedStart is the log start, and whether it has to be written down: one that is the base of the first segment
// follows from its name, once a power cut cannot bring those before it back.
func (l *Log) checkpointedStart() (int64, bool) {
	start := l.logStart.Load()
	return start, start > l.segments()[0].base || l.dropped.Load() != l.droppedSynced.Load()
}

func (d *Dir) writeStartsHolding() error {
	d.mu.Lock()
	d.starts = false
	d.mu.Unlock()
	return d.write(logStartName, d.snapshot((*Log).checkpointedStart))
}

func (d *Dir) writeHighWatermarksHolding() error {
	d.marks.Store(false)
	list := d.snapshot(func(l *Log) (int64, bool) { return l.highWatermark.Load(), true })
	d.mu.Lock()
	for tp, hw := range d.missing {
		list = append(list, offsetEntry{tp, hw})
	}
	d.mu.Unlock()
	return d.write(highWatermarkName, list)
}

// writeAll writes the checkpoints. Afterwards none of them names a partition that was deleted before.
func (d *Dir) writeAll() error {
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	d.mu.Lock()
	deleted := maps.Clone(d.deleted)
	d.mu.Unlock()
	for _, write := range []func() error{d.writeHighWatermarksHolding, d.writeStartsHolding, d.writeCleanedHolding, d.writePointsHolding} {
		if err := write(); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for tp := range deleted {
		delete(d.deleted, tp)
	}
	return nil
}

// writeMoved writes what has changed since the last time.
func (d *Dir) writeMoved() error {
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	d.mu.Lock()
	points, starts := d.points, d.starts
	d.mu.Unlock()
	if starts {
		if err := d.writeStartsHolding(); err != nil {
			return err
		}
	}
	if points {
		return d.writePointsHolding()
	}
	return nil
}

// checkpoint reads one of the three files; a missing one is empty, a damaged one an error.
func (d *Dir) checkpoint(name string) (map[protocol.TopicPartition]int64, error) {
	b, err := vfs.ReadFile(d.store.files.fs, path.Join(d.path, name), maxCheckpoint)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseOffsets(path.Join(d.path, name), b)
}
