// Package broker puts the rooms together into one running node and takes them apart again.
//
// It owns the order of things. Start: ports bound, log directories, metadata quorum, controller listener, image caught
// up, registration, unfencing, group coordinator and client listeners, ready. Stop is the reverse, with a controlled shutdown first. A node
// with both roles runs the same parts as two nodes with one each: its broker reaches its controller through a
// CONTROLLER listener and the peer package like any other.
//
// Callers: cmd/dohle and dohletest. A Broker is a value; any number live in one process.
//
// The image: loader.go replays what the quorum commits and swaps one atomic pointer; publishers hear of each new
// image in a fixed, written order (publish). groups.go tells the group coordinator which partitions of
// __consumer_offsets this broker leads. The life of a registration (lifecycle.go) is a pure machine that says what to
// send next; run.go sends it.
//
// Goroutines (run.go): storage, quorum, controller, one per Server, heartbeats, controller registration, the group
// coordinator and its high watermarks, topics on demand, log directories and their assignments. Locks: Broker.mu guards
// the first failure, heart.mu the life cycle; both are leaves. Signals, GOMAXPROCS and exit codes belong to cmd.
//
// KIPs: 500, 595, 631 (life cycle of a broker), 858 (log directories), 919 (controller registration).
package broker
