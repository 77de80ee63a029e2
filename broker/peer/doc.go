// Package peer is the client side of the one wire: it sends requests to other nodes and waits for answers.
//
// Who calls it: the quorum's run loop through Transport; through ControllerChannel the broker's own life
// (registration, heartbeats, directories), producer ids, and package api for forwarding.
//
// Invariants. One connection per address and lane; requests on it are pipelined and answers arrive in
// order. A lane keeps what may wait long (Fetch, Envelope) from standing before what must not (votes,
// heartbeats). A request goes out at the highest version that kmsg, this build of Kafka's table and the
// other node know. An answer belongs to the request of its correlation id on this connection, or the
// connection dies. A request that times out kills its connection, since all behind it would wait too.
// Frames are bounded before they are read, grow with what came, and pass the bounded walk before kmsg.
//
// Goroutines and locks. One reader goroutine per live connection, started in run.go, ended by Close or the
// connection's end. link.mu guards which connection an address has, wire.mu the queue of waiting requests;
// wire.out serializes writers. The order is link.mu, then nothing; wire.out, then wire.mu.
//
// What it does not do: no metadata, no routing, no retries but for NOT_CONTROLLER and lost connections in
// ControllerChannel.
//
// KIPs: 511 (names its software), 590 (Envelope), 896 (never below the other's minimum).
package peer
