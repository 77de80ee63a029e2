package dump

import (
	"os"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// indexCheck compares an index with the log beside it: an entry of the offset index names the last offset of the batch
// at its position; an entry of the time index names the last offset of a batch, and its largest timestamp.
type indexCheck struct {
	log     vfs.File // nil: there is none
	size    int64
	entries int64

	// The walk over the log for the time index: the batch at pos-its size, read last. Entries rise, so it never goes back.
	pos       int64
	ended     bool
	last      int64 // its last offset, -1 before the first
	timestamp int64
}

// openCheck opens the log of the same segment, with the same mark.
func (d *dumper) openCheck(s *source) *indexCheck {
	c := &indexCheck{last: -1}
	const digits = 20
	name := path.Base(s.path)[:digits] + ".log"
	if s.id.mark != "" {
		name += "." + s.id.mark
	}
	f, err := d.fs.OpenFile(path.Join(path.Dir(s.path), name), os.O_RDONLY, 0)
	if err != nil {
		return c
	}
	if c.size, err = f.Size(); err != nil {
		_ = f.Close()
		return c
	}
	c.log = f
	return c
}

func (c *indexCheck) close() {
	if c.log != nil {
		_ = c.log.Close()
	}
}

// header reads the header of the batch at pos; ok is false when there is no batch of magic 2 in the file there.
func (c *indexCheck) header(pos int64, buf []byte) (h record.Batch, ok bool) {
	if pos < 0 || pos+record.HeaderSize > c.size {
		return nil, false
	}
	if n, _ := c.log.ReadAt(buf, pos); n < len(buf) {
		return nil, false
	}
	h = record.Batch(buf)
	size, err := record.SizeAt(h)
	return h, err == nil && h.Magic() == 2 && pos+int64(size) <= c.size
}

func (c *indexCheck) checkOffset(d *dumper, at, offset, position int64) {
	c.entries++
	if c.log == nil {
		return
	}
	var buf [record.HeaderSize]byte
	h, ok := c.header(position, buf[:])
	switch {
	case !ok:
		d.finding(at, "the entry names position %d, where the log has no batch", position)
	case h.LastOffset() != offset:
		d.finding(at, "the entry names offset %d, and the batch at position %d of the log ends at offset %d", offset, position, h.LastOffset())
	}
}

func (c *indexCheck) checkTime(d *dumper, at, timestamp, offset int64) {
	c.entries++
	if c.log == nil {
		return
	}
	var buf [record.HeaderSize]byte
	for !c.ended && c.last < offset {
		h, ok := c.header(c.pos, buf[:])
		if !ok {
			c.ended = true
			break
		}
		c.last, c.timestamp = h.LastOffset(), h.MaxTimestamp()
		c.pos += int64(h.Size())
	}
	switch {
	case c.last != offset:
		d.finding(at, "the entry names offset %d, and no batch of the log ends there", offset)
	case c.timestamp != timestamp:
		d.finding(at, "the entry names timestamp %d, and the largest of the batch that ends at offset %d is %d", timestamp, offset, c.timestamp)
	}
}

func (c *indexCheck) summary(d *dumper) {
	d.begin("summary", "summary: ")
	d.int("entries", c.entries)
	d.bool("comparedWithLog", c.log != nil)
	d.end()
}
