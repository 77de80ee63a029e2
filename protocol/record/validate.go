package record

import (
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

// One gives the only batch of a partition in a Produce request. Errors: INVALID_RECORD for none, several or an old
// magic, UNSUPPORTED_COMPRESSION_TYPE for zstd below version 7, CORRUPT_MESSAGE for an impossible length.
// What follows the first batch and is not whole is ignored, as in Kafka.
func One(records []byte, version int16) (Batch, error) {
	b, rest, err := Next(records)
	switch {
	case errors.Is(err, kerr.UnsupportedForMessageFormat):
		return nil, refuse(kerr.InvalidRecord,
			"Produce requests with version %d are only allowed to contain record batches with magic version 2", version)
	case errors.Is(err, ErrShort):
		return nil, refuse(kerr.InvalidRecord,
			"Produce requests with version %d must have at least one record batch per partition", version)
	case err != nil:
		return nil, err
	}
	if err := checkVersion(b, version); err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		if _, _, err := Next(rest); !errors.Is(err, ErrShort) {
			return nil, refuse(kerr.InvalidRecord,
				"Produce requests with version %d are only allowed to contain exactly one record batch per partition", version)
		}
	}
	return b, nil
}

func checkVersion(b Batch, version int16) error {
	if version > 0 && version < 7 && b.Codec() == compress.Zstd {
		return refuse(kerr.UnsupportedCompressionType,
			"Produce requests with version %d are not allowed to use ZStandard compression", version)
	}
	return nil
}

// Validate checks the batch b, as Next gave it, against what a leader asks before it appends. b is not changed;
// Info.Finish gives it the form that is stored.
//
// Errors wrap a kerr value: CORRUPT_MESSAGE for a wrong CRC; INVALID_RECORD for header fields that contradict each
// other, for damaged records, a record above MaxDecompressed, and missing keys; INVALID_TIMESTAMP; UNKNOWN_SERVER_ERROR
// for damaged compression, as Kafka answers; UNSUPPORTED_COMPRESSION_TYPE; MESSAGE_TOO_LARGE when the batch would
// decompress to more than compress.DefaultMax. Bad records are named by a *RecordErrors, and damage found later in
// the batch wins over them.
//
// Stricter than Kafka 4.4, which stores such batches or fails with UNKNOWN_SERVER_ERROR: a client's offset deltas must
// be 0, 1, 2 … (also in uncompressed batches, and when the topic recompresses); the lengths of records inside a
// compressed batch must fit their fields; codec ids 5-7 are named as unsupported; the total after decompression is
// capped.
func Validate(b Batch, rules Rules, c *compress.Codecs) (Info, error) {
	if rules.Origin == Follower {
		if !b.VerifyCRC() {
			return Info{}, errCRC(b, &rules)
		}
		return Info{MaxTimestamp: b.MaxTimestamp(), OffsetOfMaxTimestamp: b.LastOffsetDelta(), Records: b.Count()}, nil
	}
	if rules.Origin == Client {
		if err := checkVersion(b, rules.ProduceVersion); err != nil {
			return Info{}, err
		}
		if b.BaseOffset() != 0 {
			return Info{}, refuse(kerr.InvalidRecord, "The baseOffset of the record batch in the append to %s should be 0, but it is %d",
				rules.Partition, b.BaseOffset())
		}
	}
	if !b.VerifyCRC() {
		return Info{}, errCRC(b, &rules)
	}
	if err := checkHeader(b, &rules); err != nil {
		return Info{}, err
	}
	payload := b.Payload()
	if b.Codec() != compress.None && b.Count() > 0 {
		scratch, err := c.Borrow(b.Codec(), payload, 0)
		if err != nil {
			return Info{}, damaged(err)
		}
		defer scratch.Release()
		payload = scratch.Bytes()
	}
	return walk(b, payload, &rules)
}

// checkHeader compares the header's fields with each other.
func checkHeader(b Batch, rules *Rules) error {
	if !b.Codec().Valid() {
		return refuse(kerr.UnsupportedCompressionType, "Unknown compression type id: %d", int8(b.Codec()))
	}
	if rules.Origin != Client {
		if b.Count() < 0 {
			return errCount(b)
		}
		return nil
	}
	span := int64(b.LastOffsetDelta()) + 1
	count := b.Count()
	switch {
	case span <= 0:
		return refuse(kerr.InvalidRecord, "Batch has an invalid offset range: [%d, %d] in topic partition %s",
			b.BaseOffset(), b.LastOffset(), rules.Partition)
	case count <= 0:
		return refuse(kerr.InvalidRecord, "Invalid reported count for record batch: %d in topic partition %s", count, rules.Partition)
	case span != int64(count):
		return refuse(kerr.InvalidRecord, "Inconsistent batch offset range [%d, %d] and count of records %d in topic partition %s",
			b.BaseOffset(), b.LastOffset(), count, rules.Partition)
	case b.IsControl():
		return refuse(kerr.InvalidRecord, "Clients are not allowed to write control records in topic partition %s", rules.Partition)
	case b.HasProducerID() && b.BaseSequence() < 0:
		return refuse(kerr.InvalidRecord, "Invalid sequence number %d in record batch with producerId %d in topic partition %s",
			b.BaseSequence(), b.ProducerID(), rules.Partition)
	}
	return nil
}

