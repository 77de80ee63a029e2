package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// Slice is a range of whole batches in one segment, by reference. It keeps the segment's file open until Release,
// also when retention deletes the segment meanwhile. The zero Slice is empty and needs no Release. Copies of a Slice
// share one reference: release one of them, once.
type Slice struct {
	seg  *segment
	file vfs.File
	pos  int64
	n    int64
	cuts uint32
	base int64
}

// Len is the number of bytes.
func (s Slice) Len() int { return int(s.n) }

// BaseOffset is that of the first batch; it may lie below the offset asked for (protocol Q8). -1 when empty.
func (s Slice) BaseOffset() int64 {
	if s.n == 0 {
		return -1
	}
	return s.base
}

// ReadAt reads bytes of the range. After a truncation took some of them away it fails.
func (s Slice) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.n {
		return 0, io.EOF
	}
	short := int64(len(p)) > s.n-off
	if short {
		p = p[:s.n-off]
	}
	n, err := s.file.ReadAt(p, s.pos+off)
	if s.seg.cuts.Load() != s.cuts {
		return 0, errChanged
	}
	if n < len(p) && (err == nil || errors.Is(err, io.EOF)) {
		return n, io.ErrUnexpectedEOF
	}
	if n == len(p) {
		err = nil
	}
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}

// Release ends the reference.
func (s Slice) Release() {
	if s.seg != nil {
		s.seg.release()
	}
}

// Read finds whole batches from the one that holds offset on, or from the next one when offset lies in a gap. All of
// them lie below end, which is exclusive, and in one segment. Their size is at most maxBytes; with wholeFirst the
// first batch is returned even if it is larger (KIP-74). An empty Slice means that there is nothing yet.
//
// OFFSET_OUT_OF_RANGE when offset is below the log start or above the log end.
// No lock that is held across I/O is taken.
func (l *Log) Read(offset int64, maxBytes int, end int64, wholeFirst bool) (Slice, error) {
	for {
		list := l.list.Load()
		s, err := l.readOnce(offset, maxBytes, end, wholeFirst)
		if err == nil || !isNotExist(err) || !l.movedSince(list) {
			return s, err
		}
	}
}

func (l *Log) readOnce(offset int64, maxBytes int, end int64, wholeFirst bool) (Slice, error) {
	if err := l.Err(); err != nil {
		return Slice{}, err
	}
	leo := l.logEnd.Load() // before the list: every offset below it is in the list
	if start := l.logStart.Load(); offset < start || offset > leo {
		return Slice{}, fmt.Errorf("offset %d of %s is not in [%d, %d]: %w", offset, l.tp, start, leo, kerr.OffsetOutOfRange)
	}
	end = min(end, leo)
	if offset >= end || maxBytes <= 0 && !wholeFirst {
		return Slice{}, nil
	}
	list := l.segments()
	for i := max(floorSegment(list, offset), 0); i < len(list) && list[i].base < end; i++ {
		s, err := list[i].read(offset, int64(maxBytes), end, wholeFirst)
		if err != nil {
			if gone := l.Err(); gone != nil { // closed or deleted meanwhile
				return Slice{}, gone
			}
			return s, l.readFailed(err, list[i])
		}
		if s.n != 0 {
			return s, nil
		}
		if size, segEnd := list[i].tail(); size > 0 && segEnd > offset && !s.gap() {
			return Slice{}, nil // the batch is there but does not fit maxBytes, or reaches past end
		}
	}
	return Slice{}, nil
}

// gap marks the answer of segment.read that offset lies behind its last batch.
func (s Slice) gap() bool { return s.base == gapBase }

const gapBase = -3

func (seg *segment) read(offset, maxBytes, end int64, wholeFirst bool) (s Slice, err error) {
	cuts := seg.cuts.Load()
	size, segEnd := seg.tail()
	if size == 0 {
		return Slice{base: gapBase}, nil
	}
	f, err := seg.acquire()
	if err != nil {
		return Slice{}, err
	}
	defer func() {
		if s.n == 0 {
			s.seg = nil
			seg.release()
		}
	}()
	first, err := seg.find(f, offset, size)
	if err != nil {
		return Slice{}, err
	}
	if first.pos == size {
		return Slice{base: gapBase}, nil
	}
	limit := size
	if end < segEnd { // a batch that reaches past end does not count
		p, err := seg.find(f, end, size)
		if err != nil {
			return Slice{}, err
		}
		limit = p.pos
	}
	if limit <= first.pos {
		return Slice{}, nil
	}
	if limit-first.pos > maxBytes {
		if first.size == 0 {
			if first.size, err = batchSizeAt(f, first.pos); err != nil {
				return Slice{}, err
			}
		}
		if first.size > maxBytes {
			if !wholeFirst {
				return Slice{}, nil
			}
			limit = first.pos + first.size
		} else {
			cut, err := seg.cutBefore(f, first.pos, first.pos+maxBytes, limit)
			if err != nil {
				return Slice{}, err
			}
			limit = cut.pos
			seg.remember(cut)
		}
	}
	return Slice{seg: seg, file: f, pos: first.pos, n: limit - first.pos, cuts: cuts, base: first.base}, nil
}

func batchSizeAt(f vfs.File, pos int64) (int64, error) {
	buf := scratch.Get().(*[scratchSize]byte)
	defer scratch.Put(buf)
	if err := readFull(f, buf[:record.HeaderSize], pos); err != nil {
		return 0, err
	}
	n, err := record.SizeAt(buf[:record.HeaderSize])
	return int64(n), err
}

// readFailed tells a read error apart from a segment that went away under the reader.
func (l *Log) readFailed(err error, seg *segment) error {
	if l.logStart.Load() > seg.base && floorSegment(l.segments(), seg.base) < 0 {
		return fmt.Errorf("offset of %s is not in the log any more: %w", l.tp, kerr.OffsetOutOfRange)
	}
	return fmt.Errorf("read %s: %w", l.tp, storageErr(err))
}

// ReadBytes is Read with a copy, and always at least one whole batch when there is one below end.
func (l *Log) ReadBytes(offset int64, maxBytes int, end int64) ([]byte, error) {
	s, err := l.Read(offset, maxBytes, end, true)
	if err != nil || s.Len() == 0 {
		return nil, err
	}
	defer s.Release()
	b := make([]byte, s.Len())
	if _, err := s.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, storageErr(err)
	}
	return b, nil
}
