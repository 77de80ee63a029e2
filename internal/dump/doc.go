// Package dump prints the files of a log directory: what Dohle writes, and Kafka, as text for a person or as one JSON
// object a line. cmd/dohle calls it for `dohle dump`; nothing else does.
//
// A tour: dump.go walks the paths, kind.go knows files by their names, printer.go writes rows of named fields in either
// form, findings among them. Then a file per format: log.go for segments and for snapshots of the metadata log, with
// record.go, control.go, group.go and value.go for what lies in a batch; index.go and index_check.go, txn_index.go,
// producer_snapshot.go, checkpoint.go, properties.go, state.go.
//
// Where kafka-dump-log has a name for a field, the field has that name here. A row says at least as much as Kafka's
// tool says with --deep-iteration, --print-data-log, --cluster-metadata-decoder and, for __consumer_offsets by its
// directory's name, --offsets-decoder; indexes are compared with the log beside them as it does. The text is a golden test's: it depends on the bytes and the paths only.
//
// Invariants. A file is only read. Nothing is believed that the bytes do not bear out: a length that reaches past the
// end of the file is damage and allocates nothing, logs and indexes are read in pieces, decompression is capped. A
// damaged file is shown as far as it can be read; each finding is a row of its own with the byte it begins at, at most
// maxFindings of them a file, and Files then returns an error once everything else has been printed.
//
// The formats are those of storage/FORMAT.md. Storage refuses a damaged file as a whole, and this package shows what
// is left of one; so the small decoders here are its own, and only protocol/record, metadata and coordinator/group/record,
// which do that already, are shared.
//
// Not here: the records of __transaction_state, and what consumers of classic groups tell each other (subscriptions and
// assignments in GROUP_METADATA), are shown as bytes; nothing is repaired; message sets older than magic 2 are named and not read.
//
// No goroutines, no locks, no clock.
package dump
