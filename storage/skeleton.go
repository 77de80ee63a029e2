package storage

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// Options of a Store.
type Options struct {
	FS            vfs.FS
	Clocks        clock.Clocks
	Log           zerolog.Logger
	Codecs        *compress.Codecs
	Rand          *rand.Rand // segment.jitter.ms and directory ids; nil: a fixed seed
	Dirs          []string
	NodeID        int32
	ClusterID     string                       // "": accept any
	DefaultConfig func(topic string) LogConfig // for logs found at start; nil: DefaultLogConfig
	BrokerEpoch   func() int64                 // written into the clean shutdown marker; nil: -1

	FlushInterval            time.Duration // default 5 s
	FlushBytes               int64         // default 256 MiB
	RetentionCheckInterval   time.Duration // log.retention.check.interval.ms; default 5 min
	ProducerExpiration       time.Duration // producer.id.expiration.ms; default 24 h
	ProducerExpirationChecks time.Duration // producer.id.expiration.check.interval.ms; default 10 min
	MaxOpenFiles             int           // default 4096
}

// Store holds the logs of one broker.
type Store struct{}

// Open locks and loads the directories.
func Open(o Options) (*Store, error) { return nil, errors.New("storage: skeleton") }

// Run does the background work until ctx ends.
func (s *Store) Run(ctx context.Context) error { return nil }

// Dirs are the log directories in the order of Options.Dirs, offline ones included.
func (s *Store) Dirs() []*Dir { return nil }

// Log finds a partition's log.
func (s *Store) Log(tp protocol.TopicPartition) (*Log, bool) { return nil, false }

// All yields every log, in no order.
func (s *Store) All() iter.Seq2[protocol.TopicPartition, *Log] {
	return func(func(protocol.TopicPartition, *Log) bool) {}
}

// Create makes the log of a partition; dir nil: the online directory with the fewest logs.
func (s *Store) Create(tp protocol.TopicPartition, topicID protocol.UUID, cfg LogConfig, dir *Dir) (*Log, error) {
	return nil, nil
}

// Delete removes a partition's log.
func (s *Store) Delete(tp protocol.TopicPartition) error { return nil }

// Close is a clean shutdown.
func (s *Store) Close() error { return nil }

// OfflineDirs ticks when a directory went offline; look at Dirs then.
func (s *Store) OfflineDirs() <-chan struct{} { return nil }

// FlushDirty flushes every log with unflushed bytes and moves the recovery points.
func (s *Store) FlushDirty() error { return nil }

// DeleteOldSegments applies retention to every log; returns the number of segments deleted.
func (s *Store) DeleteOldSegments() int { return 0 }

// WriteCheckpoints writes high watermarks, recovery points and log start offsets.
func (s *Store) WriteCheckpoints() error { return nil }

// PreviousBrokerEpoch is the epoch in the clean shutdown markers found at start; -1 unless all dirs had the same.
func (s *Store) PreviousBrokerEpoch() int64 { return -1 }

// Dir is a log directory.
type Dir struct{}

func (d *Dir) Path() string      { return "" }
func (d *Dir) ID() protocol.UUID { return protocol.UUID{} }
func (d *Dir) Online() bool      { return true }
func (d *Dir) Err() error        { return nil }

// Usage is the size and free space of its file system, in bytes; -1 when unknown.
func (d *Dir) Usage() (total, free int64) { return -1, -1 }

// LogOptions of OpenLog.
type LogOptions struct {
	FS            vfs.FS
	Clocks        clock.Clocks
	Log           zerolog.Logger
	Codecs        *compress.Codecs
	Rand          *rand.Rand
	Dir           string // the partition's own directory
	Partition     protocol.TopicPartition
	TopicID       protocol.UUID // zero: no partition.metadata
	Config        LogConfig
	RecoveryPoint int64 // everything below is known to be flushed: damage there is an error, not a torn tail
	LogStart      int64 // the log start offset known to the caller, or 0
	Clean         bool  // the last stop flushed everything
	CreateNow     bool  // make the directory and the first segment at once, not at the first append
}

// Log is one partition's bytes.
type Log struct{ x atomic.Int64 }

