package record

// What compaction needs to write a batch anew with fewer records (KIP-534).

// Options are those that give a batch the header fields of b. Codecs is left nil.
func (b Batch) Options() Options {
	o := Options{
		BaseOffset: b.BaseOffset(), LeaderEpoch: b.PartitionLeaderEpoch(), Codec: b.Codec(),
		TimestampType: b.TimestampType(), LogAppendTime: NoTimestamp,
		ProducerID: b.ProducerID(), ProducerEpoch: b.ProducerEpoch(), BaseSequence: b.BaseSequence(),
		Transactional: b.IsTransactional(), Control: b.IsControl(), DeleteHorizon: NoTimestamp,
	}
	if o.TimestampType == LogAppendTime {
		o.LogAppendTime = b.MaxTimestamp()
	}
	if horizon, ok := b.DeleteHorizon(); ok {
		o.DeleteHorizon = horizon
	}
	return o
}

// Rewind makes the next call of Next read the first record of the batch again.
func (r *Reader) Rewind() { r.at, r.index = 0, 0 }

// KeepLastOffset makes offset the last one that the batch covers, although its record is gone: the last sequence of
// the producer follows from it. It must not lie below the last record.
func (w *Builder) KeepLastOffset(offset int64) {
	if offset < w.lastOffset || offset-w.o.BaseOffset > maxInt32 {
		w.fail(errLastOffset)
		return
	}
	w.lastOffset = offset
}
