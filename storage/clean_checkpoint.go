package storage

import (
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// cleanedTo is the offset below which a partition is clean; false when it has never been cleaned. It stands in the file
// cleaner-offset-checkpoint of the directory.
func (d *Dir) cleanedTo(tp protocol.TopicPartition) (int64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end, ok := d.cleaned[tp]
	return end, ok
}

func (d *Dir) setCleaned(tp protocol.TopicPartition, end int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cleaned == nil {
		d.cleaned = map[protocol.TopicPartition]int64{}
	}
	d.cleaned[tp], d.cleanedMoved = end, true
}

// lowerCleaned brings the checkpoint down to offset, on the disk, before a truncation: records that come there later
// have not been cleaned.
func (d *Dir) lowerCleaned(tp protocol.TopicPartition, offset int64) error {
	if end, ok := d.cleanedTo(tp); !ok || end <= offset || d.store == nil {
		return nil
	}
	d.setCleaned(tp, offset)
	return d.writeCleaned()
}

func (d *Dir) writeCleaned() error {
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	return d.writeCleanedHolding()
}

// writeCleanedHolding writes the checkpoint if it has moved.
func (d *Dir) writeCleanedHolding() error {
	d.mu.Lock()
	moved := d.cleanedMoved
	d.cleanedMoved = false
	list := make([]offsetEntry, 0, len(d.cleaned))
	for tp, end := range d.cleaned {
		list = append(list, offsetEntry{tp, end})
	}
	d.mu.Unlock()
	if !moved {
		return nil
	}
	return d.write(cleanerName, list)
}

// loadCleaned reads the checkpoint. A damaged one is dropped: everything is cleaned once more (C6).
func (d *Dir) loadCleaned() error {
	name := path.Join(d.path, cleanerName)
	b, err := vfs.ReadFile(d.store.files.fs, name, maxCheckpoint)
	if isNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.cleaned, err = parseOffsets(name, b); err != nil {
		d.store.logger.Warn().Err(err).Msg("the cleaner's checkpoint is dropped: compacted logs are cleaned from their start")
		d.cleaned, d.cleanedMoved = nil, true
	}
	return nil
}

// raiseRecoveryPoint makes sure that the checkpoint on the disk says at least offset, as the log itself does.
func (d *Dir) raiseRecoveryPoint(tp protocol.TopicPartition, offset int64) error {
	d.writeMu.Lock()
	defer d.writeMu.Unlock()
	d.mu.Lock()
	low := d.saved[tp] < offset
	d.mu.Unlock()
	if !low {
		return nil
	}
	return d.writePointsHolding()
}
