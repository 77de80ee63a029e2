package dump

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/dohle-io/dohle/protocol/record"
)

// A producer snapshot, Kafka's ProducerSnapshot version 1. All integers are big endian.
//
//	0 version int16 · 2 CRC-32C uint32 of everything from byte 6 · 6 number of entries int32 · then per producer 46 bytes:
//	0 producer id int64 · 8 epoch int16 · 10 last sequence int32 · 14 last offset int64 · 22 offset delta int32 ·
//	26 timestamp int64 · 34 coordinator epoch int32 · 38 first offset of the open transaction int64 (-1 none)
const (
	producerHead      = 10
	producerEntrySize = 46
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (d *dumper) producerSnapshot(s *source) {
	in := s.reader(0)
	if s.size < producerHead {
		d.finding(0, "%d bytes, and the head alone has %d", s.size, producerHead)
		return
	}
	var head [producerHead]byte
	if err := readFull(in, head[:]); err != nil {
		d.unread(0, err)
		return
	}
	version := int16(binary.BigEndian.Uint16(head[:]))
	stored := binary.BigEndian.Uint32(head[2:])
	entries := int32(binary.BigEndian.Uint32(head[6:]))
	if version != 1 {
		d.finding(0, "version %d, and only 1 is known", version)
		return
	}
	crc := crc32.Checksum(head[6:], castagnoli)
	at := int64(producerHead)
	n := int32(0)
	var e [producerEntrySize]byte
	for ; n < entries && s.size-at >= producerEntrySize && !d.failed(); n++ {
		if err := readFull(in, e[:]); err != nil {
			d.unread(at, err)
			return
		}
		crc = crc32.Update(crc, castagnoli, e[:])
		d.producer(e[:])
		at += producerEntrySize
	}
	rest, err := restCRC(in, crc)
	if err != nil {
		d.unread(at, err)
		return
	}
	d.begin("summary", "summary: ")
	d.int("version", int64(version))
	d.int("entries", int64(n))
	d.int("crc", int64(stored))
	d.bool("isvalid", rest == stored)
	d.end()
	switch {
	case n != entries:
		d.finding(6, "the head counts %d producers, and the file holds %d", entries, n)
	case at != s.size:
		d.finding(at, "%d bytes follow the last producer", s.size-at)
	}
	if rest != stored {
		d.finding(2, "the checksum is %d, and that of the bytes is %d", stored, rest)
	}
}

// producer prints one entry. Fields about the last batch are left out when the producer has none.
func (d *dumper) producer(e []byte) {
	i32 := func(at int) int32 { return int32(binary.BigEndian.Uint32(e[at:])) }
	i64 := func(at int) int64 { return int64(binary.BigEndian.Uint64(e[at:])) }
	d.begin("producer", "")
	d.int("producerId", i64(0))
	d.int("producerEpoch", int64(int16(binary.BigEndian.Uint16(e[8:]))))
	d.int("coordinatorEpoch", int64(i32(34)))
	if open := i64(38); open >= 0 {
		d.int("currentTxnFirstOffset", open)
	} else {
		d.null("currentTxnFirstOffset")
	}
	d.millis("lastTimestamp", i64(26))
	if offset := i64(14); offset >= 0 {
		last, delta := i32(10), i32(22)
		d.int("firstSequence", int64(firstSequence(last, delta)))
		d.int("lastSequence", int64(last))
		d.int("lastOffset", offset)
		d.int("offsetDelta", int64(delta))
	}
	d.end()
}

// firstSequence goes delta back from a batch's last sequence; below 0 comes 2^31-1.
func firstSequence(last, delta int32) int32 {
	if last == record.NoSequence {
		return last
	}
	return int32((uint32(last) - uint32(delta)) & 0x7fffffff)
}

// restCRC adds what is left to a checksum.
func restCRC(in *bufio.Reader, crc uint32) (uint32, error) {
	for {
		if _, err := in.Peek(1); errors.Is(err, io.EOF) {
			return crc, nil
		} else if err != nil {
			return 0, err
		}
		b, _ := in.Peek(in.Buffered())
		crc = crc32.Update(crc, castagnoli, b)
		_, _ = in.Discard(len(b))
	}
}

func readFull(in *bufio.Reader, b []byte) error {
	_, err := io.ReadFull(in, b)
	return err
}
