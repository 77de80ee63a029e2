// Package memnet is the network as a value: what a broker listens on and dials through.
//
// Net is the seam. OS is the machine's network. Network is one in memory, for tests in one process: its connections
// are buffered, keep order, honour deadlines and block in ways that a testing/synctest bubble understands. It can
// refuse and reset (Cut), hold bytes back (Hold) and delay them (Delay), by listener address.
//
// Goroutines: none. Locks: Network.mu guards listeners, connections and dials; each pipe has a mutex of its own,
// taken after Network.mu and never before it.
package memnet
