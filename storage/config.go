package storage

import (
	"math"

	"github.com/dohle-io/dohle/protocol/record"
)

// LogConfig is what a topic's settings say about its logs, resolved. A value is immutable once handed in; partitions
// of one topic share it. Limits that Kafka writes as -1 for "none" keep that form.
type LogConfig struct {
	SegmentBytes       int32 // segment.bytes
	SegmentMs          int64 // segment.ms
	SegmentJitterMs    int64 // segment.jitter.ms
	SegmentIndexBytes  int32 // segment.index.bytes
	IndexIntervalBytes int32 // index.interval.bytes

	MaxMessageBytes  int32 // max.message.bytes, of a batch as stored
	MaxDecompressed  int   // max.decompressed.message.bytes, of one record in a compressed batch; 0: no limit
	Compression      record.Target
	TimestampType    record.TimestampType
	TimestampBefore  int64 // message.timestamp.before.max.ms
	TimestampAfter   int64 // message.timestamp.after.max.ms
	RetentionMs      int64 // -1: keep for ever
	RetentionBytes   int64 // -1: no limit
	Delete           bool  // cleanup.policy holds delete
	Compact          bool  // cleanup.policy holds compact
	MaxCompactionLag int64 // ms; a compacted log rolls at least this often, and is then cleaned whatever its ratio

	MinCompactionLag  int64   // ms; a segment with a younger record is not cleaned
	MinCleanableRatio float64 // min.cleanable.dirty.ratio, 0 to 1
	DeleteRetentionMs int64   // tombstones and markers stay this long after their first cleaning

	FlushMessages     int64 // fsync before the append returns after this many records; math.MaxInt64: never
	FlushMs           int64 // fsync at the latest so long after an append
	FileDeleteDelayMs int64
}

// DefaultLogConfig are Kafka's defaults.
func DefaultLogConfig() LogConfig {
	return LogConfig{
		SegmentBytes:       1 << 30,
		SegmentMs:          7 * 24 * 3600 * 1000,
		SegmentIndexBytes:  10 << 20,
		IndexIntervalBytes: 4096,
		MaxMessageBytes:    1<<20 + 12,
		TimestampBefore:    math.MaxInt64,
		TimestampAfter:     3600 * 1000,
		RetentionMs:        7 * 24 * 3600 * 1000,
		RetentionBytes:     -1,
		Delete:             true,
		MaxCompactionLag:   math.MaxInt64,
		MinCleanableRatio:  0.5,
		DeleteRetentionMs:  24 * 3600 * 1000,
		FlushMessages:      math.MaxInt64,
		FlushMs:            math.MaxInt64,
		FileDeleteDelayMs:  60_000,
	}
}

// maxSegmentMs is how long a segment takes records; compaction with a maximum lag shortens it (KIP-354).
func (c *LogConfig) maxSegmentMs() int64 {
	if c.Compact && c.MaxCompactionLag > 0 {
		return min(c.MaxCompactionLag, c.SegmentMs)
	}
	return c.SegmentMs
}
