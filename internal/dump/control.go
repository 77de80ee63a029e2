package dump

import (
	"encoding/binary"
	"fmt"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/record"
)

// controlMessage is what a control record of the quorum holds. Its first field is its version.
type controlMessage interface {
	message
	ReadFrom(b []byte, version int16) error
	VersionRange() (lowest, highest int16)
}

// control prints the rest of a control record's row and returns its type, -1 when it has none.
func (d *dumper) control(r *record.Record, pos int64) record.ControlType {
	t, err := record.ParseControlKey(r.Key)
	if err != nil {
		d.bytes("key", r.Key)
		d.bytes("value", r.Value)
		d.end()
		d.finding(pos, "the control record at offset %d has no type: %v", r.Offset, err)
		return -1
	}
	d.word("controlType", t.String())
	var m controlMessage
	switch t {
	case record.ControlAbort, record.ControlCommit:
		marker, err := record.ParseEndTxnValue(r.Value)
		d.rest(r, pos, err, func() { d.int("coordinatorEpoch", int64(marker.CoordinatorEpoch)) })
		return t
	case record.ControlLeaderChange:
		m = record.NewLeaderChangeMessage()
	case record.ControlSnapshotHeader:
		m = record.NewSnapshotHeaderRecord()
	case record.ControlSnapshotFooter:
		m = record.NewSnapshotFooterRecord()
	case record.ControlKRaftVersion:
		m = record.NewKRaftVersionRecord()
	case record.ControlVoters:
		m = record.NewVotersRecord()
	default:
		d.int("controlTypeId", int64(t))
		d.bytes("value", r.Value)
		d.end()
		return t
	}
	version, err := readMessage(m, r.Value)
	d.rest(r, pos, err, func() { d.raw("data", d.appendMessage(nil, m, version)) })
	return t
}

// rest ends a row with what show prints, or with the bare value and a finding when err says that it makes no sense.
func (d *dumper) rest(r *record.Record, pos int64, err error, show func()) {
	if err == nil {
		show()
		d.end()
		return
	}
	d.bytes("value", r.Value)
	d.end()
	d.finding(pos, "the value of the record at offset %d cannot be read: %v", r.Offset, err)
}

// readMessage reads a message in its own version, or, when that is newer than Kafka 4.4, in the newest known.
func readMessage(m controlMessage, value []byte) (version int16, err error) {
	if len(value) < 2 {
		return 0, fmt.Errorf("%d bytes, and no version", len(value))
	}
	version = int16(binary.BigEndian.Uint16(value))
	low, high := m.VersionRange()
	if version < low {
		return 0, fmt.Errorf("version %d", version)
	}
	version = min(version, high)
	return version, m.ReadFrom(value, version)
}

// metadataValue prints the rest of the row of a metadata record: {"type":"TOPIC_RECORD","version":0,"data":{...}}.
func (d *dumper) metadataValue(r *record.Record, pos int64) {
	if r.Key != nil {
		d.bytes("key", r.Key)
	}
	m, version, err := metadata.ParseRecord(r.Value)
	d.rest(r, pos, err, func() {
		text := fmt.Appendf(nil, `{"type":"%s","version":%d,"data":`, metadata.RecordName(m.APIKey()), version)
		d.raw("payload", append(d.appendMessage(text, m, version), '}'))
	})
}
