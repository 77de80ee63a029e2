// Package storage keeps one partition's bytes in one directory, in Kafka's own file formats. FORMAT.md describes every
// file, what is assumed of disks, and what recovery may and must never discard.
//
// What it owns: log directories (lock, identity, checkpoints, clean shutdown marker), logs (append, read, roll,
// truncate, retention, timestamps), and what a log remembers beside its batches: indexes, producers (KIP-98), aborted
// transactions, leader epochs (KIP-101, 279). A Store holds the logs of a broker; OpenLog opens one directory on its
// own, as the quorum does for __cluster_metadata-0. And the cleaner, which compacts the logs of a Store whose topics ask
// for it: files clean_*.go, in the order choice (clean_select), reading keys and writing segments (clean_pass) by what
// stays (clean_filter, clean_txn, clean_map: pure), swap (clean_swap), checkpoint.
//
// Who calls it: broker/replica (append, read, watermarks, truncation), broker/api through it, controller/quorum
// (OpenLog), controller's format (meta.properties).
//
// Words: an offset named End or Next is exclusive, one named Last is inclusive; the log end offset is what the next
// record gets. The recovery point is the offset below which everything is on the disk.
//
// Invariants: logStart ≤ highWatermark ≤ logEnd; recoveryPoint ≤ logEnd, in memory and in the checkpoint; bytes that
// readers see are whole batches; a refused append has changed nothing; the first failed write or fsync takes the whole
// directory offline, and nothing is acknowledged from it again (KAFKA_STORAGE_ERROR).
//
// Goroutines, in run.go only: Store.Run has the flusher (real time: dirty logs every 5 s or 256 MiB, then the
// checkpoints), the keeper (broker time: retention, delayed deletion, expiry of producers, flush.ms) and, with
// Options.Cleaner, the threads of the cleaner and one that counts them (broker time: lags, delete horizons and the
// back-off; the throttle goes by real time). Nothing runs per partition. Every other method is synchronous and starts nothing.
//
// Locks: Log.mu is the writer's; under it happens the append's one write and no fsync. Log.flushMu, taken before it,
// is held through a flush and keeps truncation out; callers that wait for it share the next flush (group commit).
// Readers take none of them: they load the segment list and the offsets atomically, and a segment's own mutex, which
// guards memory only. A swap of the cleaner holds flushMu and, while names change, mu; a pass holds nothing: it notes
// Log.shape, which every cut, dropped segment or deletion raises, and gives up when it has moved. Store.cleanMu guards
// which logs are being cleaned or given up. Dir.writeMu, after the log's, serializes the writing of checkpoints; Store.flushMu comes before all
// of them and serializes flushes of many logs. Moving the high watermark
// never waits for an append.
//
// Files come late: a partition's directory is made at its first append. Log files are opened on use and closed by an
// LRU; an idle partition has no goroutine, timer or open file.
//
// Deliberately not here: who leads, in-sync replicas and waiting (broker/replica); verification of transactions with
// their coordinator (KIP-890 part 2); tiered storage, which is a room to come; conversion of message
// sets before magic 2, which are refused; preallocation of log files (the key preallocate changes speed only).
//
// Where it differs from Kafka: damage below the recovery point makes the log refuse service instead of being cut; a
// partition directory that vanished is not made anew empty; DeleteRecords is durable at once; recovery takes a hole
// between two unflushed segments for lost bytes, so a segment always starts where the one before it ended, also when a
// follower's offsets skip; only below the cleaner's checkpoint, which Apache Kafka may have ahead of its recovery points,
// holes are what compaction left. The cleaner flushes a log up to its high watermark before it removes anything, so that what
// supersedes a record, and the markers that say so, are on the disk first. Index and snapshot files of the active segment are written by the flusher, not at the
// append; after a kill they are made anew.
//
// KIPs: 58 (minimum lag), 354 (maximum lag), 534 (delete horizon), 32 and 33 (timestamps), 98, 360, 447, 890 (producers), 101, 279, 320 (epochs), 405 (names only), 516 (topic ids),
// 734 (max timestamp), 858 (directory ids), 966 (broker epoch in the marker).
package storage
