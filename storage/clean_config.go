package storage

import (
	"math"
	"time"
)

// CleanerConfig are the log.cleaner.* keys. The cleaner asks for them before each log, so a change counts from the
// next one on.
type CleanerConfig struct {
	Enabled           bool
	Threads           int     // logs that are cleaned at a time
	DedupeBytes       int64   // memory for keys, over all threads; at most 2 GiB each are used
	LoadFactor        float64 // how full that memory may get
	IOBufferBytes     int     // for reading and writing, over all threads
	MaxBytesPerSecond float64 // reads and writes, over all threads
	Backoff           time.Duration
}

// DefaultCleanerConfig are Kafka's defaults.
func DefaultCleanerConfig() CleanerConfig {
	return CleanerConfig{Enabled: true, Threads: 1, DedupeBytes: 128 << 20, LoadFactor: 0.9, IOBufferBytes: 512 << 10,
		MaxBytesPerSecond: math.MaxFloat64, Backoff: 15 * time.Second}
}

// pause is the back-off, of at least a millisecond.
func (c *CleanerConfig) pause() time.Duration { return max(c.Backoff, time.Millisecond) }

// slots is how many keys one thread has memory for.
func (c *CleanerConfig) slots() int {
	return int(min(c.DedupeBytes/int64(max(c.Threads, 1)), math.MaxInt32) / slotSize)
}

// ioBuffer is the size of a thread's read buffer, and of its write buffer.
func (c *CleanerConfig) ioBuffer() int {
	return max(c.IOBufferBytes/max(c.Threads, 1)/2, 4<<10)
}
