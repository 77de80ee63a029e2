package storage

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A producer snapshot, Kafka's ProducerSnapshot schema version 1. All integers are big endian.
//
//	0 version int16 · 2 CRC-32C uint32 of everything from byte 6 · 6 number of entries int32 · then per producer 46 bytes:
//	0 producer id int64 · 8 epoch int16 · 10 last sequence int32 · 14 last offset int64 · 22 offset delta int32 ·
//	26 timestamp int64 · 34 coordinator epoch int32 · 38 first offset of the open transaction int64 (-1 none)
const (
	snapshotVersion   = 1
	snapshotHead      = 10
	snapshotEntrySize = 46
	maxSnapshot       = 1 << 30
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeSnapshot(producers []*producerEntry) []byte {
	// Kafka writes in the order of its hash table, which for the small ids of a small table is ascending.
	slices.SortFunc(producers, func(a, b *producerEntry) int { return cmp.Compare(a.id, b.id) })
	b := make([]byte, snapshotHead, snapshotHead+len(producers)*snapshotEntrySize)
	binary.BigEndian.PutUint16(b, snapshotVersion)
	binary.BigEndian.PutUint32(b[6:], uint32(len(producers)))
	for _, p := range producers {
		last := p.last()
		b = binary.BigEndian.AppendUint64(b, uint64(p.id))
		b = binary.BigEndian.AppendUint16(b, uint16(p.epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(last.lastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(last.lastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(last.delta))
		b = binary.BigEndian.AppendUint64(b, uint64(p.lastTimestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.coordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.txnFirst))
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[6:], castagnoli))
	return b
}

// decodeSnapshot reads a snapshot; any damage makes it unusable as a whole, and the state is rebuilt from batches.
func decodeSnapshot(name string, b []byte) ([]*producerEntry, error) {
	if len(b) < snapshotHead {
		return nil, &CorruptError{name, -1, "shorter than its head"}
	}
	if v := binary.BigEndian.Uint16(b); v != snapshotVersion {
		return nil, &CorruptError{name, 0, "unknown version"}
	}
	if binary.BigEndian.Uint32(b[2:]) != crc32.Checksum(b[6:], castagnoli) {
		return nil, &CorruptError{name, 2, "the checksum does not fit"}
	}
	n := int64(binary.BigEndian.Uint32(b[6:]))
	if n*snapshotEntrySize != int64(len(b)-snapshotHead) {
		return nil, &CorruptError{name, 6, "the number of entries does not fit the size"}
	}
	list := make([]*producerEntry, 0, n)
	for e := b[snapshotHead:]; len(e) > 0; e = e[snapshotEntrySize:] {
		p := newProducer(int64(binary.BigEndian.Uint64(e)))
		p.epoch = int16(binary.BigEndian.Uint16(e[8:]))
		p.lastTimestamp = int64(binary.BigEndian.Uint64(e[26:]))
		p.coordinatorEpoch = int32(binary.BigEndian.Uint32(e[34:]))
		p.txnFirst = max(int64(binary.BigEndian.Uint64(e[38:])), -1)
		if last := int64(binary.BigEndian.Uint64(e[14:])); last >= 0 {
			p.add(p.epoch, batchMeta{
				lastSequence: int32(binary.BigEndian.Uint32(e[10:])),
				delta:        int32(binary.BigEndian.Uint32(e[22:])),
				lastOffset:   last,
				timestamp:    p.lastTimestamp,
			})
		}
		list = append(list, p)
	}
	return list, nil
}
