package dump

import "encoding/binary"

// txnEntrySize is one entry of a transaction index, an aborted transaction:
//
//	0 version int16 · 2 producer id int64 · 10 first offset int64 · 18 last offset int64 · 26 last stable offset int64
const txnEntrySize = 34

func (d *dumper) txnIndex(s *source) {
	in := s.reader(0)
	last := int64(-1)
	count := int64(0)
	var e [txnEntrySize]byte
	for at := int64(0); at < s.size && !d.failed(); at += txnEntrySize {
		if left := s.size - at; left < txnEntrySize {
			d.finding(at, "the file ends after %d bytes of an entry, which has %d", left, txnEntrySize)
			break
		}
		if err := readFull(in, e[:]); err != nil {
			d.unread(at, err)
			break
		}
		version := int16(binary.BigEndian.Uint16(e[:]))
		if version != 0 {
			d.finding(at, "the entry has version %d, and only 0 is known; the rest is not read", version)
			break
		}
		firstOffset := int64(binary.BigEndian.Uint64(e[10:]))
		lastOffset := int64(binary.BigEndian.Uint64(e[18:]))
		d.begin("abortedTransaction", "")
		d.int("version", int64(version))
		d.int("producerId", int64(binary.BigEndian.Uint64(e[2:])))
		d.int("firstOffset", firstOffset)
		d.int("lastOffset", lastOffset)
		d.int("lastStableOffset", int64(binary.BigEndian.Uint64(e[26:])))
		d.end()
		count++
		switch {
		case firstOffset > lastOffset:
			d.finding(at, "the transaction ends at offset %d, before it begins at %d", lastOffset, firstOffset)
		case lastOffset < s.id.offset:
			d.finding(at, "the transaction ends at offset %d, below the segment", lastOffset)
		case lastOffset <= last:
			d.finding(at, "the transaction ends at offset %d, not above the one before it, which ends at %d", lastOffset, last)
		}
		last = lastOffset
	}
	d.begin("summary", "summary: ")
	d.int("entries", count)
	d.end()
}
