// Package record is the records of __consumer_offsets, as Kafka writes them: committed offsets, classic groups, consumer
// groups (KIP-848), share groups (KIP-932) and streams groups (KIP-1071). The bytes are Kafka's, so that its tools and
// brokers read our topic, and ours theirs.
//
//	key    int16 record type · fields of the key, always version 0
//	value  int16 version     · fields of the value; no value at all is a tombstone
//
// Who calls it: coordinator/group encodes what it decides and decodes what it replays; internal/dump prints records.
//
// Invariants. Decode never allocates by a length that it did not check against the bytes that are there. It keeps nothing
// of its input. Encode of what Decode gave is the same record; the same bytes too, unless a newer writer had added tagged
// fields or bytes after the last field, which Kafka ignores and so do we.
//
// Pure: no state, goroutines or locks. The codecs in records_gen.go are made from Kafka's schemas by internal/gen/messages.
//
// It does not know what records mean, nor the order in which a group must write them.
package record
