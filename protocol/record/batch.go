package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

// Byte offsets of the batch header, magic 2 (KIP-98). All integers are big endian.
//
//	0  base offset            int64
//	8  length of what follows int32   (size of the batch - 12)
//	12 partition leader epoch int32   outside the CRC
//	16 magic                  int8    always 2
//	17 CRC-32C                uint32  of everything from byte 21
//	21 attributes             int16   0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//	23 last offset delta      int32
//	27 base timestamp         int64   with bit 6: the delete horizon (KIP-534)
//	35 max timestamp          int64
//	43 producer id            int64   -1 none
//	51 producer epoch         int16
//	53 base sequence          int32   -1 none
//	57 record count           int32
//	61 records                        compressed as one block
const (
	// HeaderSize is the size of a batch without records.
	HeaderSize = 61
	// Overhead is what the length field does not count.
	Overhead = 12

	offLength          = 8
	offEpoch           = 12
	offMagic           = 16
	offCRC             = 17
	offAttributes      = 21
	offLastOffsetDelta = 23
	offBaseTimestamp   = 27
	offMaxTimestamp    = 35
	offProducerID      = 43
	offProducerEpoch   = 51
	offBaseSequence    = 53
	offCount           = 57

	minLegacySize = 14 // what Kafka asks of the length field, for every magic
)

// Bits of the attributes.
const (
	attrCodec         = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
	attrDeleteHorizon = 0x40
)

// Values that mean "none".
const (
	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

// TimestampType says who set the timestamps of a batch.
type TimestampType int8

// The two kinds (KIP-32).
const (
	CreateTime    TimestampType = 0
	LogAppendTime TimestampType = 1
)

// String gives the name used by message.timestamp.type.
func (t TimestampType) String() string {
	if t == LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is a view over the bytes of exactly one batch, as made by Next. The bytes are not copied.
// Its methods read fixed places and do not check again; call them only on what Next or a Builder gave.
type Batch []byte

// Next splits the first whole batch off b. It looks at the length and the magic only.
// The error is ErrShort when b ends inside the batch, CORRUPT_MESSAGE when the length is impossible, and
// UNSUPPORTED_FOR_MESSAGE_FORMAT for the message sets before magic 2.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) < Overhead {
		return nil, b, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(b[offLength:]))
	if length < minLegacySize {
		return nil, b, refuse(kerr.CorruptMessage, "Record size %d is less than the minimum record overhead (%d)", length, minLegacySize)
	}
	if len(b) <= offMagic {
		return nil, b, ErrShort
	}
	switch magic := int8(b[offMagic]); magic {
	case 2:
	case 0, 1:
		return nil, b, errLegacy(magic)
	default:
		return nil, b, refuse(kerr.CorruptMessage, "Invalid magic found in record: %d", magic)
	}
	if length < HeaderSize-Overhead {
		return nil, b, errSize(length)
	}
	size := int64(length) + Overhead
	if int64(len(b)) < size {
		return nil, b, ErrShort
	}
	return Batch(b[:size:size]), b[size:], nil
}

func errSize(length int32) error {
	return fmt.Errorf("batch length field %d is too small: %w", length, kerr.CorruptMessage)
}

func errLegacy(magic int8) error {
	return fmt.Errorf("batch magic %d: %w", magic, kerr.UnsupportedForMessageFormat)
}

// SizeAt reads the size of the whole batch that starts at b from its first 12 bytes, for readers that
// hold the head only. The value is not checked beyond being larger than a header.
func SizeAt(b []byte) (int, error) {
	if len(b) < Overhead {
		return 0, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(b[offLength:]))
	if length < HeaderSize-Overhead {
		return 0, errSize(length)
	}
	return int(length) + Overhead, nil
}

func (b Batch) i16(at int) int16 { return int16(binary.BigEndian.Uint16(b[at:])) }
func (b Batch) i32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) i64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }

// Size is the size in bytes of the whole batch.
func (b Batch) Size() int { return int(b.i32(offLength)) + Overhead }

// BaseOffset is the offset of the first record the batch was made with; compaction may have removed it.
func (b Batch) BaseOffset() int64 { return b.i64(0) }

// LastOffset is the offset of the last record the batch was made with, inclusive.
func (b Batch) LastOffset() int64 { return b.i64(0) + int64(b.i32(offLastOffsetDelta)) }

// NextOffset is the offset after the batch.
func (b Batch) NextOffset() int64 { return b.LastOffset() + 1 }

// PartitionLeaderEpoch is the epoch of the leader that appended the batch.
func (b Batch) PartitionLeaderEpoch() int32 { return b.i32(offEpoch) }

// Magic is the format version, 2.
func (b Batch) Magic() int8 { return int8(b[offMagic]) }

// CRC is the stored CRC-32C of everything from the attributes on.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[offCRC:]) }

// Attributes are the raw attribute bits.
func (b Batch) Attributes() int16 { return b.i16(offAttributes) }

