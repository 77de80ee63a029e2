package quorum

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// disk is the directory of the metadata log: the log itself, quorum-state and the snapshots. The loop goroutine
// writes; reads of log and snapshots come from any goroutine.
type disk struct {
	fs     vfs.FS
	dir    string // .../__cluster_metadata-0
	log    *storage.Log
	codecs *compress.Codecs
	lazy   bool // an observer's: flushed every pointEvery bytes only

	part   vfs.File // the snapshot being fetched; only the loop touches it
	partID SnapshotID

	point      int64 // what recoveryPointFile says; only the loop touches it
	sincePoint int   // bytes appended since

	mu        sync.Mutex
	snapshots []SnapshotID // sorted
}

// openDisk opens the directory, finishes what a crash interrupted, and says what it holds.
func openDisk(o *Options) (*disk, Stored, error) {
	d := &disk{fs: o.FS, dir: path.Join(o.Dir, PartitionDir()), codecs: o.Codecs, lazy: o.Observer}
	var st Stored
	if err := o.FS.MkdirAll(d.dir); err != nil {
		return nil, st, err
	}
	installing, err := d.findSnapshots()
	if err != nil {
		return nil, st, err
	}
	if len(d.snapshots) == 0 { // with one, formatting or an earlier start has made the directory's entry durable
		if err := o.FS.SyncDir(o.Dir); err != nil {
			return nil, st, err
		}
	}
	state, hasState, err := loadQuorumState(o.FS, d.dir)
	if err != nil {
		return nil, st, err
	}
	if d.point, err = d.loadRecoveryPoint(); err != nil {
		return nil, st, err
	}
	if installing != nil { // the log is about to be emptied, or was
		d.point = 0
	}
	cfg := storage.DefaultLogConfig()
	cfg.SegmentBytes, cfg.SegmentMs = o.Limits.SegmentBytes, o.Limits.SegmentAge.Milliseconds()
	cfg.MaxMessageBytes = MaxBatchBytes
	cfg.RetentionMs, cfg.RetentionBytes = -1, -1
	cfg.FileDeleteDelayMs = o.Limits.DeleteDelay.Milliseconds()
	d.log, err = storage.OpenLog(storage.LogOptions{FS: o.FS, Clocks: o.Clocks, Log: o.Log, Codecs: o.Codecs, Dir: d.dir,
		Partition: protocol.TopicPartition{Topic: TopicName, Partition: Partition}, TopicID: TopicID, Config: cfg, RecoveryPoint: d.point})
	if err != nil {
		return nil, st, fmt.Errorf("metadata log %s: %w", d.dir, err)
	}
	if err = d.check(hasState, o.Observer, installing); err == nil {
		st, err = d.stored(state)
	}
	if err != nil {
		_ = d.log.Close()
		return nil, st, err
	}
	return d, st, nil
}

