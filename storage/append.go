package storage

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/record"
)

// AppendOptions of AppendAsLeader.
type AppendOptions struct {
	Origin             record.Origin
	ProduceVersion     int16 // of the request; 0: not asked
	EpochBump          bool  // the client speaks transactions v2 (KIP-890): an unknown producer must start at sequence 0
	TransactionVersion int16 // of a marker's WriteTxnMarkers request; 0 or 2
}

// AppendInfo says what an append did. Offsets named Last are inclusive.
type AppendInfo struct {
	FirstOffset, LastOffset int64
	MaxTimestamp            int64 // -1 none
	LogAppendTime           int64 // -1 with CreateTime
	LogStartOffset          int64
	LastLeaderEpoch         int32
	Bytes                   int  // written, 0 for a duplicate
	Duplicate               bool // one of the last five batches of its producer came again; the offsets are the old ones

	// RecordErrors name the bad records when the error says that the batch was refused for its records (KIP-467).
	RecordErrors []record.RecordError
}

// AppendAsLeader validates records, gives them the next offsets and appends them. The slice holds one or more whole
// batches; base offset, leader epoch and, for LogAppendTime, timestamp and CRC are patched in it, and nothing of it
// is kept. On an error nothing was appended and nothing is remembered.
//
// Errors: CORRUPT_MESSAGE, MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, INVALID_RECORD, INVALID_TIMESTAMP,
// UNSUPPORTED_COMPRESSION_TYPE, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE,
// TRANSACTION_COORDINATOR_FENCED, KAFKA_STORAGE_ERROR.
func (l *Log) AppendAsLeader(records []byte, leaderEpoch int32, a AppendOptions) (AppendInfo, error) {
	info, flushTo, err := l.AppendUnflushed(records, leaderEpoch, a)
	if err != nil || flushTo == 0 {
		return info, err
	}
	return info, l.Flush(flushTo)
}

// AppendUnflushed is AppendAsLeader for a caller that holds a lock: where flush.messages asks for an fsync, flushTo
// tells what to Flush after the lock is released and before anyone hears that the append was done. 0: nothing.
func (l *Log) AppendUnflushed(records []byte, leaderEpoch int32, a AppendOptions) (info AppendInfo, flushTo int64, err error) {
	info = AppendInfo{FirstOffset: -1, LastOffset: -1, MaxTimestamp: -1, LogAppendTime: -1,
		LogStartOffset: l.logStart.Load(), LastLeaderEpoch: leaderEpoch}
	if err := l.Err(); err != nil {
		return info, 0, err
	}
	cfg := l.cfg.Load()
	records, err = l.validate(records, cfg, a, &info)
	if err != nil {
		return info, 0, err
	}
	flushTo, err = l.appendLocked(records, leaderEpoch, a, cfg, &info)
	return info, flushTo, err
}

// validate does what needs no lock: shape, size, CRC, records. It returns the records, written anew if they had to be.
func (l *Log) validate(records []byte, cfg *LogConfig, a AppendOptions, info *AppendInfo) ([]byte, error) {
	rules := record.Rules{
		Origin: a.Origin, Compacted: cfg.Compact, TimestampType: cfg.TimestampType,
		BeforeMaxMs: cfg.TimestampBefore, AfterMaxMs: cfg.TimestampAfter, NowMs: l.nowMs(), ProduceVersion: a.ProduceVersion,
		Target: cfg.Compression, MaxDecompressed: cfg.MaxDecompressed, Partition: l.name,
	}
	var fresh []byte // once one batch had to be written anew, the whole append is
	for rest := records; len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return nil, fmt.Errorf("append to %s: %w", l.tp, shortIsCorrupt(err))
		}
		done := len(records) - len(rest)
		rest = more
		if a.Origin == record.Raft { // the quorum's own batches: it has made them, and its followers compare them
			if !b.VerifyCRC() {
				return nil, fmt.Errorf("append to %s: the checksum of the batch does not fit: %w", l.tp, kerr.CorruptMessage)
			}
			info.MaxTimestamp = max(info.MaxTimestamp, b.MaxTimestamp())
			continue
		}
		if err := l.checkSize(b, cfg); err != nil {
			return nil, err
		}
		v, err := record.Validate(b, rules, l.codecs)
		if err != nil {
			if re, ok := asRecordErrors(err); ok {
				info.RecordErrors = re.Records
			}
			return nil, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		info.MaxTimestamp = max(info.MaxTimestamp, v.MaxTimestamp)
		if cfg.TimestampType == record.LogAppendTime {
			info.LogAppendTime = rules.NowMs
		}
		stored, err := v.Finish(b, rules, l.codecs)
		if err != nil {
			return nil, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		if v.ReEncode {
			if err := l.checkSize(stored, cfg); err != nil {
				return nil, err
			}
			if fresh == nil {
				fresh = append(make([]byte, 0, len(records)), records[:done]...)
			}
		}
		if fresh != nil {
			fresh = append(fresh, stored...)
		}
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("append of nothing to %s: %w", l.tp, kerr.InvalidRecord)
	}
	if fresh != nil {
		records = fresh
	}
	if len(records) > int(cfg.SegmentBytes) {
		return nil, fmt.Errorf("append to %s: %d bytes are more than segment.bytes %d: %w", l.tp, len(records), cfg.SegmentBytes, kerr.RecordListTooLarge)
	}
	return records, nil
}

