package storage

import (
	"math"
	"os"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// finishSwaps removes what was renamed for deletion and what a compaction had not finished, and finishes the renames
// of one that had (L4). Files named .cleaned mean that the compaction of their segment never got to its renames; the
// .swap files at or above them belong to the same unfinished work.
func (l *Log) finishSwaps(files map[string]int64) error {
	fsys := l.files.fs
	remove := func(name string) error {
		delete(files, name)
		return fsys.Remove(l.file(name))
	}
	lowestCleaned := int64(math.MaxInt64)
	for name := range files {
		if base, suffix, ok := parseOffsetName(name); ok && strings.HasSuffix(suffix, cleanedSuffix) {
			lowestCleaned = min(lowestCleaned, base)
		}
	}
	lowest, highest := int64(math.MaxInt64), int64(math.MinInt64)
	swaps := false
	for _, name := range sortedNames(files) {
		base, suffix, ok := parseOffsetName(name)
		stale := strings.HasSuffix(name, deletedSuffix) && !strings.HasSuffix(name, ".checkpoint"+deletedSuffix) ||
			strings.HasSuffix(name, tempSuffix) ||
			ok && strings.HasSuffix(suffix, cleanedSuffix) ||
			ok && strings.HasSuffix(suffix, swapSuffix) && base >= lowestCleaned
		if stale {
			if err := remove(name); err != nil {
				return err
			}
			continue
		}
		swaps = swaps || strings.HasSuffix(name, swapSuffix)
		if ok && suffix == logSuffix+swapSuffix {
			f, err := fsys.OpenFile(l.file(name), os.O_RDONLY, 0)
			if err != nil {
				return err
			}
			next := base
			_, err = headers(name, f, 0, files[name], func(h record.Batch, _ int64) bool {
				next = h.NextOffset()
				return true
			})
			f.Close()
			if err != nil {
				return err
			}
			lowest, highest = min(lowest, base), max(highest, next, base+1) // at least the files of its own base
		}
	}
	if !swaps {
		return nil
	}
	// Without the log's .swap that has its name already, and only indexes are behind.
	for _, name := range sortedNames(files) {
		base, suffix, ok := parseOffsetName(name)
		if ok && slices.Contains(segmentSuffixes[:], suffix) && base >= lowest && base < highest {
			if err := remove(name); err != nil {
				return err
			}
		}
	}
	for _, name := range sortedNames(files) {
		if plain, ok := strings.CutSuffix(name, swapSuffix); ok {
			if err := fsys.Rename(l.file(name), l.file(plain)); err != nil {
				return err
			}
			files[plain] = files[name]
			delete(files, name)
		}
	}
	return fsys.SyncDir(l.dirPath())
}

func sortedNames(files map[string]int64) []string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// loadSmallFiles reads partition.metadata and the epoch checkpoint. A torn one is dropped: the image knows the topic
// id, and batches know their epochs.
func (l *Log) loadSmallFiles(files map[string]int64) error {
	if size, ok := files[partitionMetaName]; ok && size > 0 {
		b, err := vfs.ReadFile(l.files.fs, l.file(partitionMetaName), maxMetaFile)
		if err != nil {
			return err
		}
		if id, err := parsePartitionMeta(l.file(partitionMetaName), b); err == nil {
			l.topicID.Store(&id)
		} else {
			l.logger.Warn().Err(err).Str("partition", l.name).Msg("partition.metadata is dropped")
		}
	}
	if files[epochCheckpointName] > 0 {
		b, err := vfs.ReadFile(l.files.fs, l.file(epochCheckpointName), maxCheckpoint)
		if err != nil {
			return err
		}
		if l.epochs.list, err = parseEpochs(l.file(epochCheckpointName), b); err == nil {
			return nil
		}
		l.logger.Warn().Err(err).Str("partition", l.name).Msg("leader-epoch-checkpoint is dropped and rebuilt from the batches")
	}
	return l.epochsFromBatches(files)
}

// epochsFromBatches reads the epoch of every batch of the log, which is slow and only done when the checkpoint is
// torn, empty or missing: a rename that was not flushed can leave any of these.
func (l *Log) epochsFromBatches(files map[string]int64) error {
	for _, name := range sortedNames(files) {
		if _, suffix, ok := parseOffsetName(name); !ok || suffix != logSuffix {
			continue
		}
		f, err := l.files.fs.OpenFile(l.file(name), os.O_RDONLY, 0)
		if err != nil {
			return err
		}
		last := int32(-1)
		_, _ = headers(name, f, 0, files[name], func(h record.Batch, _ int64) bool { // damage is found, and judged, later
			if e := h.PartitionLeaderEpoch(); e > last {
				last = e
				l.epochs.assign(e, h.BaseOffset())
			}
			return true
		})
		f.Close()
	}
	return nil
}

// listSegments makes the segments from their file names, lowest first, and removes indexes that lost their log.
func (l *Log) listSegments(files map[string]int64) (list []*segment, err error) {
	l.noAborts.Store(true)
	for _, name := range sortedNames(files) {
		base, suffix, ok := parseOffsetName(name)
		if !ok {
			continue
		}
		switch suffix {
		case logSuffix:
			seg := newSegment(l, base)
			seg.size, seg.maxTimestamp, seg.rollBase = files[name], unknownTimestamp, unknownTimestamp
			if seg.size > math.MaxInt32 {
				return nil, &CorruptError{l.file(name), -1, "larger than a segment can be"}
			}
			if files[offsetName(base, txnIndexSuffix)] > 0 {
				seg.txnOnDisk = true
				l.noAborts.Store(false)
			}
			if n := len(list); n > 0 {
				list[n-1].end = base
			}
			list = append(list, seg)
		case snapshotSuffix:
			l.snapshots = append(l.snapshots, base)
		case indexSuffix, timeIndexSuffix, txnIndexSuffix:
			if _, ok := files[offsetName(base, logSuffix)]; !ok {
				l.logger.Warn().Str("partition", l.name).Str("file", name).Msg("an index without its log is removed")
				if err := l.files.fs.Remove(l.file(name)); err != nil {
					return nil, err
				}
				delete(files, name)
			}
		}
	}
	return list, nil
}

// cleanSnapshotLocked finds the producer state of a cleanly stopped log. No snapshot at all means no producers, as in
// Kafka; a snapshot of 10 bytes holds none and is not read.
func (l *Log) cleanSnapshotLocked(end int64, files map[string]int64) ([]*producerEntry, int64, error) {
	n := len(l.snapshots)
	if n == 0 || l.snapshots[n-1] == end && files[offsetName(end, snapshotSuffix)] == snapshotHead {
		return nil, end, nil
	}
	return l.loadSnapshotLocked(end)
}

// dropStraySnapshots keeps the snapshots that start a segment, and the newest.
func (l *Log) dropStraySnapshots(end int64) {
	list := l.segments()
	keep := l.snapshots[:0]
	for i, at := range l.snapshots {
		j := floorSegment(list, at)
		if at > end || (j < 0 || list[j].base != at) && i < len(l.snapshots)-1 {
			_ = l.files.fs.Remove(l.file(offsetName(at, snapshotSuffix))) // one that stays does no harm
			continue
		}
		keep = append(keep, at)
	}
	l.snapshots = keep
}
