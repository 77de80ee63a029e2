package config

import (
	"slices"
	"time"
)

// TopicLog is what one topic's configuration means to its logs, resolved once per change so that no hot path parses text.
// The wiring turns it into the storage room's own struct (config may not import storage). Durations may be Never.
type TopicLog struct {
	SegmentBytes       int64         // roll at this size
	SegmentAge         time.Duration // roll when the first record is this old (KIP-33); compaction may ask for less
	SegmentJitter      time.Duration // at most this much is taken off SegmentAge, drawn per segment
	SegmentIndexBytes  int64         // size of each index file
	IndexIntervalBytes int64         // bytes between index entries
	Preallocate        bool

	RetentionBytes      int64         // -1 = unlimited
	RetentionAge        time.Duration // negative = unlimited
	LocalRetentionBytes int64         // as RetentionBytes; equal to it when set to -2
	LocalRetentionAge   time.Duration // as RetentionAge; equal to it when set to -2
	FileDeleteDelay     time.Duration

	FlushMessages int64         // fsync after this many records; MaxInt64 = leave it to the background flush
	FlushInterval time.Duration // fsync what has waited this long

	Delete, Compact        bool // cleanup.policy; neither = keep everything (KIP-1161)
	DeleteRetention        time.Duration
	MinCompactionLag       time.Duration
	MaxCompactionLag       time.Duration
	MinCleanableDirtyRatio float64

	CompressionType                       string // producer, uncompressed, gzip, snappy, lz4, zstd
	GzipLevel, LZ4Level, ZstdLevel        int32
	MaxMessageBytes                       int64 // one batch, compressed
	MaxDecompressedMessageBytes           int64 // one record, after decompression
	LogAppendTime                         bool  // message.timestamp.type
	TimestampBeforeMax, TimestampAfterMax time.Duration
	MinInSyncReplicas                     int32
	UncleanLeaderElection                 bool
	RemoteStorage                         bool
}

// ResolveTopic reads a topic's view into a TopicLog.
func ResolveTopic(v View) TopicLog {
	policy := CleanupPolicy.Get(v)
	t := TopicLog{
		SegmentBytes: SegmentBytes.Get(v), SegmentAge: SegmentMs.Get(v), SegmentJitter: SegmentJitterMs.Get(v),
		SegmentIndexBytes: SegmentIndexBytes.Get(v), IndexIntervalBytes: IndexIntervalBytes.Get(v), Preallocate: Preallocate.Get(v),
		RetentionBytes: RetentionBytes.Get(v), RetentionAge: RetentionMs.Get(v),
		LocalRetentionBytes: LocalRetentionBytes.Get(v), LocalRetentionAge: LocalRetentionMs.Get(v), FileDeleteDelay: FileDeleteDelayMs.Get(v),
		FlushMessages: FlushMessages.Get(v), FlushInterval: FlushMs.Get(v),
		Delete: slices.Contains(policy, "delete"), Compact: slices.Contains(policy, "compact"),
		DeleteRetention: DeleteRetentionMs.Get(v), MinCompactionLag: MinCompactionLagMs.Get(v), MaxCompactionLag: MaxCompactionLagMs.Get(v),
		MinCleanableDirtyRatio: MinCleanableDirtyRatio.Get(v),
		CompressionType:        CompressionType.Get(v), GzipLevel: CompressionGzipLevel.Get(v), LZ4Level: CompressionLZ4Level.Get(v), ZstdLevel: CompressionZstdLevel.Get(v),
		MaxMessageBytes: MaxMessageBytes.Get(v), MaxDecompressedMessageBytes: MaxDecompressedMessageBytes.Get(v),
		LogAppendTime:      MessageTimestampType.Get(v) == "LogAppendTime",
		TimestampBeforeMax: MessageTimestampBeforeMaxMs.Get(v), TimestampAfterMax: MessageTimestampAfterMaxMs.Get(v),
		MinInSyncReplicas: MinInsyncReplicas.Get(v), UncleanLeaderElection: UncleanLeaderElectionEnable.Get(v),
		RemoteStorage: RemoteStorageEnable.Get(v),
	}
	if n, ok := InternalSegmentBytes.Find(v); ok {
		t.SegmentBytes = n // a size below the public floor, for tests
	}
	if t.LocalRetentionBytes == -2 {
		t.LocalRetentionBytes = t.RetentionBytes
	}
	if t.LocalRetentionAge == -2*time.Millisecond {
		t.LocalRetentionAge = t.RetentionAge
	}
	if t.Compact && t.MaxCompactionLag > 0 {
		t.SegmentAge = min(t.SegmentAge, t.MaxCompactionLag) // so that every record gets out of the active segment in time (KIP-354)
	}
	t.SegmentJitter = min(t.SegmentJitter, t.SegmentAge)
	return t
}

// LogDefaults is what a topic without settings of its own gets from the broker.
func LogDefaults(broker View) TopicLog { return ResolveTopic(TopicView(broker, nil)) }
