// Package protocol is the border between bytes and values: frames, headers, versions, the bounded
// decoding of requests and answers, Kafka's primitives and its error codes. Messages themselves are
// kmsg's structs; record batches live in protocol/record, codecs in protocol/compress.
//
// broker/server and broker/peer call it for every frame; metadata and protocol/record build their
// codecs on Reader and the Append functions; everybody uses UUID, TopicPartition and CodeOf.
//
// A request goes ParseRequestHeader, RequestCost (reserve that much), DecodeChecked; an answer goes
// AppendResponse, or AppendFetchHead when records are spliced in on the socket.
//
// Invariants:
//   - Nothing reaches a kmsg decoder before the walk has gone over it: lengths and counts fit in what
//     is left, arrays have at most 1,000,000 elements, tag sections 10,000 ascending fields of 128 KiB,
//     strings 32,767 bytes, varints 5 bytes, null stands only where that version allows it. kmsg trusts
//     its peer and would allocate and loop by what the peer claims.
//   - The walk takes at most 4 steps for a byte, allocates nothing, and its total is never below what
//     decoding then allocates.
//   - Bytes after a body are ignored, as in Kafka. Stricter than Kafka, for no known client: a negative
//     length other than -1 (Kafka takes any for null), tags out of order, a known tag longer than its value.
//   - The table (schema_gen.go) holds all 91 live keys in every version that Kafka 4.4.0 serves. It is
//     made from Kafka's own schemas by internal/gen/messages and checked against kmsg both ways.
//     kmsg decodes a tag that a later version brought in every flexible version, so a handler must look
//     at the version before it believes such a field (Fetch: ReplicaState from 15 on).
//
// Everything here is a function of its arguments: no goroutines, no locks, no I/O, no state but
// constant tables. The one recover of the tree is in decode; the panic costs the connection.
//
// Not here: frame buffers, budgets and limits on frame length (broker/server); which keys this broker
// advertises (broker/api, from its own table); up-conversion for clients that Kafka 4 refuses.
//
// KIP-482 (flexible versions), KIP-511 (ApiVersions), KIP-516 (topic ids), KIP-896 (old versions refused).
package protocol
