package quorum

import (
	"cmp"
	"fmt"
	"slices"
)

// EpochStart says at which offset an epoch's first batch lies.
type EpochStart struct {
	Epoch int32
	Start int64
}

// Compare orders snapshots by epoch, then by end offset.
func (s SnapshotID) Compare(o SnapshotID) int {
	return cmp.Or(cmp.Compare(s.Epoch, o.Epoch), cmp.Compare(s.EndOffset, o.EndOffset))
}

// String is the name of the snapshot's file without its ending.
func (s SnapshotID) String() string { return fmt.Sprintf("%020d-%010d", s.EndOffset, s.Epoch) }

// isBootstrap is the snapshot that formatting wrote. It is loaded locally and never handed to another node (KIP-853).
func (s SnapshotID) isBootstrap() bool { return s == SnapshotID{} }

// LogView is what the Core knows of the log: no bytes, but where it starts and ends, which epochs it holds and which
// snapshots lie beside it. The Core keeps it in step with the writes it orders, so it never asks the disk.
//
// Invariant: Epochs rise in both fields; Start <= End; Snapshots are sorted, and when Start > 0 one of them ends at or
// above Start.
type LogView struct {
	Start     int64
	End       int64 // exclusive
	Epochs    []EpochStart
	Snapshots []SnapshotID
}

// lastEpoch is the epoch of the last batch; of the newest snapshot when the log is empty behind it; 0 for nothing.
func (l *LogView) lastEpoch() int32 {
	if n := len(l.Epochs); n > 0 {
		return l.Epochs[n-1].Epoch
	}
	if s, ok := l.latestSnapshot(); ok {
		return s.Epoch
	}
	return 0
}

func (l *LogView) latestSnapshot() (SnapshotID, bool) {
	if len(l.Snapshots) == 0 {
		return SnapshotID{}, false
	}
	return l.Snapshots[len(l.Snapshots)-1], true
}

func (l *LogView) hasSnapshot(id SnapshotID) bool { return slices.Contains(l.Snapshots, id) }

func (l *LogView) addSnapshot(id SnapshotID) {
	if !l.hasSnapshot(id) {
		l.Snapshots = append(l.Snapshots, id)
		slices.SortFunc(l.Snapshots, SnapshotID.Compare)
	}
}

// assign notes that epoch starts at the log end.
func (l *LogView) assign(epoch int32) {
	if n := len(l.Epochs); n == 0 || l.Epochs[n-1].Epoch < epoch {
		l.Epochs = append(l.Epochs, EpochStart{epoch, l.End})
	}
}

// endOffsetForEpoch is the largest epoch not above the given one, and where it ends; the end of the log when the
// epoch is above everything here.
func (l *LogView) endOffsetForEpoch(epoch int32) (int32, int64) {
	n := len(l.Epochs)
	if n == 0 || epoch >= l.Epochs[n-1].Epoch {
		return l.lastEpoch(), l.End
	}
	next, _ := slices.BinarySearchFunc(l.Epochs, epoch+1, func(e EpochStart, want int32) int { return cmp.Compare(e.Epoch, want) })
	if next == 0 { // below everything the log still holds
		return epoch, l.Epochs[0].Start
	}
	return l.Epochs[next-1].Epoch, l.Epochs[next].Start
}

// truncateTo cuts the log at end, which is a batch's.
func (l *LogView) truncateTo(end int64) {
	if end >= l.End {
		return
	}
	l.End = end
	for n := len(l.Epochs); n > 0 && l.Epochs[n-1].Start >= end; n-- {
		l.Epochs = l.Epochs[:n-1]
	}
}

// startAt empties the log behind a snapshot.
func (l *LogView) startAt(id SnapshotID) {
	l.Start, l.End, l.Epochs = id.EndOffset, id.EndOffset, nil
	l.Snapshots = slices.DeleteFunc(l.Snapshots, func(s SnapshotID) bool { return s.Compare(id) < 0 })
	l.addSnapshot(id)
}

// raiseStart forgets what lies below start; the epoch that reaches across it keeps its name.
func (l *LogView) raiseStart(start int64) {
	if start <= l.Start {
		return
	}
	l.Start = start
	for len(l.Epochs) > 1 && l.Epochs[1].Start <= start {
		l.Epochs = l.Epochs[1:]
	}
	if len(l.Epochs) > 0 && l.Epochs[0].Start < start {
		l.Epochs[0].Start = start
	}
}

// position is how a fetch offset relates to a log.
type position int8

const (
	positionValid     position = iota
	positionDiverging          // the follower's epoch ends elsewhere here
	positionSnapshot           // below the log start: only a snapshot helps
)

// locate says whether a follower whose log ends at offset in epoch may be served from here (rules 5 and 8).
func (l *LogView) locate(offset int64, epoch int32) (position, SnapshotID) {
	latest, ok := l.latestSnapshot()
	if offset == 0 && ok && !latest.isBootstrap() {
		return positionSnapshot, latest // cheaper than the whole log
	}
	if l.Start == 0 && offset == 0 {
		return positionValid, SnapshotID{}
	}
	if ok {
		earliest := l.Snapshots[0]
		if offset < l.Start || (offset == l.Start && epoch != earliest.Epoch) || epoch < earliest.Epoch {
			return positionSnapshot, latest
		}
	}
	e, end := l.endOffsetForEpoch(epoch)
	if e != epoch || end < offset {
		return positionDiverging, SnapshotID{EndOffset: end, Epoch: e}
	}
	return positionValid, SnapshotID{}
}

// cutFor is where a follower with this log cuts after the leader named (epoch, end) (rule 5).
func (l *LogView) cutFor(epoch int32, end int64) int64 {
	if epoch == 0 {
		return min(end, l.End)
	}
	e, own := l.endOffsetForEpoch(epoch)
	if e == epoch {
		return min(own, end)
	}
	return own
}
