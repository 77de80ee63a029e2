// Package controller decides about the cluster.
//
// # What it owns
//
// The decisions of the active controller: plain functions (image, request, now, rng) -> (records, reply), one file per
// noun. The loop that runs them (run.go), the latest image, parked replies, the sessions of brokers. Formatting a
// directory (format*.go), which writes the first records of a cluster.
//
// # Who calls it
//
// broker/api, for every request that the controller listener answers from the controller; cmd, to format.
//
// # How it works
//
//	request → decide(latest image) → quorum.Append → replay onto latest → park the reply → committed → answer
//
// Log first, then state: nothing is to be undone. A refused append has changed nothing. Losing leadership drops the
// latest image and answers every parked reply with NOT_CONTROLLER; the committed image is the next start.
//
// # Invariants
//
//   - One atomic batch per decision; the image between two decisions is the one that every node will see.
//   - A broker's epoch is the offset at which its registration stands; older epochs are refused (M3).
//   - A request that is too large is refused before the quorum; no request causes a fail-over (M2).
//   - validate-only writes nothing (M6).
//   - A committed record that does not replay ends Run with an error (M1).
//
// # Goroutines and locks
//
// One goroutine, Run. Handle, ConnectionClosed and the quorum's deliveries are messages to it. The decisions have no
// state of their own.
//
// # What it does not do
//
// It does not replicate (quorum), authenticate or listen (broker/server), and it does not act on the image: brokers do.
//
// KIPs: 455, 497, 584, 631, 640, 704, 730, 841, 858, 903, 919, 966, 1022, 1066, 1073.
package controller
