//go:build !linux

package vfs

import (
	"errors"
	"io"
	"math"
)

// WritevAt writes the buffers one by one where there is no pwritev.
func (f *osFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for _, b := range bufs {
		n, err := f.f.WriteAt(b, off+total)
		total += int64(n)
		if err != nil {
			return total, err
		}
		if n < len(b) {
			return total, io.ErrShortWrite
		}
	}
	return total, nil
}

// Sync uses the full fsync (on macOS F_FULLFSYNC, which os.File.Sync knows).
func (f *osFile) Sync() error { return f.f.Sync() }

func (osFS) Usage(string) (total, free int64, err error) { return 0, 0, errors.ErrUnsupported }

func (osFS) OpenFlusher(string) (Flusher, error) { return nil, errors.ErrUnsupported }

// OpenFileLimit is not known.
func OpenFileLimit() int64 { return math.MaxInt64 }
