// Package clock is the only room, besides cmd, that asks what time it is.
//
// A broker holds two clocks. Broker time can be moved while the broker runs: record timestamps, retention, segment
// roll, compaction lag, expiry and the timers of groups and transactions follow it, so a test can let a week pass.
// Real time is never moved: elections, broker heartbeats, Fetch waits, request timeouts, throttling, idle and
// back-off follow it, because the peers on the other side of a socket live in it.
//
// Pure code gets now as an argument and needs none of this. Inside a testing/synctest bubble the system clock is
// the bubble's clock, so nothing here is replaced for such a test.
//
// Locks: Movable.mu guards its offset and its armed timers. A timer's channel holds one tick; nothing here starts a
// goroutine.
package clock
