// Package replica owns the partitions that this broker hosts: their role, leader epoch and ISR, the progress of
// their followers, the high watermark that follows from it, and the waiters who want to know when it moves.
//
// Who calls it: the metadata loader publishes every new image through Manager.Apply; package api appends, reads
// and asks through Partition; coordinators use a Partition as their log.
//
// Invariants.
//   - State is published as one immutable value (State) behind an atomic pointer. It changes only under
//     Partition.mu held for writing; an append holds it for reading, so that no append straddles a role change.
//   - The epoch and its start offset are stored in the log before the partition serves as a leader (KAFKA-7415).
//   - The high watermark never falls within a leader epoch, and stands still while the ISR is below the smaller of
//     min.insync.replicas and the number of replicas (KIP-966). It counts the maximal ISR: what is committed and
//     what is proposed (KIP-497).
//   - One replica is not a special case: its high watermark moves in the append because the minimum over no
//     follower is the log's own end.
//   - A partition is the pair of topic id and index. A topic that was deleted and created again is another
//     partition; the old one answers UNKNOWN_TOPIC_OR_PARTITION and never serves again.
//
// Goroutines and locks. None is started here; nothing here waits. Waiting is done by who holds a Wake (package
// api). Order: Partition.mu, then Partition.progressMu or the log's own lock, then the waiter list's, then Wake.mu;
// never back. Partition.mu is not taken by reads: they load State, offsets and segments atomically.
//
// What it does not do: it authorizes nothing, knows no request or response, and does not send AlterPartition
// itself: it proposes a change to an AlterPartition, and is told the outcome.
//
// KIPs: 101 and 279 (leader epochs), 320 (fencing), 392 (reading from followers), 497 and 841 and 903 (ISR
// changes), 966 (ISR below min).
package replica