func (l *Log) checkSize(b record.Batch, cfg *LogConfig) error {
	if len(b) > int(cfg.MaxMessageBytes) {
		return fmt.Errorf("a batch of %d bytes for %s is more than max.message.bytes %d: %w", len(b), l.tp, cfg.MaxMessageBytes, kerr.MessageTooLarge)
	}
	return nil
}

// appendLocked is the part under the lock: offsets, sequences, roll, one write, memory. flushTo is 0 unless the topic
// asks for an fsync before the answer.
func (l *Log) appendLocked(records []byte, leaderEpoch int32, a AppendOptions, cfg *LogConfig, info *AppendInfo) (flushTo int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return 0, err
	}
	if err := l.warmLocked(); err != nil {
		return 0, err
	}
	next := l.logEnd.Load()
	first := next
	l.producers.updates = l.producers.updates[:0]
	for rest := records; len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return 0, err // seen before, by validate
		}
		rest = more
		if next > math.MaxInt64-int64(b.LastOffsetDelta())-1 {
			return 0, fmt.Errorf("%s has no offsets left: %w", l.tp, kerr.InvalidRecord)
		}
		b.SetBaseOffset(next)
		b.SetPartitionLeaderEpoch(leaderEpoch)
		next = b.NextOffset()
		if !b.HasProducerID() {
			continue
		}
		dup, err := l.checkProducerLocked(b, a)
		if err != nil {
			return 0, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		if dup != nil {
			info.Duplicate, info.FirstOffset, info.LastOffset = true, dup.firstOffset(), dup.lastOffset
			info.LogAppendTime, info.MaxTimestamp = dup.timestamp, dup.timestamp
			info.LogStartOffset = l.logStart.Load()
			return l.flushDue(l.logEnd.Load(), cfg), nil // the first one's fsync may still be on its way
		}
	}
	if err := l.writeLocked(records, first, next, info.MaxTimestamp, cfg); err != nil {
		return 0, err
	}
	for i := range l.producers.updates {
		l.applyUpdateLocked(&l.producers.updates[i])
	}
	l.finishLocked(next)
	info.FirstOffset, info.LastOffset, info.LogStartOffset, info.Bytes = first, next-1, l.logStart.Load(), len(records)
	return l.flushDue(next, cfg), nil
}

// flushDue is next when flush.messages asks for an fsync up to there, else 0.
func (l *Log) flushDue(next int64, cfg *LogConfig) int64 {
	if next-l.recoveryPoint.Load() >= cfg.FlushMessages {
		return next
	}
	return 0
}

