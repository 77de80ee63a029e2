package dump

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"github.com/dohle-io/dohle/protocol/record"
)

// logState is what the walk over a segment or a snapshot remembers from batch to batch.
type logState struct {
	metadata bool // values are metadata records
	group    bool // records are those of the group coordinator
	batches  int64
	records  int64
	missing  int64 // offsets that no record has, between the first and the last: compaction took them
	first    int64 // offset of the first record, -1 none
	next     int64 // offset after the last batch, -1 none
	lastSeen int64 // offset of the last record, -1 none

	firstControl, lastControl record.ControlType // type of the first and of the last record; -1 when it is none
	reader                    record.Reader
}

// log prints a segment of a partition, or a snapshot of the metadata log, which has the same form.
func (d *dumper) log(s *source) {
	st := logState{first: -1, next: -1, lastSeen: -1, firstControl: -1, lastControl: -1}
	st.metadata = s.id.kind == snapshotFile || isMetadataLog(d.fs, s.path)
	st.group = isGroupLog(s.path)
	defer st.reader.Close()
	end := d.batches(s, &st)
	if s.id.kind == snapshotFile && d.findings == 0 && s.id.mark != "part" {
		if st.firstControl != record.ControlSnapshotHeader {
			d.finding(0, "the snapshot does not begin with a SNAPSHOT_HEADER record")
		}
		if st.lastControl != record.ControlSnapshotFooter {
			d.finding(end, "the snapshot does not end with a SNAPSHOT_FOOTER record: it is not whole")
		}
	}
	d.begin("summary", "summary: ")
	d.int("batches", st.batches)
	d.int("records", st.records)
	d.int("firstOffset", st.first)
	d.int("nextOffset", st.next)
	d.int("missingOffsets", st.missing)
	d.int("validBytes", end)
	d.end()
}

// batches prints whole batches up to the end of the file or to bytes that are none, and returns where they end.
func (d *dumper) batches(s *source, st *logState) (pos int64) {
	in := s.reader(0)
	var buf []byte
	for pos < s.size && !d.failed() {
		left := s.size - pos
		head, err := in.Peek(int(min(left, record.HeaderSize)))
		if err != nil {
			d.unread(pos, err)
			return pos
		}
		if allZero(head) {
			d.zeroes(in, pos, left)
			return pos
		}
		size, ok := d.batchSize(head, pos, left)
		if !ok {
			return pos
		}
		if cap(buf) < size {
			buf = make([]byte, size) // no larger than the file
		}
		buf = buf[:size]
		if _, err := io.ReadFull(in, buf); err != nil {
			d.unread(pos, err)
			return pos
		}
		b, _, err := record.Next(buf)
		if err != nil {
			d.finding(pos, "not a batch: %v", err)
			return pos
		}
		d.batch(b, pos, s, st)
		pos += int64(size)
	}
	return pos
}

// batchSize reads the size of the batch whose header is head and says so when it cannot be one.
func (d *dumper) batchSize(head []byte, pos, left int64) (int, bool) {
	if len(head) < record.HeaderSize {
		d.finding(pos, "the file ends after %d bytes of a batch header, which has %d", left, record.HeaderSize)
		return 0, false
	}
	offset := int64(binary.BigEndian.Uint64(head))
	switch magic := record.Batch(head).Magic(); {
	case magic == 0 || magic == 1:
		d.finding(pos, "a message set of magic %d, older than record batches; the %d bytes from here on are not read", magic, left)
		return 0, false
	case magic != 2:
		d.finding(pos, "magic %d, which is not 2: no batch begins here, and the %d bytes from here on are not read", magic, left)
		return 0, false
	}
	size, err := record.SizeAt(head)
	if err != nil {
		d.finding(pos, "the length field of the batch at offset %d is %d, less than a header; the %d bytes from here on are not read",
			offset, int32(binary.BigEndian.Uint32(head[8:])), left)
		return 0, false
	}
	if int64(size) > left {
		d.finding(pos, "the batch at offset %d has %d bytes by its length field, and the file ends after %d of them", offset, size, left)
		return 0, false
	}
	return size, true
}

// batch prints one whole batch and its records.
func (d *dumper) batch(b record.Batch, pos int64, s *source, st *logState) {
	valid := b.VerifyCRC()
	d.begin("batch", "")
	d.int("baseOffset", b.BaseOffset())
	d.int("lastOffset", b.LastOffset())
	d.int("count", int64(b.Count()))
	d.int("baseSequence", int64(b.BaseSequence()))
	d.int("lastSequence", int64(b.LastSequence()))
	d.int("producerId", b.ProducerID())
	d.int("producerEpoch", int64(b.ProducerEpoch()))
	d.int("partitionLeaderEpoch", int64(b.PartitionLeaderEpoch()))
	d.bool("isTransactional", b.IsTransactional())
	d.bool("isControl", b.IsControl())
	if horizon, ok := b.DeleteHorizon(); ok {
		d.millis("deleteHorizonMs", horizon)
	} else {
		d.null("deleteHorizonMs")
	}
	d.int("position", pos)
	d.stamp(b.TimestampType().String(), "maxTimestamp", b.MaxTimestamp())
	d.int("size", int64(b.Size()))
	d.int("magic", int64(b.Magic()))
	if c := b.Codec(); c.Valid() {
		d.word("compresscodec", c.String())
	} else {
		d.int("compresscodec", int64(c))
	}
	d.int("crc", int64(b.CRC()))
	d.bool("isvalid", valid)
	d.end()

	if !valid {
		d.finding(pos, "the batch at offset %d fails its checksum; what follows of it may be wrong", b.BaseOffset())
	}
	st.batches++
	switch {
	case b.LastOffset() < b.BaseOffset():
		d.finding(pos, "the batch ends at offset %d, before it begins", b.LastOffset())
	case s.id.kind == logFile && b.BaseOffset() < s.id.offset && st.next < 0:
		d.finding(pos, "the batch at offset %d is below the segment's base offset", b.BaseOffset())
	case st.next >= 0 && b.BaseOffset() < st.next:
		d.finding(pos, "the batch at offset %d does not lie above the one before it, which ends at %d", b.BaseOffset(), st.next-1)
	}
	d.records(b, pos, st)
	st.next = b.NextOffset()
}

// unread says why bytes could not be read.
func (d *dumper) unread(pos int64, err error) {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		d.finding(pos, "the file became shorter while it was read")
		return
	}
	d.finding(pos, "reading failed: %v", err)
}

// zeroes counts the zero bytes at pos, where no batch begins.
func (d *dumper) zeroes(in *bufio.Reader, pos, left int64) {
	n, err := countZeroes(in, left)
	if err != nil {
		d.unread(pos, err)
		return
	}
	d.begin("padding", "padding: ")
	d.int("position", pos)
	d.int("zeroBytes", n)
	d.end()
	if n < left {
		d.finding(pos, "%d zero bytes and no batch; the %d bytes after them are not read", n, left-n)
		return
	}
	d.finding(pos, "%d zero bytes follow, and no batch", n)
}

// countZeroes reads zero bytes, at most limit of them, and returns how many there are.
func countZeroes(in *bufio.Reader, limit int64) (n int64, err error) {
	for n < limit {
		if in.Buffered() == 0 {
			if _, err := in.Peek(1); err != nil {
				return n, err
			}
		}
		b, _ := in.Peek(int(min(int64(in.Buffered()), limit-n)))
		for i, c := range b {
			if c != 0 {
				_, _ = in.Discard(i)
				return n + int64(i), nil
			}
		}
		n += int64(len(b))
		_, _ = in.Discard(len(b))
	}
	return n, nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
