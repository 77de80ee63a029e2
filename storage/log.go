package storage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
)

// LogOptions of OpenLog.
type LogOptions struct {
	FS           vfs.FS
	Clocks       clock.Clocks
	Log          zerolog.Logger
	Codecs       *compress.Codecs
	Rand         *rand.Rand // segment.jitter.ms; nil: a fixed seed
	Dir          string     // the partition's own directory
	Partition    protocol.TopicPartition
	TopicID      protocol.UUID // zero: no partition.metadata
	Config       LogConfig
	MaxOpenFiles int // default 64

	// RecoveryPoint: everything below is known to be on the disk, so damage there is an error and not a torn tail.
	RecoveryPoint int64
	LogStart      int64 // the log start offset known to the caller, or 0
	Clean         bool  // the last stop flushed everything, and RecoveryPoint is where the log ended
}

// Log is one partition's bytes. Safe for concurrent use; see the package comment for who may wait for whom.
type Log struct {
	*env
	tp      protocol.TopicPartition
	name    string // "topic-3", for messages
	dir     *Dir
	path    atomic.Pointer[string] // changes when the directory is renamed for deletion
	topicID atomic.Pointer[protocol.UUID]
	cfg     atomic.Pointer[LogConfig]

	// Invariant: logStart ≤ highWatermark ≤ logEnd, and recoveryPoint ≤ logEnd.
	logStart      atomic.Int64
	logEnd        atomic.Int64
	highWatermark atomic.Int64
	recoveryPoint atomic.Int64
	lastFlushMs   atomic.Int64 // broker time
	list          atomic.Pointer[[]*segment]
	failed        atomic.Pointer[error] // why nothing is served: damaged, closed
	configured    atomic.Bool           // cfg is the topic's own: until then nothing is deleted or cleaned by it
	shape         atomic.Int64          // rises when segments are cut or dropped: what a cleaning has read may be gone
	noAborts      atomic.Bool           // no segment has an aborted transaction
	dropped       atomic.Int64          // how often segments left the list at its beginning
	droppedSynced atomic.Int64          // the count whose names have gone from the disk for good

	epochs epochCache
	txns   openTxns

	// flushMu is held through a flush, before mu. Truncation takes it too, so that nothing is flushed that goes away.
	flushMu sync.Mutex

	mu        sync.Mutex
	producers producerStates
	snapshots []int64           // offsets of the snapshot files, rising
	pending   []pendingSnapshot // taken at a roll, not written yet
	made      bool              // the directory exists
	metaDirty bool              // partition.metadata is not durable
	dirDirty  bool              // an entry of the directory is not durable
	newDir    bool              // the directory itself is not durable
	recovered bool              // nobody knows which names the process before made durable
	warm      bool              // the active segment's index is in memory and its end was checked
	queued    bool              // in the store's list of logs to flush
}

// env is what the logs of one store share.
type env struct {
	files        *fileCache
	clocks       clock.Clocks
	logger       zerolog.Logger
	codecs       *compress.Codecs
	store        *Store // nil for a log on its own
	expirationMs int64  // of producers; 0: none expire while loading

	randMu sync.Mutex
	rand   *rand.Rand
}

type pendingSnapshot struct {
	offset int64
	bytes  []byte
}

func (e *env) nowMs() int64 { return clock.Millis(e.clocks.Broker.Now()) }

func (l *Log) jitter() int64 {
	c := l.cfg.Load()
	most := min(c.SegmentJitterMs, c.SegmentMs)
	if most <= 0 {
		return 0
	}
	l.randMu.Lock()
	defer l.randMu.Unlock()
	return l.rand.Int64N(most)
}

func (l *Log) dirPath() string { return *l.path.Load() }

func (l *Log) file(name string) string { return l.dirPath() + "/" + name }

// segments is the list as of now, never empty once the log is open. It is not changed afterwards.
func (l *Log) segments() []*segment { return *l.list.Load() }

func (l *Log) setSegments(list []*segment) { l.list.Store(&list) }

func (l *Log) active() *segment {
	list := l.segments()
	return list[len(list)-1]
}

// usableLocked is the error that every use of the log meets, if there is one.
func (l *Log) usableLocked() error { return l.Err() }

// Err says why the log serves nothing: it is damaged or closed, or its directory went offline. It wraps
// KAFKA_STORAGE_ERROR. nil for a healthy log.
func (l *Log) Err() error {
	if err := l.failed.Load(); err != nil {
		return *err
	}
	if err := l.dir.Err(); err != nil {
		return fmt.Errorf("log dir %s is offline: %w", l.dir.path, storageErr(err))
	}
	return nil
}

// fail notes a failed disk operation: the whole directory goes offline, because after it nobody knows what the disk
// holds (R21, L12). It returns the error for the caller's caller.
func (l *Log) fail(op string, err error) error {
	err = fmt.Errorf("%s %s in %s: %w", op, l.tp, l.dir.path, storageErr(err))
	l.dir.fail(err)
	return err
}

// Partition names the log.
func (l *Log) Partition() protocol.TopicPartition { return l.tp }

// TopicID is the id of the topic the directory belongs to; zero when not known.
func (l *Log) TopicID() protocol.UUID {
	if id := l.topicID.Load(); id != nil {
		return *id
	}
	return protocol.UUID{}
}

