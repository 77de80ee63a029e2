// Package record reads, checks and makes Kafka's record batches of magic 2 (KIP-98), as views over bytes.
//
// Storage, the quorum, the coordinators and the produce path call it. It owns the batch header (Batch), walking
// records (Reader, Batch.Records), making batches (Builder), the control records (control.go, control_gen.go) and the
// rules a leader applies before it appends (Validate).
//
// Invariants. A Batch is exactly one whole batch with a header, as Next gives it; nothing is copied out of it. The
// base offset and the leader epoch lie before the CRC's range, so a leader patches them in place and the bytes the
// producer sent stay as they are. Records are numbered by deltas, so nothing inside is rewritten.
//
// Hostile input: every length is compared with what is left before it is used, nothing is allocated per record, and
// what comes out of decompression is capped by protocol/compress. Validate refuses more than Kafka does in a few
// places where Kafka would store a batch that nobody can read; they are listed at Validate.
//
// No goroutines, no locks, no clock: the time comes in with the rules. A Builder or Reader belongs to one goroutine;
// everything else may be called from several, as long as nobody patches the same bytes.
//
// Not here: message sets of magic 0 and 1, size limits of topics, producer sequences and epochs (storage).
//
// KIPs: 32 (timestamps), 82 (headers), 98 (this format), 360, 467 (errors per record), 534 (delete horizon),
// 937 (bounds on timestamps).
package record
