// Package group is the group coordinator: classic groups, consumer groups (KIP-848), and the offsets of both, as a state
// machine on a partition of __consumer_offsets.
//
// Who calls it: package broker/api asks a Coordinator in the name of clients, one method per request; package broker tells
// it what this node leads. State implements coordinator.Machine: what records rebuild (hard state) changes only in
// Replay, everything else (timers, parked requests, a classic group's round before it is written) is soft and dropped
// with the leadership.
//
// Where things are: state.go dispatches records and timers; group.go says what every kind of group can; classic*.go and
// consumer*.go are the two kinds, a file per request or decision; offset*.go are the offsets; list.go, describe.go,
// classic_view.go and consumer_describe.go look at groups, answer_room.go bounds how much is told of them, delete.go ends
// them. coordinator.go is what others call: it finds the partition, refuses what needs no state, and waits for the shard's
// answer. snapshot.go and waits.go are for tests and operators: what a group looks like and waits for.
//
// A consumer group's heartbeat goes through consumer_heartbeat.go (the request), consumer_join.go (whose it is),
// consumer_subscription.go and consumer_regex.go (what it changes), consumer_target.go (who should have what) and
// consumer_reconcile.go (what the member may have now); consumer_classic.go is the same for members of the classic protocol,
// embedded.go what those say in it, migration.go how groups change their kind.
//
// Invariants.
//   - Handlers validate, then return records; they do not assign to hard state. Replaying the log into an empty State gives
//     an equal State (every test of this package checks it).
//   - Map order never reaches records or replies.
//   - No partition is with two members of a consumer group: it is given up in the old epoch before it is given in a new one.
//   - A group exists once something of it is written, or as long as a classic member waits in it.
//
// Goroutines and locks: none; coordinator.Shards calls one method at a time.
//
// KIPs: 345 (static members), 394 (member id round trip), 429 (cooperative), 447 (stable offsets), 496 (OffsetDelete),
// 518 (states), 559 (protocol names), 709 (many groups), 800 (reasons), 848 and 1071's record types as far as they are
// skipped, 1082 (client made member ids), 1251 (assignment epochs).
package group
