package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/dohle-io/dohle/protocol/record"
)

// errCleanAborted ends a pass whose log was truncated, deleted, shortened or taken out of compaction meanwhile, or whose
// broker stops. What was swapped in stays; the next pass begins where this one began (C7).
var errCleanAborted = errors.New("the cleaning was aborted")

// cleanWorker is one thread of the cleaner with its memory, which is kept from log to log.
type cleanWorker struct {
	store *Store
	cfg   CleanerConfig
	keys  offsetMap
	read  []byte
	write []byte
}

// use takes a configuration over; buffers of another size go.
func (w *cleanWorker) use(c CleanerConfig) {
	if c.ioBuffer() != w.cfg.ioBuffer() {
		w.read, w.write = nil, nil
	}
	w.cfg = c
}

// letGo frees the memory while there is nothing to do.
func (w *cleanWorker) letGo() { w.keys, w.read, w.write = offsetMap{}, nil, nil }

// cleanPass is one cleaning of one log.
type cleanPass struct {
	*cleanWorker
	ctx   context.Context
	log   *Log
	shape int64 // of the log when the pass began
	rng   cleanRange
	nowMs int64
	last  map[int64]lastRecord

	segments []*segment // as of the beginning; the last is the active one
	facts    []segmentFacts

	bytesRead, bytesWritten int64
}

// alive is asked before each read and before each change.
func (p *cleanPass) alive() error {
	if p.ctx.Err() != nil || p.log.shape.Load() != p.shape || p.log.Err() != nil || !p.log.cfg.Load().Compact {
		return errCleanAborted
	}
	return nil
}

// run does the pass and returns the offset below which the log is clean now.
func (p *cleanPass) run() (end int64, err error) {
	l := p.log
	if err := p.alive(); err != nil {
		return 0, err
	}
	// First the disk has all that the pass relies on: a commit whose marker a power cut takes would have overwritten
	// what was committed before it. And the gaps that are left between segments lie below the recovery point: above it
	// recovery takes them for lost bytes.
	marks := l.HighWatermark() // the markers that made the last stable offset what it is lie below, maybe above that
	if err := l.Flush(marks); err != nil {
		return 0, err
	}
	if err := l.dir.raiseRecoveryPoint(l.tp, marks); err != nil {
		return 0, err
	}
	p.last = l.lastRecords(p.rng.upper)
	filter := &cleanFilter{keys: &p.keys, txns: newTxnFilter(), upper: p.rng.upper, codecs: l.codecs}
	defer filter.reader.Close()
	if err := p.readKeys(filter); err != nil {
		return 0, err
	}
	if end = p.keys.latest + 1; end <= p.rng.firstDirty {
		return 0, fmt.Errorf("%s: the keys of the batch at offset %d alone need more memory than a cleaner thread has: raise log.cleaner.dedupe.buffer.size", l.tp, p.rng.firstDirty)
	}
	filter.txns, filter.last, filter.nowMs, filter.retain = newTxnFilter(), p.last, p.nowMs, l.cfg.Load().DeleteRetentionMs
	cfg := l.cfg.Load()
	for _, g := range groupSegments(p.facts, end, p.rng.upper, int64(cfg.SegmentBytes), int64(cfg.SegmentIndexBytes)) {
		if err := p.cleanGroup(filter, p.segments[g[0]:g[1]], p.segments[g[1]].base); err != nil {
			return 0, err
		}
	}
	p.logDone(filter, end)
	return end, nil
}

// readKeys fills the offset map from the dirty part.
func (p *cleanPass) readKeys(f *cleanFilter) error {
	from, upper := p.rng.firstDirty, p.rng.upper
	p.keys.reset(p.cfg.slots(), p.cfg.LoadFactor, upper-from)
	aborted, err := p.log.abortedTransactions(from, upper)
	if err != nil {
		return p.failed(err)
	}
	f.txns.add(aborted)
	list := p.segments[:len(p.segments)-1]
	for i := max(floorSegment(list, from), 0); i < len(list) && list[i].base < upper; i++ {
		seg := list[i]
		pos := int64(0)
		if from > seg.base {
			if pos, err = seg.startAt(from); err != nil {
				return p.failed(err)
			}
		}
		full := false
		err := p.scan(seg, pos, func(b record.Batch, at int64) (bool, error) {
			room, err := f.note(b, from)
			if err != nil {
				return false, &CorruptError{seg.logName(), at, err.Error()}
			}
			full = !room
			return room, nil
		})
		if err != nil || full {
			return err
		}
		p.keys.latest = max(p.keys.latest, min(p.segments[i+1].base, upper)-1)
	}
	return nil
}