// Codec is the compression of the records. Values above Zstd are possible in a damaged batch.
func (b Batch) Codec() compress.Codec { return compress.Codec(b[offAttributes+1] & attrCodec) }

// TimestampType says who set the timestamps.
func (b Batch) TimestampType() TimestampType {
	if b[offAttributes+1]&attrLogAppendTime != 0 {
		return LogAppendTime
	}
	return CreateTime
}

// IsTransactional says whether the batch is part of a transaction.
func (b Batch) IsTransactional() bool { return b[offAttributes+1]&attrTransactional != 0 }

// IsControl says whether the batch holds control records.
func (b Batch) IsControl() bool { return b[offAttributes+1]&attrControl != 0 }

// HasDeleteHorizon says whether the base timestamp field holds a delete horizon (KIP-534).
func (b Batch) HasDeleteHorizon() bool { return b[offAttributes+1]&attrDeleteHorizon != 0 }

// DeleteHorizon is the time in ms after which tombstones and markers of this batch may go; false without one.
func (b Batch) DeleteHorizon() (int64, bool) {
	if !b.HasDeleteHorizon() {
		return NoTimestamp, false
	}
	return b.i64(offBaseTimestamp), true
}

// LastOffsetDelta is the last offset relative to the base offset.
func (b Batch) LastOffsetDelta() int32 { return b.i32(offLastOffsetDelta) }

// BaseTimestamp is what timestamp deltas of records count from, in ms.
func (b Batch) BaseTimestamp() int64 { return b.i64(offBaseTimestamp) }

// MaxTimestamp is the largest timestamp in ms, -1 for none; with LogAppendTime the time of every record.
func (b Batch) MaxTimestamp() int64 { return b.i64(offMaxTimestamp) }

// ProducerID is the producer id, -1 for none.
func (b Batch) ProducerID() int64 { return b.i64(offProducerID) }

// HasProducerID says whether an idempotent or transactional producer wrote the batch.
func (b Batch) HasProducerID() bool { return b.i64(offProducerID) > NoProducerID }

// ProducerEpoch is the producer's epoch, -1 for none.
func (b Batch) ProducerEpoch() int16 { return b.i16(offProducerEpoch) }

// BaseSequence is the sequence number of the first record, -1 for none.
func (b Batch) BaseSequence() int32 { return b.i32(offBaseSequence) }

// LastSequence is the sequence number of the last record, -1 for none. Sequences wrap from 2^31-1 to 0.
func (b Batch) LastSequence() int32 {
	base := b.i32(offBaseSequence)
	if base == NoSequence {
		return NoSequence
	}
	return AddSequence(base, b.i32(offLastOffsetDelta))
}

// AddSequence advances a sequence number; 2^31-1 is followed by 0.
func AddSequence(seq, n int32) int32 {
	if seq > maxInt32-n {
		return n - (maxInt32 - seq) - 1
	}
	return seq + n
}

const maxInt32 = 1<<31 - 1

// Count is the number of records the header claims.
func (b Batch) Count() int32 { return b.i32(offCount) }

// Payload is what follows the header: the records, compressed when Codec says so.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// SetBaseOffset patches the base offset in place. It is outside the CRC.
func (b Batch) SetBaseOffset(offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLastOffset moves the base offset so that the last record gets the given offset.
func (b Batch) SetLastOffset(offset int64) { b.SetBaseOffset(offset - int64(b.LastOffsetDelta())) }

// SetPartitionLeaderEpoch patches the leader epoch in place. It is outside the CRC.
func (b Batch) SetPartitionLeaderEpoch(epoch int32) {
	binary.BigEndian.PutUint32(b[offEpoch:], uint32(epoch))
}

// SetLogAppendTime makes maxTimestamp, in ms, the time of every record: the type bit and the max timestamp are set
// and the CRC is made anew. The records are left alone: a reader takes the header's time.
func (b Batch) SetLogAppendTime(maxTimestamp int64) {
	b.setTimestamps(LogAppendTime, maxTimestamp)
}

// setTimestamps sets type and max timestamp; the CRC is made anew only when something changed.
func (b Batch) setTimestamps(t TimestampType, maxTimestamp int64) {
	if b.TimestampType() == t && b.MaxTimestamp() == maxTimestamp {
		return
	}
	if t == LogAppendTime {
		b[offAttributes+1] |= attrLogAppendTime
	} else {
		b[offAttributes+1] &^= attrLogAppendTime
	}
	binary.BigEndian.PutUint64(b[offMaxTimestamp:], uint64(maxTimestamp))
	b.setCRC()
}

func (b Batch) setCRC() {
	binary.BigEndian.PutUint32(b[offCRC:], crc32.Checksum(b[offAttributes:], castagnoli))
}

// VerifyCRC says whether the stored CRC fits the bytes.
func (b Batch) VerifyCRC() bool {
	return b.CRC() == crc32.Checksum(b[offAttributes:], castagnoli)
}