// walk checks the records, which lie uncompressed in payload.
func walk(b Batch, payload []byte, rules *Rules) (Info, error) {
	var f fields
	var bad recordErrors
	count := b.Count()
	info := Info{MaxTimestamp: NoTimestamp, Records: count, ReEncode: rules.reencodes(b)}
	compressed := b.Codec() != compress.None
	appended := b.TimestampType() == LogAppendTime
	base, at := b.BaseTimestamp(), 0
	if appended {
		base = b.MaxTimestamp()
	}
	for i := range count {
		if p := f.parse(payload, at); p != fine {
			return Info{}, p.recordError(i)
		}
		at = f.end
		if compressed && rules.MaxDecompressed > 0 && f.bodySize > rules.MaxDecompressed {
			return Info{}, refuse(kerr.InvalidRecord, "Invalid record size: %d exceeds the configured maximum record size of %d.",
				f.bodySize, rules.MaxDecompressed)
		}
		if f.offsetDelta != i && rules.Origin == Client {
			return Info{}, refuse(kerr.InvalidRecord, "Record %d of the batch has offset delta %d in topic partition %s",
				i, f.offsetDelta, rules.Partition)
		}
		ts := base
		if !appended {
			ts += f.timestampDelta
		}
		if ts > info.MaxTimestamp {
			info.MaxTimestamp, info.OffsetOfMaxTimestamp = ts, f.offsetDelta
		}
		if rules.Compacted && f.keySize < 0 {
			bad.add(i, kerr.InvalidRecord, errKey(&bad, rules))
		} else if rules.TimestampType == CreateTime && ts != NoTimestamp {
			if diff := rules.NowMs - ts; diff > rules.BeforeMaxMs || -diff > rules.AfterMaxMs {
				bad.add(i, kerr.InvalidTimestamp, errTimestamp(&bad, rules, b.BaseOffset()+int64(f.offsetDelta), ts))
			}
		} else if appended {
			bad.add(i, kerr.InvalidTimestamp, errTimestampType(&bad, &f, b.BaseOffset()+int64(f.offsetDelta), ts, compressed && !info.ReEncode))
		}
	}
	if count > 0 && at != len(payload) {
		return Info{}, errRemaining()
	}
	if err := bad.err(); err != nil {
		return Info{}, err
	}
	if rules.TimestampType == LogAppendTime {
		info.MaxTimestamp, info.OffsetOfMaxTimestamp = rules.NowMs, 0
	}
	return info, nil
}

func errCRC(b Batch, rules *Rules) error {
	return refuse(kerr.CorruptMessage, "Record is corrupt (stored crc = %d) in topic partition %s.", b.CRC(), rules.Partition)
}

// damaged maps what compress says to the code Kafka answers with.
func damaged(err error) error {
	switch {
	case errors.Is(err, compress.ErrTooLarge):
		return refuse(kerr.MessageTooLarge, "The record batch decompresses to more than %d bytes", compress.DefaultMax)
	case errors.Is(err, kerr.CorruptMessage):
		return refuse(kerr.UnknownServerError, "Failed to decompress record stream (%v)", err)
	}
	return err
}

func badReencode(err error) error {
	return refuse(kerr.InvalidRecord, "The record batch cannot be written anew: %v", err)
}

// The texts of errors per record are Kafka's; clients and people compare them.

func errKey(bad *recordErrors, rules *Rules) string {
	if bad.full() {
		return ""
	}
	return "Compacted topic cannot accept message without key in topic partition " + rules.Partition
}

func errTimestamp(bad *recordErrors, rules *Rules, offset, ts int64) string {
	if bad.full() {
		return ""
	}
	m := make([]byte, 0, 144)
	m = strconv.AppendInt(append(m, "Timestamp "...), ts, 10)
	m = strconv.AppendInt(append(m, " of message with offset "...), offset, 10)
	m = strconv.AppendInt(append(m, " is out of range. The timestamp should be within ["...), rules.NowMs-rules.BeforeMaxMs, 10)
	m = strconv.AppendInt(append(m, ", "...), rules.NowMs+rules.AfterMaxMs, 10)
	return string(append(m, ']'))
}

func errTimestampType(bad *recordErrors, f *fields, offset, ts int64, partial bool) string {
	if bad.full() {
		return ""
	}
	key, value := f.keySize, f.valueSize
	m := append(make([]byte, 0, 208), "Invalid timestamp type in message "...)
	if partial { // Kafka's name of a record whose fields were skipped
		m = append(m, "Partial"...)
	} else {
		key, value = max(key, 0), max(value, 0)
	}
	m = strconv.AppendInt(append(m, "DefaultRecord(offset="...), offset, 10)
	m = strconv.AppendInt(append(m, ", timestamp="...), ts, 10)
	m = strconv.AppendInt(append(m, ", key="...), int64(key), 10)
	m = strconv.AppendInt(append(m, " bytes, value="...), int64(value), 10)
	return string(append(m, " bytes). Producer should not set timestamp type to LogAppendTime."...))
}
