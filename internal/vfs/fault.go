package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"sync"
	"time"
)

// Kind is what an operation does, as one bit.
type Kind uint16

const (
	KindOpen Kind = 1 << iota // an existing file
	KindCreate
	KindRead
	KindWrite
	KindTruncate
	KindSync
	KindSyncDir
	KindRename
	KindRemove
	KindMkdir
	KindList // Stat and ReadDir
	KindLock
	KindTime // of a file, set

	// Mutating are the kinds that change what a crash could leave behind.
	Mutating = KindCreate | KindWrite | KindTruncate | KindSync | KindSyncDir | KindRename | KindRemove | KindMkdir | KindTime
)

// Op is one operation on the file system below.
type Op struct {
	Kind Kind
	Name string // of a rename the old name
}

// ErrCrashed is the answer to every operation after the crash point.
var ErrCrashed = errors.New("the machine has stopped")

// A Rule fails operations that match. Its zero value never does.
type Rule struct {
	Kinds   Kind   // any of these
	Pattern string // path.Match on the last part of the name; "" matches all
	Nth     int    // the first match that fails, counted from 1
	Last    int    // the last that fails; 0: the same as Nth; negative: all from Nth on
	Err     error  // what it fails with
	Short   bool   // a write writes half of its bytes before it fails

	seen int
}

// Fault passes operations on to another file system, counts them, and lets a test fail some of them or stop the
// world after the nth: from then on nothing reaches the disk below, which holds what a crash at that point leaves.
type Fault struct {
	base FS

	mu      sync.Mutex
	rules   []*Rule
	count   int // mutating operations so far
	crashAt int // the operation that no longer happens; 0: never
	crashed bool
	observe func(Op)
}

// NewFault wraps base; it fails nothing until told to.
func NewFault(base FS) *Fault { return &Fault{base: base} }

// Fail adds a rule.
func (f *Fault) Fail(r Rule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Err == nil {
		r.Err = errors.New("input/output error")
	}
	f.rules = append(f.rules, &r)
}

// Heal drops all rules.
func (f *Fault) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// CrashAfter stops the world when n mutating operations have happened: the next one does not.
func (f *Fault) CrashAfter(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = n + 1
}

// Crashed tells whether the crash point was reached.
func (f *Fault) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// Count is the number of mutating operations so far.
func (f *Fault) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Observe calls fn before every operation, under the wrapper's lock.
func (f *Fault) Observe(fn func(Op)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observe = fn
}

// step decides about one operation. short asks a write to write half before it fails.
func (f *Fault) step(kind Kind, name string) (err error, short bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return pathErr("crash", name, ErrCrashed), false
	}
	if f.observe != nil {
		f.observe(Op{kind, name})
	}
	if kind&Mutating != 0 {
		f.count++
		if f.count == f.crashAt {
			f.crashed = true
			return pathErr("crash", name, ErrCrashed), kind == KindWrite
		}
	}
	for _, r := range f.rules {
		if r.Kinds&kind == 0 {
			continue
		}
		if r.Pattern != "" {
			if ok, _ := path.Match(r.Pattern, path.Base(name)); !ok {
				continue
			}
		}
		r.seen++
		if r.Nth > 0 && r.seen >= r.Nth && (r.seen <= max(r.Nth, r.Last) || r.Last < 0) {
			return pathErr("fault", name, r.Err), r.Short
		}
	}
	return nil, false
}

func (f *Fault) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	kind := KindOpen
	if flag&os.O_CREATE != 0 {
		if _, err := f.base.Stat(name); err != nil {
			kind = KindCreate
		}
	}
	if flag&os.O_TRUNC != 0 && kind == KindOpen {
		kind = KindTruncate
	}
	if err, _ := f.step(kind, name); err != nil {
		return nil, err
	}
	file, err := f.base.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, f: f, name: name}, nil
}

func (f *Fault) MkdirAll(dir string) error {
	if err, _ := f.step(KindMkdir, dir); err != nil {
		return err
	}
	return f.base.MkdirAll(dir)
}

func (f *Fault) Remove(name string) error {
	if err, _ := f.step(KindRemove, name); err != nil {
		return err
	}
	return f.base.Remove(name)
}

func (f *Fault) RemoveAll(name string) error {
	if err, _ := f.step(KindRemove, name); err != nil {
		return err
	}
	return f.base.RemoveAll(name)
}

func (f *Fault) Rename(oldName, newName string) error {
	if err, _ := f.step(KindRename, oldName); err != nil {
		return err
	}
	return f.base.Rename(oldName, newName)
}

func (f *Fault) Stat(name string) (fs.FileInfo, error) {
	if err, _ := f.step(KindList, name); err != nil {
		return nil, err
	}
	return f.base.Stat(name)
}

func (f *Fault) SetModTime(name string, t time.Time) error {
	if err, _ := f.step(KindTime, name); err != nil {
		return err
	}
	return f.base.SetModTime(name, t)
}

func (f *Fault) ReadDir(dir string) ([]fs.DirEntry, error) {
	if err, _ := f.step(KindList, dir); err != nil {
		return nil, err
	}
	return f.base.ReadDir(dir)
}

func (f *Fault) SyncDir(dir string) error {
	if err, _ := f.step(KindSyncDir, dir); err != nil {
		return err
	}
	return f.base.SyncDir(dir)
}

func (f *Fault) Lock(name string) (io.Closer, error) {
	if err, _ := f.step(KindLock, name); err != nil {
		return nil, err
	}
	return f.base.Lock(name)
}

func (f *Fault) Usage(dir string) (total, free int64, err error) { return f.base.Usage(dir) }

// OpenFlusher counts a flush as one sync of the directory.
func (f *Fault) OpenFlusher(dir string) (Flusher, error) {
	base, err := OpenFlusher(f.base, dir)
	if err != nil {
		return nil, err
	}
	return faultFlusher{base, f, dir}, nil
}

type faultFlusher struct {
	Flusher
	f   *Fault
	dir string
}

func (s faultFlusher) Flush() error {
	if err, _ := s.f.step(KindSync, s.dir); err != nil {
		return err
	}
	return s.Flusher.Flush()
}

type faultFile struct {
	File
	f    *Fault
	name string
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err, _ := f.f.step(KindRead, f.name); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	if err, short := f.f.step(KindWrite, f.name); err != nil {
		if short {
			n, _ := f.File.WriteAt(p[:len(p)/2], off)
			return n, err
		}
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *faultFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	if err, short := f.f.step(KindWrite, f.name); err != nil {
		if short && len(bufs) > 0 {
			n, _ := f.File.WriteAt(bufs[0][:len(bufs[0])/2], off)
			return int64(n), err
		}
		return 0, err
	}
	return f.File.WritevAt(bufs, off)
}

func (f *faultFile) Sync() error {
	if err, _ := f.f.step(KindSync, f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if err, _ := f.f.step(KindTruncate, f.name); err != nil {
		return err
	}
	return f.File.Truncate(size)
}