// scan reads the batches of a segment from pos on with large reads, checks their CRC, and hands them to visit until
// that returns false.
func (p *cleanPass) scan(seg *segment, pos int64, visit func(b record.Batch, pos int64) (bool, error)) error {
	limit, _ := seg.tail()
	if pos >= limit {
		return nil
	}
	f, err := seg.acquire()
	if err != nil {
		return p.failed(err)
	}
	defer seg.release()
	if p.read == nil {
		p.read = make([]byte, p.cfg.ioBuffer())
	}
	buf := p.read // a larger one, for a larger batch, is let go of (C5)
	have := 0
	for pos < limit {
		if err := p.alive(); err != nil {
			return err
		}
		n := int(min(int64(len(buf)-have), limit-pos-int64(have)))
		if n > 0 {
			p.store.throttle.wait(p.ctx, p.store.clocks.Real, n, p.cfg.MaxBytesPerSecond)
			if err := readFull(f, buf[have:have+n], pos+int64(have)); err != nil {
				return p.failed(err)
			}
			have += n
		}
		rest := buf[:have]
		for {
			b, more, err := record.Next(rest)
			if errors.Is(err, record.ErrShort) {
				break
			}
			if err == nil && !b.VerifyCRC() {
				err = errors.New("the checksum of the batch does not fit")
			}
			if err != nil {
				return p.damaged(&CorruptError{seg.logName(), pos, err.Error()})
			}
			goOn, err := visit(b, pos)
			if err != nil {
				return p.damaged(err)
			}
			if !goOn {
				return nil
			}
			pos += int64(len(b))
			p.bytesRead += int64(len(b))
			rest = more
		}
		have = copy(buf, rest)
		if pos+int64(have) == limit && have > 0 {
			return p.damaged(&CorruptError{seg.logName(), pos, "the file ends inside a batch"})
		}
		if have == len(buf) {
			size, err := record.SizeAt(buf)
			if err != nil || int64(size) > limit-pos {
				return p.damaged(&CorruptError{seg.logName(), pos, "the batch reaches past the end"})
			}
			if size <= len(buf) { // a whole batch that Next calls short cannot be
				return p.damaged(&CorruptError{seg.logName(), pos, "the length of the batch makes no sense"})
			}
			buf = append(make([]byte, 0, size), buf...)[:size]
		}
	}
	return nil
}

// damaged tells damage from a file that changed under the reader because the log did.
func (p *cleanPass) damaged(err error) error {
	if gone := p.alive(); gone != nil {
		return gone
	}
	return err
}

// failed is a disk error: it takes the directory offline, unless the file is gone because the log has changed.
func (p *cleanPass) failed(err error) error {
	if gone := p.alive(); gone != nil {
		return gone
	}
	if _, corrupt := asCorrupt(err); corrupt {
		return err
	}
	return p.log.fail("clean", err)
}

// cleanGroup writes what stays of a run of segments into one and swaps it in. next is the base of the segment behind.
func (p *cleanPass) cleanGroup(f *cleanFilter, group []*segment, next int64) (err error) {
	out, err := p.create(group[0].base)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && p.log.dir.Online() { // else the next start sees to it, which knows how far the swap got
			out.remove()
		}
	}()
	for i, seg := range group {
		end := next
		if i+1 < len(group) {
			end = group[i+1].base
		}
		aborted, err := p.log.abortedTransactions(seg.base, end)
		if err != nil {
			return p.failed(err)
		}
		f.txns.add(aborted)
		if err := p.scan(seg, 0, func(b record.Batch, at int64) (bool, error) {
			from := len(p.write)
			p.write, err = f.clean(p.write, b)
			if err != nil {
				return false, &CorruptError{seg.logName(), at, err.Error()}
			}
			if len(p.write) == from {
				return true, nil
			}
			return true, out.add(record.Batch(p.write[from:]))
		}); err != nil {
			return err
		}
	}
	written, err := group[len(group)-1].modTime()
	if err != nil {
		return p.failed(err)
	}
	if err := out.finish(f.txns.take(), written); err != nil {
		return err
	}
	return p.log.swapIn(out.segment(next), group, p.shape)
}
