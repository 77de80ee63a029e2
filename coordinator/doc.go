// Package coordinator runs deterministic state machines that are replayed from the partitions of an internal topic:
// groups from __consumer_offsets now, transactions and share groups from topics of their own. It knows none of them.
//
// A shard is the state of one partition. What happens to it, in this order and under its lock:
//
//	decide   a handler looks at the state and returns a Result; it never assigns to what records rebuild
//	append   the records of the Result go to the log as one batch, all or none
//	replay   what the log accepted is applied to the state, by the same code that a load uses
//	then     soft state, timers and replies of the Result take effect
//	park     replies leave when the high watermark has passed everything that the state held when they were made
//
// Who calls it: package broker says which partitions this node leads (Lead, Resign) and publishes images; package group
// asks shards in the name of handlers.
//
// Invariants.
//   - A refused append has changed nothing. A failed one, or a record that does not replay, makes the shard resign:
//     every parked reply is NOT_COORDINATOR and the state is dropped; if the leadership is still ours it is loaded again.
//   - Nobody sees state that is not committed: an answer waits for all records that were replayed before it (G7).
//   - A shard answers COORDINATOR_LOAD_IN_PROGRESS until the whole log has been replayed.
//   - Leadership is a pair of partition and leader epoch; an append of an older epoch never reaches the log.
//   - Nothing here depends on how many replicas a partition has: with one the high watermark moves inside the append.
//
// Goroutines and locks. Shards.Run, started by the broker, fires timers and watches high watermarks; loads run in at most
// Options.Loaders goroutines of it. shard.mu guards one machine and what is parked on it, Shards.mu the map of shards. A
// shard.mu is never taken while Shards.mu is held; the other way round it happens (Log.Await may call Moved). The locks of
// the timer queue and of the queue of failures are leaves.
//
// What it does not do: it does not know requests, groups or topics; it starts no election and reads no metadata but to
// pass images on.
package coordinator
