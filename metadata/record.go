package metadata

import (
	"fmt"
	"math"

	"github.com/dohle-io/dohle/protocol"
)

// A Record is one KRaft metadata record: what the controller writes to __cluster_metadata and every
// node replays. The structs are generated from Kafka's schemas (records_gen.go); New<Record> gives
// one with Kafka's defaults, which are not always Go's zero values.
type Record interface {
	// APIKey is the record's type.
	APIKey() int16
	// VersionRange gives the versions that Kafka 4.4 knows, both inclusive. Which one to write is
	// decided by metadata.version alone.
	VersionRange() (lowest, highest int16)
	// AppendTo writes the fields of a version to the end of dst. Fields that the version does not
	// have are left out. version must be in the range.
	AppendTo(dst []byte, version int16) []byte
	// ReadFrom replaces every field; those that the version does not have get their defaults.
	// Nothing of b is kept. Errors wrap protocol.ErrMalformed, also for bytes left over.
	ReadFrom(b []byte, version int16) error
}

// frameVersion is the only layout of a metadata record's value: three varints (this number, key,
// version), then the fields.
const frameVersion = 1

// AppendRecord writes the value of a log record: frame version, key, version, fields.
func AppendRecord(dst []byte, r Record, version int16) []byte {
	dst = protocol.AppendUvarint(dst, frameVersion)
	dst = protocol.AppendUvarint(dst, uint32(r.APIKey()))
	dst = protocol.AppendUvarint(dst, uint32(version))
	return r.AppendTo(dst, version)
}

// ParseRecord reads what AppendRecord wrote. An unknown key, version or frame version is an error:
// who cannot read a metadata record must not go on.
func ParseRecord(value []byte) (Record, int16, error) {
	r := protocol.NewReader(value)
	frame, key, version := r.Uvarint(), r.Uvarint(), r.Uvarint()
	switch {
	case r.Err() != nil:
		return nil, 0, r.Err()
	case frame != frameVersion:
		return nil, 0, fmt.Errorf("metadata record with frame version %d, want %d: %w", frame, frameVersion, protocol.ErrMalformed)
	case key > math.MaxInt16 || version > math.MaxInt16:
		return nil, 0, fmt.Errorf("metadata record with key %d, version %d: %w", key, version, protocol.ErrMalformed)
	}
	rec := newRecord(int16(key))
	if rec == nil {
		return nil, 0, fmt.Errorf("metadata record with unknown key %d: %w", key, protocol.ErrMalformed)
	}
	if err := rec.ReadFrom(r.Rest(), int16(version)); err != nil {
		return nil, 0, fmt.Errorf("%s version %d: %w", RecordName(int16(key)), version, err)
	}
	return rec, int16(version), nil
}

// RecordName is Kafka's name of a record type, such as TOPIC_RECORD; "" for an unknown key.
func RecordName(key int16) string { return recordNames[key] }

func unknownVersion(name string, version int16) error {
	return fmt.Errorf("%s: no version %d: %w", name, version, protocol.ErrMalformed)
}
