package vfs

import (
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

const maxIovecs = 1024 // IOV_MAX

// WritevAt loops over pwritev: a short write is continued, as os.File.WriteAt does (KAFKA-17181).
func (f *osFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for len(bufs) > 0 {
		if len(bufs[0]) == 0 {
			bufs = bufs[1:]
			continue
		}
		n, err := unix.Pwritev(f.fd, bufs[:min(len(bufs), maxIovecs)], off+total)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, &os.PathError{Op: "pwritev", Path: f.f.Name(), Err: err}
		}
		if n == 0 {
			return total, &os.PathError{Op: "pwritev", Path: f.f.Name(), Err: io.ErrShortWrite}
		}
		total += int64(n)
		for n > 0 {
			k := min(n, len(bufs[0]))
			bufs[0] = bufs[0][k:]
			n -= k
			if len(bufs[0]) == 0 {
				bufs = bufs[1:]
			}
		}
	}
	return total, nil
}

// Sync is fdatasync: bytes and size, without the times of the inode.
func (f *osFile) Sync() error {
	for {
		err := unix.Fdatasync(f.fd)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "fdatasync", Path: f.f.Name(), Err: err}
		}
		return nil
	}
}

func (f *osFile) writeOut(off, n int64) {
	_ = unix.SyncFileRange(f.fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
}

func (f *osFile) forget(off, n int64) { _ = unix.Fadvise(f.fd, off, n, unix.FADV_DONTNEED) }

func (osFS) Usage(dir string) (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := int64(st.Bsize) //nolint:unconvert // 32 bits on some machines
	return int64(st.Blocks) * block, int64(st.Bavail) * block, nil
}

// OpenFileLimit is how many files and connections this process may have open, math.MaxInt64 when that is unknown.
func OpenFileLimit() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(limit.Cur)
}

// OpenFlusher uses syncfs, which reports write-back errors of the file system since Linux 5.8; older kernels lose
// them, and none older is supported.
func (osFS) OpenFlusher(dir string) (Flusher, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return syncfs{d, int(d.Fd())}, nil
}

type syncfs struct {
	dir *os.File
	fd  int
}

func (s syncfs) Flush() error {
	for {
		err := unix.Syncfs(s.fd)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "syncfs", Path: s.dir.Name(), Err: err}
		}
		return nil
	}
}

func (s syncfs) Close() error { return s.dir.Close() }