// OpenLog opens one directory on its own.
func OpenLog(o LogOptions) (*Log, error) { return nil, errors.New("storage: skeleton") }

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
	MaxTimestamp            int64
	LogAppendTime           int64 // -1 with CreateTime
	LogStartOffset          int64
	LastLeaderEpoch         int32
	Bytes                   int
	Duplicate               bool
	RecordErrors            []record.RecordError
}

func (l *Log) AppendAsLeader(records []byte, leaderEpoch int32, a AppendOptions) (AppendInfo, error) {
	return AppendInfo{}, nil
}

func (l *Log) AppendAsFollower(records []byte) (AppendInfo, error) { return AppendInfo{}, nil }

// Read finds the whole batches from the one that holds offset on.
func (l *Log) Read(offset int64, maxBytes int, end int64, wholeFirst bool) (Slice, error) {
	return Slice{}, nil
}

// ReadBytes is Read with a copy; at least one whole batch when there is one.
func (l *Log) ReadBytes(offset int64, maxBytes int, end int64) ([]byte, error) { return nil, nil }

// Slice is a range of whole batches in one segment. The zero Slice is empty.
type Slice struct{}

func (s Slice) Len() int                                    { return 0 }
func (s Slice) ReadAt(p []byte, off int64) (int, error)     { return 0, nil }
func (s Slice) Release()                                    {}
func (s Slice) BaseOffset() int64                           { return 0 } // of the first batch
func (s Slice) NextOffset() int64                           { return 0 } // after the last batch, -1 when not known
func (l *Log) LogStartOffset() int64                        { return 0 }
func (l *Log) LogEndOffset() int64                          { return 0 }
func (l *Log) HighWatermark() int64                         { return 0 }
func (l *Log) LastStableOffset() int64                      { return 0 }
func (l *Log) RecoveryPoint() int64                         { return 0 }
func (l *Log) UpdateHighWatermark(hw int64) (moved bool)    { return false }
func (l *Log) LatestEpoch() (int32, bool)                   { return 0, false }
func (l *Log) EpochForOffset(offset int64) (int32, bool)    { return 0, false }
func (l *Log) EndOffsetForEpoch(epoch int32) (int32, int64) { return -1, -1 }

// AssignEpochStart notes that epoch starts at offset start (R4).
func (l *Log) AssignEpochStart(epoch int32, start int64) error { return nil }
func (l *Log) TruncateTo(offset int64) error                   { return nil }
func (l *Log) TruncateFullyAndStartAt(offset int64) error      { return nil }
func (l *Log) IncrementLogStartOffset(offset int64) error      { return nil }

// DeleteOldSegments applies retention to this log now.
func (l *Log) DeleteOldSegments() (int, error) { return 0, nil }

// DeleteSegmentsBefore drops segments wholly below offset.
func (l *Log) DeleteSegmentsBefore(offset int64) (int, error) { return 0, nil }

func (l *Log) OffsetForTimestamp(ts int64) (offset, timestamp int64, epoch int32, found bool, err error) {
	return -1, -1, -1, false, nil
}
func (l *Log) OffsetOfMaxTimestamp() (offset, timestamp int64, epoch int32, found bool, err error) {
	return -1, -1, -1, false, nil
}

// AbortedTxn is an aborted transaction a read_committed fetch must know.
type AbortedTxn struct{ ProducerID, FirstOffset, LastOffset, LastStableOffset int64 }

func (l *Log) AbortedTransactions(from, to int64) ([]AbortedTxn, error) { return nil, nil }

// ProducerState is what DescribeProducers tells of a producer.
type ProducerState struct {
	ProducerID            int64
	ProducerEpoch         int16
	LastSequence          int32
	LastTimestamp         int64
	CoordinatorEpoch      int32
	CurrentTxnStartOffset int64 // -1: none open
}

func (l *Log) ActiveProducers() []ProducerState   { return nil }
func (l *Log) Flush(to int64) error               { return nil }
func (l *Log) Size() int64                        { return 0 }
func (l *Log) Config() LogConfig                  { return LogConfig{} }
func (l *Log) SetConfig(c LogConfig)              {}
func (l *Log) TopicID() protocol.UUID             { return protocol.UUID{} }
func (l *Log) Partition() protocol.TopicPartition { return protocol.TopicPartition{} }
func (l *Log) Dir() *Dir                          { return nil }
func (l *Log) Err() error                         { return nil } // not nil: damaged or closed; wraps KAFKA_STORAGE_ERROR
func (l *Log) Close() error                       { return nil }
