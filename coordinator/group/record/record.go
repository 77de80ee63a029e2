package record

import (
	"fmt"

	"github.com/dohle-io/dohle/protocol"
)

// A Key is the key of a record; its dynamic types are the ...Key structs.
type Key interface {
	message
	key()
}

// A Value is the value of a record; its dynamic types are the ...Value structs. Make them with their New functions: Kafka's
// defaults are not always Go's zero values.
type Value interface {
	message
	value()
}

type message interface {
	// RecordType is the type that key and value share.
	RecordType() int16
	// VersionRange gives the versions that Kafka 4.4 reads, both inclusive. Keys have version 0 only.
	VersionRange() (lowest, highest int16)
	// AppendTo writes the fields of a version to the end of dst and leaves out those that the version does not have.
	AppendTo(dst []byte, version int16) []byte
	// ReadFrom replaces every field; those that the version does not have get their defaults. Nothing of b is kept.
	// Errors wrap protocol.ErrMalformed.
	ReadFrom(b []byte, version int16) error
}

// A Record is one record of the topic.
type Record struct {
	Type    int16 // the first two bytes of the key
	Key     Key   // nil when Kafka 4.4 does not know the type
	Value   Value // nil is a tombstone, or that the type is not known
	Version int16 // of the value
}

// TypeName is Kafka's name of a record type, such as OFFSET_COMMIT; "" for an unknown one.
func TypeName(recordType int16) string { return typeNames[recordType] }

// WriteVersion is the version in which Apache Kafka 4.4.0 writes a value.
func WriteVersion(v Value) int16 {
	switch v := v.(type) {
	case *GroupMetadataValue:
		return 3 // 4 is read only: the first flexible one, for tags to come (KIP-915)
	case *OffsetCommitValue:
		if v.ExpireTimestamp != -1 {
			return 1 // the only one with an expiry of its own, asked for by OffsetCommit v2-v4
		}
	}
	_, highest := v.VersionRange()
	return highest
}

// Encode writes the key and value of a log record in the version that Kafka would choose. A nil value is a tombstone: the
// value's bytes are nil. Value and key must be of one type.
func Encode(k Key, v Value) (key, value []byte) {
	key = AppendKey(nil, k)
	if v == nil {
		return key, nil
	}
	if k.RecordType() != v.RecordType() {
		panic(fmt.Sprintf("record: a %T with a %T", k, v))
	}
	return key, AppendValue(nil, v, WriteVersion(v))
}

// AppendKey writes the key of a log record to the end of dst.
func AppendKey(dst []byte, k Key) []byte {
	return k.AppendTo(protocol.AppendInt16(dst, k.RecordType()), 0)
}

// AppendValue writes the value of a log record in one of its versions to the end of dst.
func AppendValue(dst []byte, v Value, version int16) []byte {
	return v.AppendTo(protocol.AppendInt16(dst, version), version)
}

// Decode reads a log record; a nil value is a tombstone. A type that Kafka 4.4 does not know is no error: Kafka skips such
// records, which a later release may have left behind. Everything else that cannot be read is an error, also an unknown
// version of a value: whoever cannot read a record must not go on. Errors wrap protocol.ErrMalformed.
func Decode(key, value []byte) (Record, error) {
	k := protocol.NewReader(key)
	r := Record{Type: k.Int16()}
	if err := k.Err(); err != nil {
		return Record{}, fmt.Errorf("type of a group record: %w", err)
	}
	r.Key = newKey(r.Type)
	if r.Key == nil {
		return r, nil
	}
	if err := r.Key.ReadFrom(k.Rest(), 0); err != nil {
		return Record{}, fmt.Errorf("key of %s: %w", TypeName(r.Type), err)
	}
	if value == nil {
		return r, nil
	}
	v := protocol.NewReader(value)
	r.Version = v.Int16()
	if err := v.Err(); err != nil {
		return Record{}, fmt.Errorf("version of %s: %w", TypeName(r.Type), err)
	}
	r.Value = newValue(r.Type)
	if err := r.Value.ReadFrom(v.Rest(), r.Version); err != nil {
		return Record{}, fmt.Errorf("%s version %d: %w", TypeName(r.Type), r.Version, err)
	}
	return r, nil
}

func unknownVersion(name string, version int16) error {
	return fmt.Errorf("%s: no version %d: %w", name, version, protocol.ErrMalformed)
}
