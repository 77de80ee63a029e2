package record

import (
	"encoding/binary"
	"fmt"

	"github.com/dohle-io/dohle/protocol"
)

// A ControlType says what a control record is; it stands in the record's key.
type ControlType int16

const (
	ControlAbort          ControlType = 0 // EndTxnMarker
	ControlCommit         ControlType = 1 // EndTxnMarker
	ControlLeaderChange   ControlType = 2 // LeaderChangeMessage, the first record of every quorum epoch
	ControlSnapshotHeader ControlType = 3 // SnapshotHeaderRecord
	ControlSnapshotFooter ControlType = 4 // SnapshotFooterRecord
	ControlKRaftVersion   ControlType = 5 // KRaftVersionRecord (KIP-853)
	ControlVoters         ControlType = 6 // VotersRecord (KIP-853)
)

// String is Kafka's name; UNKNOWN for types that Kafka 4.4 does not know, whose records are skipped.
func (t ControlType) String() string {
	names := [...]string{"ABORT", "COMMIT", "LEADER_CHANGE", "SNAPSHOT_HEADER", "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"}
	if t < 0 || int(t) >= len(names) {
		return "UNKNOWN"
	}
	return names[t]
}

// AppendControlKey writes a control record's key: its own version (0), then the type.
func AppendControlKey(dst []byte, t ControlType) []byte {
	return protocol.AppendInt16(append(dst, 0, 0), int16(t))
}

// ParseControlKey reads a control record's key. A newer key version is read like version 0 and
// bytes after the type are ignored, as Kafka does.
func ParseControlKey(key []byte) (ControlType, error) {
	if len(key) < 4 {
		return 0, fmt.Errorf("control record key of %d bytes: %w", len(key), protocol.ErrMalformed)
	}
	if v := int16(binary.BigEndian.Uint16(key)); v < 0 {
		return 0, fmt.Errorf("control record key version %d: %w", v, protocol.ErrMalformed)
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// AppendEndTxnValue writes the value of an ABORT or COMMIT record: its version (0), then the fields.
// The KRaft control records' values have no such prefix; their version is their first field.
func AppendEndTxnValue(dst []byte, coordinatorEpoch int32) []byte {
	m := EndTxnMarker{CoordinatorEpoch: coordinatorEpoch}
	return m.AppendTo(append(dst, 0, 0), 0)
}

// ParseEndTxnValue reads the value of an ABORT or COMMIT record; newer versions are read like 0.
func ParseEndTxnValue(value []byte) (EndTxnMarker, error) {
	r := protocol.NewReader(value)
	var m EndTxnMarker
	if v := r.Int16(); r.Err() == nil && v < 0 {
		r.Fail("end transaction marker version %d", v)
	}
	if r.Err() != nil {
		return m, r.Err()
	}
	return m, m.ReadFrom(r.Rest(), 0)
}

func unknownVersion(name string, version int16) error {
	return fmt.Errorf("%s: no version %d: %w", name, version, protocol.ErrMalformed)
}
