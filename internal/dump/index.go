package dump

import (
	"bufio"
	"encoding/binary"
	"io"
)

// Entries of the two indexes of a segment, big endian. Offsets are relative to the base offset in the file's name. A
// file that was not closed properly is preallocated, and zero behind the last entry.
//
//	.index      0 relative offset uint32 · 4 position uint32
//	.timeindex  0 timestamp int64 · 8 relative offset uint32
const (
	offsetEntrySize = 8
	timeEntrySize   = 12
)

func (d *dumper) offsetIndex(s *source) {
	c := d.openCheck(s)
	defer c.close()
	lastOffset, lastPosition := int64(-1), int64(-1)
	d.entries(s, offsetEntrySize, func(e []byte, at int64) {
		offset := s.id.offset + int64(binary.BigEndian.Uint32(e))
		position := int64(binary.BigEndian.Uint32(e[4:]))
		d.begin("indexEntry", "")
		d.int("offset", offset)
		d.int("position", position)
		d.end()
		if offset <= lastOffset || position <= lastPosition {
			d.finding(at, "the entry of offset %d at position %d does not lie above the one before it", offset, position)
		}
		lastOffset, lastPosition = max(lastOffset, offset), max(lastPosition, position)
		c.checkOffset(d, at, offset, position)
	})
	c.summary(d)
}

func (d *dumper) timeIndex(s *source) {
	c := d.openCheck(s)
	defer c.close()
	lastTimestamp, lastOffset := int64(-1), int64(-1)
	d.entries(s, timeEntrySize, func(e []byte, at int64) {
		timestamp := int64(binary.BigEndian.Uint64(e))
		offset := s.id.offset + int64(binary.BigEndian.Uint32(e[8:]))
		d.begin("timeIndexEntry", "")
		d.millis("timestamp", timestamp)
		d.int("offset", offset)
		d.end()
		if timestamp <= lastTimestamp || offset <= lastOffset {
			d.finding(at, "the entry of timestamp %d at offset %d does not lie above the one before it", timestamp, offset)
		}
		lastTimestamp, lastOffset = max(lastTimestamp, timestamp), max(lastOffset, offset)
		c.checkTime(d, at, timestamp, offset)
	})
	c.summary(d)
}

// entries reads entries of a fixed size up to the zero tail of a preallocated file, which is counted.
func (d *dumper) entries(s *source, each int64, show func(e []byte, at int64)) {
	in := s.reader(0)
	var entry [64]byte
	for at := int64(0); at < s.size && !d.failed(); at += each {
		left := s.size - at
		if left < each {
			d.finding(at, "the file ends after %d bytes of an entry, which has %d", left, each)
			return
		}
		e := entry[:each]
		if _, err := io.ReadFull(in, e); err != nil {
			d.unread(at, err)
			return
		}
		if allZero(e) {
			d.zeroTail(s, in, each, at)
			return
		}
		show(e, at)
	}
}

// zeroTail says how long the preallocated rest is that begins with the zero entry at byte at, which was read.
func (d *dumper) zeroTail(s *source, in *bufio.Reader, each, at int64) {
	n, err := countZeroes(in, s.size-at-each)
	n += each
	if err != nil {
		d.unread(at, err)
		return
	}
	d.begin("padding", "padding: ")
	d.int("position", at)
	d.int("zeroBytes", n)
	d.int("entries", n/each)
	d.end()
	if at+n < s.size {
		d.finding(at+n, "an entry of zeroes ends the index, but bytes that are not zero follow it")
	}
}