// AppendAsFollower appends what a leader stored: whole batches with their offsets and epochs, as they are, whatever
// this replica's own size limit (R24). It checks lengths, CRCs, and that offsets and epochs do not go back.
// Offsets may skip, where the leader's log was compacted.
func (l *Log) AppendAsFollower(records []byte) (AppendInfo, error) {
	info := AppendInfo{FirstOffset: -1, LastOffset: -1, MaxTimestamp: -1, LogAppendTime: -1,
		LogStartOffset: l.logStart.Load(), LastLeaderEpoch: -1}
	next := int64(-1)
	for rest := records; len(rest) > 0; {
		b, more, err := record.Next(rest)
		if err != nil {
			return info, fmt.Errorf("append to follower %s: %w", l.tp, shortIsCorrupt(err))
		}
		rest = more
		switch {
		case !b.VerifyCRC():
			err = fmt.Errorf("the checksum of the batch at offset %d does not fit: %w", b.BaseOffset(), kerr.CorruptMessage)
		case b.BaseOffset() < 0 || b.LastOffsetDelta() < 0 || b.LastOffset() == math.MaxInt64 || b.LastOffset() < b.BaseOffset():
			err = fmt.Errorf("batch at offset %d with last offset delta %d: %w", b.BaseOffset(), b.LastOffsetDelta(), kerr.CorruptMessage)
		case b.BaseOffset() < next:
			err = fmt.Errorf("offset %d comes after %d: %w", b.BaseOffset(), next-1, kerr.CorruptMessage)
		case b.PartitionLeaderEpoch() < info.LastLeaderEpoch:
			err = fmt.Errorf("leader epoch %d at offset %d comes after %d: %w", b.PartitionLeaderEpoch(), b.BaseOffset(), info.LastLeaderEpoch, kerr.CorruptMessage)
		}
		if err == nil && b.IsControl() && b.HasProducerID() {
			if _, _, e := readMarker(b, l.codecs); e != nil {
				err = fmt.Errorf("the control record at offset %d: %w: %w", b.BaseOffset(), e, kerr.CorruptMessage)
			}
		}
		if err != nil {
			return info, fmt.Errorf("append to follower %s: %w", l.tp, err)
		}
		if next < 0 {
			info.FirstOffset = b.BaseOffset()
		}
		next = b.NextOffset()
		info.LastOffset, info.LastLeaderEpoch = b.LastOffset(), b.PartitionLeaderEpoch()
		info.MaxTimestamp = max(info.MaxTimestamp, b.MaxTimestamp())
	}
	if next < 0 {
		return info, nil
	}
	info.Bytes = len(records)

	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return info, err
	}
	if err := l.warmLocked(); err != nil {
		return info, err
	}
	if end := l.logEnd.Load(); info.FirstOffset < end {
		return info, fmt.Errorf("append to follower %s: offset %d is below the log end %d: %w", l.tp, info.FirstOffset, end, ErrUnexpectedOffset)
	}
	first, _, _ := record.Next(records)
	if latest, ok := l.epochs.latest(); ok && first.PartitionLeaderEpoch() < latest {
		return info, fmt.Errorf("append to follower %s: leader epoch %d comes after %d: %w", l.tp, first.PartitionLeaderEpoch(), latest, kerr.CorruptMessage)
	}
	if err := l.writeLocked(records, info.FirstOffset, next, info.MaxTimestamp, l.cfg.Load()); err != nil {
		return info, err
	}
	for rest := records; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		if err := l.replayLocked(b, l.active()); err != nil {
			return info, l.fail("replay producers of", err)
		}
	}
	l.finishLocked(next)
	return info, nil
}

// writeLocked puts batches [first, next) behind the log: rolls if it must, writes once, indexes, and publishes.
func (l *Log) writeLocked(records []byte, first, next, maxTimestamp int64, cfg *LogConfig) error {
	if err := l.ensureDirLocked(); err != nil {
		return err
	}
	seg := l.active()
	if l.mustRollLocked(seg, int64(len(records)), next-1, maxTimestamp, cfg) {
		base := l.logEnd.Load() // not first, as Kafka: see recover, which takes a hole between segments for lost bytes
		if next-1-base > math.MaxInt32 {
			base = first
		}
		var err error
		if seg, err = l.rollLocked(base); err != nil {
			return err
		}
	}
	f, err := l.files.acquire(&seg.file, seg.logName, true)
	if err != nil {
		return l.fail("open segment of", err)
	}
	defer seg.release()
	if seg.size == 0 { // nobody else writes it, so no lock
		seg.isNew, l.dirDirty = true, true
		seg.created = l.nowMs()
	}
	pos := seg.size
	if _, err := f.WriteAt(records, pos); err != nil {
		return l.fail("append to", err)
	}
	l.adviseLocked(seg, f, pos, pos+int64(len(records)))
	seg.dirty = true
	interval := int(cfg.IndexIntervalBytes)
	seg.mu.Lock()
	for rest := records; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		if pos == 0 {
			seg.rollBase = b.MaxTimestamp()
		}
		seg.note(b, pos, interval)
		pos += int64(len(b))
	}
	seg.size, seg.end = pos, next
	seg.mu.Unlock()
	l.logEnd.Store(next)
	l.queueLocked(len(records))

	// Epochs after the write: a refused or failed append leaves the cache alone.
	newEpoch := false
	for rest := records; len(rest) > 0; {
		var b record.Batch
		b, rest, _ = record.Next(rest)
		if e := b.PartitionLeaderEpoch(); e >= 0 {
			if latest, ok := l.epochs.latest(); !ok || e != latest {
				newEpoch = l.epochs.assign(e, b.BaseOffset()) || newEpoch
			}
		}
	}
	if newEpoch {
		return l.writeEpochsLocked()
	}
	return nil
}

