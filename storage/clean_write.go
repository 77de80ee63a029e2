package storage

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// cleanedFile is a segment under construction, in files named .cleaned.
type cleanedFile struct {
	p       *cleanPass
	seg     *segment
	f       vfs.File
	size    int64 // in the file; what p.write holds comes behind it
	index   *indexBuilder
	aborted []AbortedTxn
	first   int64 // timestamp of the first batch
}

const outOfBuffer = 1 << 20 // bytes between hints to the machine to write out

func (p *cleanPass) create(base int64) (*cleanedFile, error) {
	seg := newSegment(p.log, base)
	c := &cleanedFile{p: p, seg: seg, index: newIndexBuilder(seg, p.log.cfg.Load().IndexIntervalBytes), first: unknownTimestamp}
	f, err := p.log.files.fs.OpenFile(seg.path(logSuffix+cleanedSuffix), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, p.failed(err)
	}
	c.f = f
	p.write = p.write[:0]
	return c, nil
}

// add notes a batch that was appended to p.write.
func (c *cleanedFile) add(b record.Batch) error {
	pos := c.size + int64(len(c.p.write)-len(b))
	if pos+int64(len(b)) > math.MaxInt32 || b.LastOffset()-c.seg.base > math.MaxInt32 {
		return fmt.Errorf("the cleaned segment at offset %d would be larger than a segment can be", c.seg.base)
	}
	if c.first == unknownTimestamp {
		c.first = b.MaxTimestamp()
	}
	c.index.add(b, pos)
	if len(c.p.write) >= c.p.cfg.ioBuffer() {
		return c.flush()
	}
	return nil
}

func (c *cleanedFile) flush() error {
	p := c.p
	n := int64(len(p.write))
	if n == 0 {
		return nil
	}
	p.store.throttle.wait(p.ctx, p.store.clocks.Real, int(n), p.cfg.MaxBytesPerSecond)
	if _, err := c.f.WriteAt(p.write, c.size); err != nil {
		return p.failed(err)
	}
	if from := c.size / outOfBuffer * outOfBuffer; (c.size+n)/outOfBuffer*outOfBuffer > from {
		vfs.WriteOut(c.f, from, (c.size+n)/outOfBuffer*outOfBuffer-from)
	}
	c.size += n
	p.bytesWritten += n
	p.write = p.write[:0]
	if cap(p.write) > 4*p.cfg.ioBuffer() { // one large batch is no reason to keep its memory
		p.write = nil
	}
	return nil
}

// finish makes the files durable, indexes and all, before any of their names changes. They are as old as what they come
// from, written: retention goes by it where no record has a timestamp.
func (c *cleanedFile) finish(aborted []AbortedTxn, written time.Time) error {
	p, fsys := c.p, c.p.log.files.fs
	if err := c.flush(); err != nil {
		return err
	}
	if err := p.alive(); err != nil {
		return err
	}
	if err := c.f.Sync(); err != nil {
		return p.failed(err)
	}
	err := c.f.Close()
	if c.f = nil; err != nil {
		return p.failed(err)
	}
	c.index.finish()
	c.aborted = slices.SortedFunc(slices.Values(aborted), func(a, b AbortedTxn) int { return cmp.Compare(a.LastOffset, b.LastOffset) })
	var txns []byte
	for _, a := range c.aborted {
		txns = a.appendTo(txns)
	}
	for _, w := range []struct {
		suffix string
		bytes  []byte
	}{{indexSuffix, c.index.idx.offsets}, {timeIndexSuffix, c.index.idx.times}, {txnIndexSuffix, txns}} {
		if w.suffix == txnIndexSuffix && len(txns) == 0 {
			continue
		}
		if err := vfs.WriteFile(fsys, c.seg.path(w.suffix+cleanedSuffix), w.bytes, true); err != nil {
			return p.failed(err)
		}
	}
	if written.IsZero() {
		return nil
	}
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix} {
		if err := fsys.SetModTime(c.seg.path(suffix+cleanedSuffix), written); err != nil {
			return p.failed(err)
		}
	}
	return nil
}

// segment is what the log will have in its list.
func (c *cleanedFile) segment(next int64) *segment {
	s := c.seg
	s.size, s.end = c.size, next
	s.maxTimestamp, s.maxOffset = c.index.maxTimestamp, c.index.maxOffset
	s.aborted, s.txnWritten = c.aborted, len(c.aborted)
	s.rollBase = c.first
	return s
}

// remove takes an unfinished segment away. What it leaves, the next start removes.
func (c *cleanedFile) remove() {
	if c.f != nil {
		c.f.Close()
	}
	for _, suffix := range segmentSuffixes {
		_ = c.p.log.files.fs.Remove(c.seg.path(suffix + cleanedSuffix))
	}
	c.p.write = c.p.write[:0]
}
