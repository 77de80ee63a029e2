package storage

import (
	"errors"
	"io"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// readFull reads exactly len(p) bytes; fewer is io.ErrUnexpectedEOF.
func readFull(f vfs.File, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// headers walks the batch headers of [pos, limit) of a log file. visit gets the header's 61 bytes, valid during the
// call, and the position; it returns false to stop. Bytes between headers are not read unless they share a window.
// It returns the position after the last batch that was visited with true, and an error for a batch whose length or
// magic is impossible or that reaches past limit.
func headers(name string, f vfs.File, pos, limit int64, visit func(h record.Batch, pos int64) bool) (int64, error) {
	buf := scratch.Get().(*[scratchSize]byte)
	defer scratch.Put(buf)
	var start, end int64 // the part of the file that buf holds
	window := int64(1 << 10)
	for pos < limit {
		if limit-pos < record.HeaderSize {
			return pos, &CorruptError{name, pos, "the file ends inside a batch header"}
		}
		if pos < start || pos+record.HeaderSize > end {
			n := min(window, limit-pos, scratchSize)
			if err := readFull(f, buf[:n], pos); err != nil {
				return pos, err
			}
			if end == pos || pos-end < scratchSize {
				window = scratchSize // small batches: read many at once
			}
			start, end = pos, pos+n
		}
		h := record.Batch(buf[pos-start : pos-start+record.HeaderSize])
		size, err := record.SizeAt(h)
		if err != nil {
			return pos, &CorruptError{name, pos, err.Error()}
		}
		if h.Magic() != 2 {
			return pos, &CorruptError{name, pos, "the batch is not in format version 2"}
		}
		if pos+int64(size) > limit {
			return pos, &CorruptError{name, pos, "the batch reaches past the end"}
		}
		if !visit(h, pos) {
			return pos, nil
		}
		pos += int64(size)
	}
	return pos, nil
}

// readBatch reads the whole batch at pos, whose header was visited before.
func readBatch(f vfs.File, h record.Batch, pos int64) (record.Batch, error) {
	b := make(record.Batch, h.Size())
	return b, readFull(f, b, pos)
}