// SetTopicID gives a log found without partition.metadata its topic's id. The other way round, an id that differs,
// is INCONSISTENT_TOPIC_ID.
func (l *Log) SetTopicID(id protocol.UUID) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.TopicID(); !have.IsZero() {
		if have != id {
			return fmt.Errorf("%s has topic id %s, not %s: %w", l.tp, have, id, kerr.InconsistentTopicID)
		}
		return nil
	}
	l.topicID.Store(&id)
	if !l.made {
		return nil
	}
	return l.writePartitionMetaLocked()
}

// Dir is the log directory that holds the log.
func (l *Log) Dir() *Dir { return l.dir }

// Path is the partition's own directory. It exists from the first append on.
func (l *Log) Path() string { return l.dirPath() }

// Config is what SetConfig or the opening gave.
func (l *Log) Config() LogConfig { return *l.cfg.Load() }

// SetConfig changes the topic's settings; the next append sees them.
func (l *Log) SetConfig(c LogConfig) {
	defer l.configured.Store(true)
	if *l.cfg.Load() != c {
		l.cfg.Store(l.shared(c))
	}
}

// shared gives equal configurations one place, so that 10,000 partitions of one topic hold one.
func (e *env) shared(c LogConfig) *LogConfig {
	if e.store == nil {
		return &c
	}
	return e.store.shareConfig(c)
}

// LogStartOffset is the first offset that is served.
func (l *Log) LogStartOffset() int64 { return l.logStart.Load() }

// LogEndOffset is the offset the next record gets.
func (l *Log) LogEndOffset() int64 { return l.logEnd.Load() }

// HighWatermark is what UpdateHighWatermark was told, or what the last checkpoint said.
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// RecoveryPoint is the offset below which everything is on the disk.
func (l *Log) RecoveryPoint() int64 { return l.recoveryPoint.Load() }

// LastStableOffset is the smaller of the high watermark and the start of the oldest transaction that is open, or
// whose marker is not replicated (KIP-98).
func (l *Log) LastStableOffset() int64 {
	hw := l.highWatermark.Load() // first: both only rise, and a new transaction starts at or above the high watermark
	return min(hw, max(l.txns.firstUnstable.Load(), l.logStart.Load()))
}

// UpdateHighWatermark raises the high watermark to hw, at most to the log end. It never waits for an append.
func (l *Log) UpdateHighWatermark(hw int64) (moved bool) {
	for {
		old := l.highWatermark.Load()
		hw = min(hw, l.logEnd.Load())
		if hw <= old {
			return false
		}
		if l.highWatermark.CompareAndSwap(old, hw) {
			l.txns.replicated(hw)
			if !l.dir.marks.Load() {
				l.dir.marks.Store(true)
			}
			return true
		}
	}
}

// Size is the number of bytes in all segments.
func (l *Log) Size() (sum int64) {
	for _, seg := range l.segments() {
		size, _ := seg.tail()
		sum += size
	}
	return sum
}

// ensureDirLocked makes the partition's directory and its small files, before the first byte of data.
func (l *Log) ensureDirLocked() error {
	if l.made {
		return nil
	}
	if err := l.dir.beforeMake(l.tp); err != nil {
		return err
	}
	if err := l.files.fs.MkdirAll(l.dirPath()); err != nil {
		return l.fail("create directory of", err)
	}
	l.made, l.dirDirty, l.newDir = true, true, true
	l.dir.made(l)
	l.queueLocked(0)
	// No rename here: the directory is new, and a torn file in it means that a flush never came.
	id := l.TopicID()
	if id.IsZero() {
		return nil
	}
	l.metaDirty = true
	if err := vfs.WriteFile(l.files.fs, l.file(partitionMetaName), encodePartitionMeta(id), false); err != nil {
		return l.fail("write partition.metadata of", err)
	}
	return nil
}

// writePartitionMetaLocked and writeEpochsLocked rename without fsync: a flush makes both durable before the recovery
// point moves, and recovery knows how to do without them (design §10).
func (l *Log) writePartitionMetaLocked() error {
	id := l.TopicID()
	if id.IsZero() {
		return nil
	}
	if err := vfs.WriteFileAtomic(l.files.fs, l.file(partitionMetaName), encodePartitionMeta(id), false); err != nil {
		return l.fail("write partition.metadata of", err)
	}
	l.metaDirty, l.dirDirty = true, true
	l.queueLocked(0)
	return nil
}

func (l *Log) writeEpochsLocked() error {
	if !l.made || l.newDir { // the first flush writes it; until then all batches would be scanned anyway
		return nil
	}
	l.epochs.mu.RLock()
	b, dirty := encodeEpochs(l.epochs.list), l.epochs.dirty
	l.epochs.mu.RUnlock()
	if !dirty {
		return nil
	}
	if err := vfs.WriteFileAtomic(l.files.fs, l.file(epochCheckpointName), b, false); err != nil {
		return l.fail("write leader epochs of", err)
	}
	l.dirDirty = true
	l.queueLocked(0)
	return nil
}

// queueLocked asks the store to flush this log some time, and counts bytes written.
func (l *Log) queueLocked(bytes int) {
	if l.store != nil {
		l.store.queue(l, bytes, &l.queued)
	}
}

func beInt64(b []byte) int64   { return int64(binary.BigEndian.Uint64(b)) }
func beUint32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// metadataDir tells the quorum's log from the others.
func isMetadataDir(name string) bool {
	return len(name) > len(metadataTopicPrefix) && path.Base(name)[:len(metadataTopicPrefix)] == metadataTopicPrefix
}
