// Package metadata is the replicated state of the cluster as a value.
//
// # What it owns
//
// The metadata records (one struct per record, Kafka's names, ids and versions; records_gen.go), the immutable
// [Image], the [Delta] that turns one image into the next, the [Loader] that replays a log, the ladder of
// metadata.version levels that chooses record versions, and the way back: an image written as records is a snapshot.
//
// # Who calls it
//
// The controller decides on the latest image and replays its own records onto it. Brokers replay the committed log and
// act on the result. Both read the same type; there is no second model of the cluster.
//
// # Invariants
//
//   - An Image, and everything reachable from it, never changes once it was returned. Readers keep pointers and slices
//     without copying them, and never write to them.
//   - Replay is total and deterministic: equal records give equal images. A record that is unknown or does not fit the
//     state is an error, and the image it was meant for must not be used (a committed record is never skipped).
//   - Loading a snapshot equals replaying the log up to its end.
//   - Every field of an image is written by [Image.Records]; a reflection test holds us to it.
//
// # Cost
//
// Topics, configs and the like live in persistent maps (internal/pmap): one change among 10,000 topics copies one shard
// of a map and one topic's slice of pointers to partitions.
//
// # Goroutines and locks
//
// None. A Delta and a Loader have one owner; images may be shared freely.
//
// # What it does not do
//
// It does not decide (controller does), does not check configuration values (config does) and knows no files: a
// snapshot is a sequence of records here, its file format is the quorum's. The feature kraft.version is not part of
// the image; its level stands in the quorum's own control records (KAFKA-18979).
//
// KIPs: 500, 584 (features), 631 (records), 746, 778 (metadata.version), 841, 848, 858 (log directories), 866, 868
// (transactions), 900 (SCRAM), 919 (controller registration), 966 (eligible leader replicas).
package metadata
