package replica

import (
	"math"
	"slices"
	"time"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// LogConfig resolves a topic's view (config.TopicView) into what its logs need. One value serves all partitions of
// the topic until a config changes.
func LogConfig(v config.View) storage.LogConfig {
	policy := config.CleanupPolicy.Get(v)
	c := storage.LogConfig{
		SegmentBytes:       bounded32(config.SegmentBytes.Get(v)),
		SegmentMs:          millis(config.SegmentMs.Get(v)),
		SegmentJitterMs:    millis(config.SegmentJitterMs.Get(v)),
		SegmentIndexBytes:  bounded32(config.SegmentIndexBytes.Get(v)),
		IndexIntervalBytes: bounded32(config.IndexIntervalBytes.Get(v)),
		MaxMessageBytes:    bounded32(config.MaxMessageBytes.Get(v)),
		MaxDecompressed:    int(config.MaxDecompressedMessageBytes.Get(v)),
		Compression:        target(v),
		TimestampBefore:    millis(config.MessageTimestampBeforeMaxMs.Get(v)),
		TimestampAfter:     millis(config.MessageTimestampAfterMaxMs.Get(v)),
		RetentionMs:        millis(config.RetentionMs.Get(v)),
		RetentionBytes:     config.RetentionBytes.Get(v),
		Delete:             slices.Contains(policy, "delete"),
		Compact:            slices.Contains(policy, "compact"),
		MaxCompactionLag:   millis(config.MaxCompactionLagMs.Get(v)),
		MinCompactionLag:   millis(config.MinCompactionLagMs.Get(v)),
		MinCleanableRatio:  config.MinCleanableDirtyRatio.Get(v),
		DeleteRetentionMs:  millis(config.DeleteRetentionMs.Get(v)),
		FlushMessages:      config.FlushMessages.Get(v),
		FlushMs:            millis(config.FlushMs.Get(v)),
		FileDeleteDelayMs:  millis(config.FileDeleteDelayMs.Get(v)),
	}
	if internal, ok := config.InternalSegmentBytes.Find(v); ok {
		c.SegmentBytes = bounded32(internal) // below the public minimum, for tests
	}
	if config.MessageTimestampType.Get(v) == record.LogAppendTime.String() {
		c.TimestampType = record.LogAppendTime
	}
	return c
}

// CleanerConfig are the log.cleaner.* keys of a broker.
func CleanerConfig(v config.View) storage.CleanerConfig {
	return storage.CleanerConfig{
		Enabled:           config.LogCleanerEnable.Get(v),
		Threads:           int(config.LogCleanerThreads.Get(v)),
		DedupeBytes:       config.LogCleanerDedupeBufferSize.Get(v),
		LoadFactor:        config.LogCleanerIOBufferLoadFactor.Get(v),
		IOBufferBytes:     int(config.LogCleanerIOBufferSize.Get(v)),
		MaxBytesPerSecond: config.LogCleanerIOMaxBytesPerSecond.Get(v),
		Backoff:           config.LogCleanerBackoffMs.Get(v),
	}
}

func settingsOf(v config.View, c storage.LogConfig) settings {
	return settings{minISR: int(config.MinInsyncReplicas.Get(v)), compactOnly: c.Compact && !c.Delete}
}

func target(v config.View) record.Target {
	codec, ok := compress.ParseCodec(config.CompressionType.Get(v))
	if !ok { // "producer"
		return record.Target{}
	}
	t := record.Target{Recompress: true, Codec: codec}
	switch codec {
	case compress.Gzip:
		t.Level = int(config.CompressionGzipLevel.Get(v))
	case compress.LZ4:
		t.Level = int(config.CompressionLZ4Level.Get(v))
	case compress.Zstd:
		t.Level = int(config.CompressionZstdLevel.Get(v))
	}
	return t
}

// millis is d as Kafka writes it: any negative is -1, what never comes is the largest number.
func millis(d time.Duration) int64 {
	switch {
	case d == config.Never:
		return math.MaxInt64
	case d < 0:
		return -1
	}
	return d.Milliseconds()
}

func bounded32(n int64) int32 { return int32(min(max(n, 0), math.MaxInt32)) }
