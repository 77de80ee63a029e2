// Package compress is Kafka's four batch codecs over byte slices: gzip, snappy (xerial framing, and raw blocks
// on read), lz4 frames and zstd.
//
// It is called by protocol/record, and through it by everything that reads or writes compressed batches.
//
// Codecs is a value that lives in the broker, one per broker, shared by all goroutines. It holds the pools of coders
// and scratch buffers: some coders own channels, so none of them may sit in a package variable, where it would outlive
// the bubble of a test. The coders run on the caller's goroutine (concurrency 1); nothing here starts a goroutine.
//
// Input is hostile. What decompression may produce is capped (DefaultMax unless the caller says less), buffers grow
// with the bytes that came out and not by what a header promises beyond what the input could possibly hold, and large
// outputs are taken one per core at a time. Damage is kerr.CorruptMessage, wrapped; passing the cap is ErrTooLarge.
//
// What is written has the framing that Kafka's Java client and broker write, not necessarily the same bytes.
//
// KIPs: 110 (zstd), 390 (compression levels). KAFKA-3160 (the wrong lz4 header checksum of magic 0 is not accepted).
package compress
