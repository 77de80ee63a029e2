// Package api is the broker's surface: one file per request, named by its key, one table of all of them.
//
// What it owns: which keys and versions a node serves on which kind of listener, the shape of every answer,
// and what is derived from the table: dispatch, the ApiVersions answer, forwarding, docs/apis.md.
//
// Who calls it: package broker fills Handlers with its rooms, binds Table to them with NewDispatcher, hands
// that to the servers, and runs Dispatcher.Run. Start reading at table.go.
//
// Invariants. A handler asks rooms and shapes an answer; it decides nothing about the cluster. A failure is
// a code in the answer, mapped in one place (protocol.CodeOf). Arrays are empty, never null, unless Kafka
// writes null there. The image is taken once per request. A handler that waits calls Ctx.Park first.
//
// Goroutines and locks. Handlers run on the connections' goroutines. Dispatcher.Run is one more (run.go): it
// creates topics that Metadata was asked for. Requests of groups wait in package coordinator, on the connection's
// goroutine. Locks: fetchSession.mu, before FetchSessions.mu and those of package replica; autoCreate.mu, metadataCache.mu,
// nodeCache.mu, Images.mu, SharedRand.mu, all leaves.
//
// What it does not do: no authorization yet (every right is granted), no quotas, no metrics.
//
// KIPs: 4 (admin requests), 227 (fetch sessions), 516 (topic ids), 511, 584 (ApiVersions), 590 (forwarding), 919
// (controllers), 966 (DescribeTopicPartitions), 714 (telemetry: answered, empty).
package api