// findSnapshots lists the whole snapshots and removes the rest. installing is the one whose log was not emptied yet.
func (d *disk) findSnapshots() (installing *SnapshotID, err error) {
	entries, err := d.fs.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		id, ending, ok := parseSnapshotName(e.Name())
		switch {
		case !ok:
		case ending == snapshotEnding:
			d.snapshots = append(d.snapshots, id)
		case ending == installingEnding:
			installing = &id
		default:
			if err := removeIfThere(d.fs, path.Join(d.dir, e.Name())); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(d.snapshots, SnapshotID.Compare)
	return installing, nil
}

// check refuses a directory that has lost something it once promised (R26), and finishes an interrupted install.
func (d *disk) check(hasState, observer bool, installing *SnapshotID) error {
	if installing != nil {
		if slices.Contains(d.snapshots, *installing) && installing.EndOffset > d.log.LogEndOffset() {
			if err := d.emptyBehind(*installing); err != nil {
				return err
			}
		}
		if err := d.unmark(*installing); err != nil {
			return err
		}
	}
	start, end := d.log.LogStartOffset(), d.log.LogEndOffset()
	if n := len(d.snapshots); n > 0 && d.snapshots[n-1].EndOffset > end {
		return fmt.Errorf("metadata log %s ends at offset %d, below the committed snapshot %s beside it: committed records are missing",
			d.dir, end, d.snapshots[n-1])
	} else if start > 0 && (n == 0 || d.snapshots[n-1].EndOffset < start) {
		return fmt.Errorf("metadata log %s starts at offset %d and no snapshot covers what lies below", d.dir, start)
	}
	if !hasState && !observer && end > 0 {
		return fmt.Errorf("%s is missing beside a metadata log of %d records: this node may have voted",
			path.Join(d.dir, quorumStateFile), end-start)
	}
	// Snapshots below the log start are what a crash left of a clean-up.
	for len(d.snapshots) > 0 && d.snapshots[0].EndOffset < start {
		if err := removeIfThere(d.fs, d.snapshotName(d.snapshots[0], snapshotEnding)); err != nil {
			return err
		}
		d.snapshots = d.snapshots[1:]
	}
	return nil
}

// stored reads what the Core needs: the epochs of the log, and the membership in the newest snapshot and the log.
func (d *disk) stored(state ElectionState) (Stored, error) {
	st := Stored{State: state}
	st.Log = LogView{Start: d.log.LogStartOffset(), End: d.log.LogEndOffset(), Snapshots: slices.Clone(d.snapshots)}
	st.Log.Epochs = d.epochs()
	from := st.Log.Start
	if id, ok := st.Log.latestSnapshot(); ok {
		m, err := d.membershipOf(id)
		if err != nil {
			return st, err
		}
		st.Membership = append(st.Membership, m)
		from = id.EndOffset
	}
	for from < st.Log.End {
		b, err := d.log.ReadBytes(from, 1<<20, st.Log.End)
		if err != nil {
			return st, fmt.Errorf("metadata log %s at offset %d: %w", d.dir, from, err)
		}
		next := from
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			if err != nil {
				return st, fmt.Errorf("metadata log %s at offset %d: %w", d.dir, next, err)
			}
			if !batch.VerifyCRC() {
				return st, fmt.Errorf("metadata log %s: the batch at offset %d fails its checksum", d.dir, next)
			}
			if batch.IsControl() {
				ms, err := membershipIn(batch)
				if err != nil {
					return st, fmt.Errorf("metadata log %s: %w", d.dir, err)
				}
				st.Membership = append(st.Membership, ms...)
			}
			next, b = batch.NextOffset(), rest
		}
		if next <= from {
			return st, fmt.Errorf("metadata log %s has nothing at offset %d below its end %d", d.dir, from, st.Log.End)
		}
		from = next
	}
	return st, nil
}

// epochs walks the leader epochs down from the newest.
func (d *disk) epochs() []EpochStart {
	var all []EpochStart
	e, ok := d.log.LatestEpoch()
	for ok {
		_, start := d.log.EndOffsetForEpoch(e - 1)
		start = max(start, d.log.LogStartOffset())
		all = append(all, EpochStart{e, start})
		if start <= d.log.LogStartOffset() {
			break
		}
		below, found := d.log.EpochForOffset(start - 1)
		if ok = found && below < e; ok {
			e = below
		}
	}
	slices.Reverse(all)
	return all
}

func (d *disk) membershipOf(id SnapshotID) (Membership, error) {
	s, err := openSnapshot(d.fs, d.dir, id, d.codecs)
	if err != nil {
		return Membership{}, err
	}
	defer s.close()
	_, m, err := s.head(id)
	return m, err
}

func (d *disk) snapshotName(id SnapshotID, ending string) string {
	return path.Join(d.dir, id.String()+ending)
}

func (d *disk) latestSnapshot() (SnapshotID, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.snapshots); n > 0 {
		return d.snapshots[n-1], true
	}
	return SnapshotID{}, false
}

func (d *disk) listSnapshots() []SnapshotID {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.snapshots)
}

func (d *disk) setSnapshots(ids []SnapshotID) {
	slices.SortFunc(ids, SnapshotID.Compare)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.snapshots = slices.Compact(ids)
}

