// Package quorum is KRaft: one metadata log, replicated by fetching, with its elections, snapshots and voters. Dohle and
// Apache Kafka nodes may sit in one quorum and may open each other's directories.
//
// # What it owns
//
// The directory __cluster_metadata-0 of the metadata log dir, byte for byte Kafka's: the log (a storage.Log), the
// snapshots <end offset>-<epoch>.checkpoint, quorum-state. There is no index beside the offset: a position is an
// offset, a term is the leader epoch of a batch, a snapshot is (end offset, epoch). Beside Kafka's files lies one of our
// own, recovery-point-offset-checkpoint; and, for moments, <id>.installing.
//
// Core is the algorithm: Step(now, event) gives what to write and what to send. It is pure: no I/O, clock, goroutine,
// global chance or map order, so scripts and a simulation replay exactly. One file per role: unattached, prospective,
// candidate, leader, follower, resigned. An observer is a follower that never asks for votes. Node is the shell: it
// carries out what the Core asks for, moves messages, and hands committed records to listeners.
//
// # Who calls it
//
// broker opens a Node and runs it; the controller appends, waits for commits and writes snapshots; the broker's loader
// and the controller are Listeners; broker/api hands Handle the requests of the quorum; broker/peer is the Transport.
// controller/format.go calls WriteBootstrap.
//
// # Invariants
//
//  1. Disk before word: quorum-state and log are durable before an answer or a Fetch leaves. A Fetch at N says that all
//     below N is on this voter's disk. (An observer's log counts for nobody and is flushed now and then.)
//  2. A known leader is a vote, also after a restart. Nobody leads an epoch twice: a restarted leader resigns.
//  3. The high watermark is what a majority of voters hold, once that passes the first batch of the leader's own epoch;
//     until then the leader answers -1. It is not stored, and never falls while a node runs.
//  4. An epoch begins with LeaderChange, with KRaftVersion and Voters in the same batch when the set stands only in
//     0-0.checkpoint or the leader's listeners changed.
//  5. A diverging follower cuts where leader and follower agree, by epochs. A cut below its high watermark is a panic.
//  6. An answer counts for the one request that waits for it. A change of role or epoch voids all that are under way.
//  7. The voters are those of the newest Voters record, committed or not, and go back when it is cut.
//  8. A batch is never split. A snapshot ends where a batch ends, at or below the high watermark.
//  9. A parked Fetch waits at most half the fetch timeout. A broken connection to a leader that had answered is an expired
//     fetch timeout. A leader that a majority has not fetched from for 1.5 fetch timeouts resigns.
//
// plant.go names a way to break each of them; with the build tag plant a Core has that bug, and a test asks that
// scripts (testdata) and simulation notice it.
//
// # Damage
//
// Open refuses, with path and reason: a quorum-state that is torn, of an unknown version, or missing beside a voter's
// records; a log that ends below a snapshot beside it or below its recovery point; a batch or a newest snapshot that
// fails its checksum; a kraft.version above 1. A failed write or fsync ends Run: nothing is tried again.
//
// # Goroutines and locks
//
// All goroutines are started in run.go and end with Run: the loop (owns Core and disk writes), one for deliveries, one
// per request to another node. What others see is an immutable view behind an atomic pointer. Three small mutexes guard
// the inbox, those who wait for commits, and the list of snapshots; none is held while another is taken, none over I/O.
// Writes of the loop hold up its other work: proposals that queue up meanwhile share the next write and fsync.
//
// # What it does not do
//
// Voter changes (Add-, Remove-, UpdateRaftVoter, KIP-853) are not here yet; the sets are values with their offsets so
// that they can come. kraft.version is not upgraded from 0 to 1. Metadata records are opaque bytes here.
//
// KIPs: 595 (KRaft), 630 (snapshots), 836 (DescribeQuorum times), 853 (directory ids, voters in the log), 903 (replica
// state in Fetch), 996 (pre-vote), 1166 (high watermark in Fetch), 1170 (bootstrap records in 0-0.checkpoint).
package quorum
