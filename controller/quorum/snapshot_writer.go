package quorum

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// snapshotWriter writes one snapshot: a control batch with the header and the membership, data batches of at most
// MaxBatchBytes, a control batch with the footer. Offsets count from 0, the leader epoch is the id's. The file has its
// name only when it is whole and durable (R27).
type snapshotWriter struct {
	fs    vfs.FS
	dir   string
	id    SnapshotID
	nowMs int64

	file  vfs.File
	size  int64 // bytes written
	next  int64 // offset of the next record
	batch *record.Builder
	bytes int // of values in batch
}

// beginSnapshot makes <id>.checkpoint.part and writes the header batch. lastTimestamp is the append time of the last
// record contained, in ms.
func beginSnapshot(fsys vfs.FS, dir string, id SnapshotID, nowMs, lastTimestamp int64, m Membership) (*snapshotWriter, error) {
	w := &snapshotWriter{fs: fsys, dir: dir, id: id, nowMs: nowMs}
	var err error
	if w.file, err = fsys.OpenFile(w.partName(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644); err != nil {
		return nil, err
	}
	b := controlBatch(0, id.Epoch)
	h := record.NewSnapshotHeaderRecord()
	h.LastContainedLogTimestamp = lastTimestamp
	b.AddControl(nowMs, record.ControlSnapshotHeader, h.AppendTo(nil, 0))
	if m.HasVersion && m.KRaftVersion > 0 {
		addMembership(b, nowMs, m.KRaftVersion, m.Voters, m.HasVoters)
	}
	if err = w.put(b); err != nil {
		w.abandon()
		return nil, err
	}
	return w, nil
}

func (w *snapshotWriter) partName() string { return path.Join(w.dir, w.id.String()+partEnding) }

// recordOverhead bounds what a record costs beside its value: length, attributes, deltas, null key, no headers.
const recordOverhead = 32

// add appends one data record. The value is copied.
func (w *snapshotWriter) add(value []byte) error {
	if w.batch != nil && w.bytes+len(value)+recordOverhead > MaxBatchBytes-record.HeaderSize {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.batch == nil {
		o := record.NewOptions()
		o.BaseOffset, o.LeaderEpoch = w.next, w.id.Epoch
		w.batch = record.NewBuilder(o)
	}
	w.batch.Add(w.nowMs, nil, value)
	w.bytes += len(value) + recordOverhead
	return nil
}

func (w *snapshotWriter) flush() error {
	if w.batch == nil {
		return nil
	}
	b := w.batch
	w.batch, w.bytes = nil, 0
	return w.put(b)
}

func (w *snapshotWriter) put(b *record.Builder) error {
	batch, err := b.Build()
	if err != nil {
		return err
	}
	if _, err := w.file.WriteAt(batch, w.size); err != nil {
		return err
	}
	w.size += int64(len(batch))
	w.next = batch.NextOffset()
	return nil
}

// finish writes the footer and gives the file its name.
func (w *snapshotWriter) finish() error {
	err := w.flush()
	if err == nil {
		b := controlBatch(w.next, w.id.Epoch)
		b.AddControl(w.nowMs, record.ControlSnapshotFooter, record.NewSnapshotFooterRecord().AppendTo(nil, 0))
		err = w.put(b)
	}
	if err != nil {
		w.abandon()
		return err
	}
	return commitPart(w.fs, w.dir, w.id, w.file)
}

// abandon removes what was written.
func (w *snapshotWriter) abandon() {
	_ = w.file.Close()
	_ = w.fs.Remove(w.partName())
}

// commitPart makes a written .part file durable and renames it. It closes the file.
func commitPart(fsys vfs.FS, dir string, id SnapshotID, f vfs.File) error {
	err := f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	name := path.Join(dir, id.String())
	if err == nil {
		err = fsys.Rename(name+partEnding, name+snapshotEnding)
	}
	if err == nil {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("snapshot %s: %w", id, err)
	}
	return nil
}

// removeIfThere removes a file that may be missing.
func removeIfThere(fsys vfs.FS, name string) error {
	if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
