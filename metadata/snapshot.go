package metadata

import (
	"fmt"
	"iter"
)

// Records yields the image as the records of a snapshot for a cluster at level, in Kafka's order of aspects: features,
// brokers, controllers, topics, configs, quotas, producer ids, ACLs, SCRAM, tokens. Write each at
// level.RecordVersion(r). What level does not know is left out.
func (img *Image) Records(level Level) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = img.Features.records(level, yield) &&
			img.Brokers.records(level, yield) &&
			img.Controllers.records(level, yield) &&
			img.Topics.records(level, yield) &&
			img.Configs.records(yield) &&
			img.Quotas.records(yield) &&
			img.ProducerIDs.records(yield) &&
			img.ACLs.records(yield) &&
			img.Scram.records(level, yield) &&
			img.Tokens.records(level, yield)
	}
}

// LoadSnapshot replays the values of a snapshot's records. lastOffset is the last offset that the snapshot contains,
// one below the end offset in its name. before is only compared with, so that the delta says what changed.
func LoadSnapshot(before *Image, values iter.Seq2[[]byte, error], lastOffset int64, epoch int32, appendTime int64) (*Image, *Delta, error) {
	d := NewSnapshotDelta(before)
	for value, err := range values {
		if err != nil {
			return nil, nil, err
		}
		r, _, err := ParseRecord(value)
		if err != nil {
			return nil, nil, fmt.Errorf("snapshot of offset %d: %w", lastOffset, err)
		}
		if err := d.Replay(lastOffset, epoch, r); err != nil {
			return nil, nil, fmt.Errorf("snapshot of offset %d: %w", lastOffset, err)
		}
	}
	d.FinishSnapshot(lastOffset, epoch, appendTime)
	return d.Apply(), d, nil
}

// WriteSnapshot hands every record's value to add, at the versions of the image's own level. The slice is valid until
// add returns.
func (img *Image) WriteSnapshot(add func(value []byte) error) error {
	level := img.Level()
	var buf []byte
	for r := range img.Records(level) {
		buf = AppendRecord(buf[:0], r, level.RecordVersion(r))
		if err := add(buf); err != nil {
			return err
		}
	}
	return nil
}
