package metadata

import "time"

// A SnapshotTrigger says when a node should write its next snapshot: after so many bytes of records, or when records are
// older than an age (metadata.log.max.record.bytes.between.snapshots, metadata.log.max.snapshot.interval.ms). It is
// soft state of the loop that replays the log.
type SnapshotTrigger struct {
	MaxBytes int64
	MaxAge   time.Duration // 0: age does not count

	bytes int64
	since time.Time // of the first record after the last snapshot
}

// Add counts the bytes of records that were replayed.
func (t *SnapshotTrigger) Add(bytes int64, now time.Time) {
	if t.bytes == 0 {
		t.since = now
	}
	t.bytes += bytes
}

// Due reports whether a snapshot should be written.
func (t *SnapshotTrigger) Due(now time.Time) bool {
	return t.bytes > 0 && (t.bytes >= t.MaxBytes || t.MaxAge > 0 && now.Sub(t.since) >= t.MaxAge)
}

// Reset begins anew, after a snapshot was written or loaded.
func (t *SnapshotTrigger) Reset() { t.bytes = 0 }