// apply carries out one write of the Core. It is durable on return, except AppendBatches, which SyncLog follows.
func (d *disk) apply(w Write) error {
	switch w.Kind {
	case SaveState:
		return saveQuorumState(d.fs, d.dir, w.State, w.KRaftVersion)
	case AppendBatches:
		d.sincePoint += len(w.Bytes)
		if _, err := d.log.AppendAsFollower(w.Bytes); err != nil || !d.lazy || d.sincePoint < pointEvery {
			return err
		}
		return d.syncTo(d.log.LogEndOffset())
	case SyncLog:
		return d.syncTo(d.log.LogEndOffset())
	case TruncateLog:
		if err := d.lowerPoint(w.Offset); err != nil {
			return err
		}
		if err := d.log.TruncateTo(w.Offset); err != nil {
			return err
		}
		if end := d.log.LogEndOffset(); end != w.Offset {
			return fmt.Errorf("metadata log %s ends at %d after a cut at %d, which is no batch's end", d.dir, end, w.Offset)
		}
		return d.log.Flush(w.Offset)
	case SnapshotChunk:
		return d.writeChunk(w)
	case InstallSnapshot:
		return d.install(w.Snapshot)
	case DropSnapshot:
		return d.dropPart()
	}
	panic(fmt.Sprintf("quorum: write of kind %d", w.Kind))
}

// syncTo makes everything below end durable, and moves the recovery point now and then.
func (d *disk) syncTo(end int64) error {
	if err := d.log.Flush(end); err != nil || d.sincePoint < pointEvery {
		return err
	}
	return d.raisePoint(end)
}

func (d *disk) writeChunk(w Write) error {
	if d.part != nil && d.partID != w.Snapshot {
		if err := d.dropPart(); err != nil {
			return err
		}
	}
	if d.part == nil {
		f, err := d.fs.OpenFile(d.snapshotName(w.Snapshot, partEnding), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		d.part, d.partID = f, w.Snapshot
	}
	_, err := d.part.WriteAt(w.Bytes, w.Offset)
	return err
}

// install gives a fetched snapshot its name and empties the log behind it. The mark tells the next open that a log
// which ends below the snapshot is the middle of this and no loss.
func (d *disk) install(id SnapshotID) error {
	mark := d.snapshotName(id, installingEnding)
	if err := vfs.WriteFileAtomic(d.fs, mark, nil, true); err != nil {
		return err
	}
	if d.part != nil {
		f := d.part
		d.part = nil
		if err := commitPart(d.fs, d.dir, id, f); err != nil {
			return err
		}
	}
	d.setSnapshots(append(d.listSnapshots(), id))
	if err := d.emptyBehind(id); err != nil {
		return err
	}
	return d.unmark(id)
}

// emptyBehind starts the log at the snapshot's end and forgets older snapshots.
func (d *disk) emptyBehind(id SnapshotID) error {
	if err := d.lowerPoint(0); err != nil {
		return err
	}
	if err := d.log.TruncateFullyAndStartAt(id.EndOffset); err != nil {
		return err
	}
	if err := d.log.Flush(id.EndOffset); err != nil {
		return err
	}
	var kept []SnapshotID
	for _, s := range d.listSnapshots() {
		if s.Compare(id) >= 0 {
			kept = append(kept, s)
		} else if err := removeIfThere(d.fs, d.snapshotName(s, snapshotEnding)); err != nil {
			return err
		}
	}
	d.setSnapshots(kept)
	return nil
}

func (d *disk) unmark(id SnapshotID) error {
	return removeIfThere(d.fs, d.snapshotName(id, installingEnding))
}

func (d *disk) dropPart() error {
	if d.part == nil {
		return nil
	}
	_ = d.part.Close()
	d.part = nil
	return removeIfThere(d.fs, d.snapshotName(d.partID, partEnding))
}

func (d *disk) close() error {
	_ = d.dropPart()
	end := d.log.LogEndOffset()
	if err := d.log.Flush(end); err != nil {
		return errors.Join(err, d.log.Close())
	}
	return errors.Join(d.log.Close(), d.raisePoint(end))
}
