package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// FS is a file system. Safe for concurrent use. Errors satisfy errors.Is for fs.ErrNotExist and fs.ErrExist.
type FS interface {
	// OpenFile opens with os.O_* flags. O_APPEND is not supported: writers name their offset.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)

	// MkdirAll makes dir and its missing parents, mode 0700.
	MkdirAll(dir string) error

	Remove(name string) error
	RemoveAll(name string) error

	// Rename replaces newName if it is a file, and works on directories.
	Rename(oldName, newName string) error

	Stat(name string) (fs.FileInfo, error)

	// SetModTime is what Stat says of a file's time from now on, until it is written again. Nothing happens where a
	// file system has no times: Stat says zero there.
	SetModTime(name string, t time.Time) error

	// ReadDir lists a directory sorted by name. A symbolic link counts as what it leads to, with its size, since that is
	// what opening it gives; one that leads nowhere stays a link.
	ReadDir(dir string) ([]fs.DirEntry, error)

	// SyncDir makes entries created, renamed or removed in dir so far durable.
	SyncDir(dir string) error

	// Lock takes the exclusive lock named by a file, which it creates; ErrLocked when somebody holds it.
	Lock(name string) (io.Closer, error)

	// Usage is the size and the free space, in bytes, of the file system that holds dir.
	Usage(dir string) (total, free int64, err error)
}

// File is an open file. Reads and writes at disjoint ranges may run concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt

	// WritevAt writes bufs one after the other from off on, in one system call where the machine can.
	// It may change the slice headers in bufs, never the bytes.
	WritevAt(bufs [][]byte, off int64) (int64, error)

	// Sync makes the file's bytes and size durable; not its directory entry.
	Sync() error

	Truncate(size int64) error
	Size() (int64, error)
	Close() error
}

// A Flusher makes everything that was written below a directory durable at once, files and entries. It reports
// errors of write-back since it was opened, so it is opened before the writes and kept.
type Flusher interface {
	Flush() error
	Close() error
}

// FlusherOpener is what a file system has that can flush many files faster than one by one.
type FlusherOpener interface {
	// OpenFlusher returns errors.ErrUnsupported where there is no such thing.
	OpenFlusher(dir string) (Flusher, error)
}

// OpenFlusher opens a Flusher if the file system has one; otherwise errors.ErrUnsupported.
func OpenFlusher(fsys FS, dir string) (Flusher, error) {
	if o, ok := fsys.(FlusherOpener); ok {
		return o.OpenFlusher(dir)
	}
	return nil, errors.ErrUnsupported
}

// ErrLocked says that another holder has the lock.
var ErrLocked = errors.New("locked by another process")

// MakeDir is MkdirAll, made durable: each parent that got an entry is synced.
func MakeDir(fsys FS, dir string) error {
	var parents []string
	for at := path.Clean(dir); ; at = path.Dir(at) {
		if _, err := fsys.Stat(at); err == nil || at == path.Dir(at) {
			break
		}
		parents = append(parents, path.Dir(at))
	}
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for _, parent := range parents {
		if err := fsys.SyncDir(parent); err != nil {
			return err
		}
	}
	return nil
}

// stream is what a file has that may be a pipe or a terminal, which have no size and no offsets.
type stream interface {
	isStream() bool
	io.Reader
}

// ReadFile reads a whole file of at most limit bytes; a longer one is an error. A pipe is read to its end.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s, ok := f.(stream); ok && s.isStream() {
		data, err := io.ReadAll(io.LimitReader(s, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("%s: more than the %d bytes expected at most", name, limit)
		}
		return data, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("%s: %d bytes, more than the %d expected at most", name, size, limit)
	}
	buf := make([]byte, size)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return buf[:n], nil
}

// Same says whether two names mean one file or directory, by a link or otherwise. In memory there are no links.
func Same(fsys FS, a, b string) bool {
	if path.Clean(a) == path.Clean(b) {
		return true
	}
	one, err := fsys.Stat(a)
	if err != nil {
		return false
	}
	two, err := fsys.Stat(b)
	return err == nil && os.SameFile(one, two)
}

// WriteFile makes a file of data, or makes it what an existing one holds. With sync its bytes are durable, which says
// nothing of its name.
func WriteFile(fsys FS, name string, data []byte, sync bool) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = f.WriteAt(data, 0)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// WriteFileAtomic replaces name by data so that a reader after a crash finds the old bytes or the new, never a mix:
// a temporary file beside it, then a rename. With sync the bytes are durable before the rename and the rename before
// the return; without, a power cut may leave an empty or torn file under the final name, and the caller must be able
// to rebuild it.
func WriteFileAtomic(fsys FS, name string, data []byte, sync bool) error {
	temp := name + ".tmp"
	if err := WriteFile(fsys, temp, data, sync); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	if !sync {
		return nil
	}
	return fsys.SyncDir(path.Dir(name))
}

// pageCache is what a file has whose pages can be steered. Both are advice and have no result.
type pageCache interface {
	writeOut(off, n int64)
	forget(off, n int64)
}

// WriteOut starts to write bytes [off, off+n) of f to the disk without waiting. It makes nothing durable.
func WriteOut(f File, off, n int64) {
	if c, ok := f.(pageCache); ok {
		c.writeOut(off, n)
	}
}

// Forget lets the machine drop bytes [off, off+n) of f from its cache, as far as they are on the disk.
func Forget(f File, off, n int64) {
	if c, ok := f.(pageCache); ok {
		c.forget(off, n)
	}
}