// finishLocked moves what follows the data: the end of the producer state.
func (l *Log) finishLocked(next int64) { l.producers.end = next }

// mustRollLocked is Kafka's rule. The time of a segment runs from its first batch's timestamp to the largest of the
// append, so a log of old records rolls by their time, not by ours; without timestamps by the broker's clock.
func (l *Log) mustRollLocked(seg *segment, bytes, lastOffset, maxTimestamp int64, cfg *LogConfig) bool {
	if seg.size > int64(cfg.SegmentBytes)-bytes {
		return true
	}
	if seg.size > 0 {
		waited := l.nowMs() - seg.created
		if seg.rollBase >= 0 {
			waited = maxTimestamp - seg.rollBase
		}
		if waited > cfg.maxSegmentMs()-seg.jitter {
			return true
		}
	}
	return seg.idx.full(cfg.SegmentIndexBytes) || lastOffset-seg.base > math.MaxInt32 // L7
}

// rollLocked seals the active segment and starts one at base. The sealed one's indexes, and a snapshot of the
// producers, are written by the next flush; until then they are in memory, and recovery knows how to make them.
func (l *Log) rollLocked(base int64) (*segment, error) {
	list := l.segments()
	old := list[len(list)-1]
	if old.size == 0 && old.base == base {
		return old, nil
	}
	seg := newSegment(l, base)
	seg.idx = newIndex(base)
	old.mu.Lock()
	old.idx.addTime(old.base, old.maxTimestamp, old.maxOffset)
	old.recent = nil
	empty := old.size == 0
	old.mu.Unlock()
	old.dirty = true
	if f, err := l.files.acquire(&seg.file, seg.logName, true); err != nil {
		return nil, l.fail("create segment of", err)
	} else {
		err := f.Truncate(0) // a file of that name would be left over from something that recovery gave up
		seg.release()
		if err != nil {
			return nil, l.fail("create segment of", err)
		}
	}
	seg.isNew, seg.dirty, l.dirDirty = true, true, true
	l.producers.end = base
	l.snapshotLocked()
	next := append(make([]*segment, 0, len(list)+1), list...)
	if empty {
		next = next[:len(next)-1] // an empty segment below another would serve nothing
		defer l.retire([]*segment{old})
	}
	l.setSegments(append(next, seg))
	l.queueLocked(0)
	if l.store != nil {
		l.store.kickFlush()
	}
	return seg, nil
}

// Roll starts a new segment at the log end, unless the active one is empty.
func (l *Log) Roll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usableLocked(); err != nil {
		return err
	}
	if err := l.warmLocked(); err != nil {
		return err
	}
	if !l.made {
		return nil
	}
	_, err := l.rollLocked(l.logEnd.Load())
	return err
}

// snapshotLocked keeps a picture of the producers at producers.end, to be written by the next flush.
func (l *Log) snapshotLocked() {
	at, last := l.producers.end, l.logStart.Load()
	if n := len(l.snapshots); n > 0 {
		last = l.snapshots[n-1]
	}
	if at <= last {
		return
	}
	l.pending = append(l.pending, pendingSnapshot{at, encodeSnapshot(l.producers.list())})
	l.snapshots = append(l.snapshots, at)
}
