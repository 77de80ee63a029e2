package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a disk in memory. The root directory exists; relative names start there too.
//
// It keeps two states of everything: what a running process sees, and what a power cut would leave for certain.
// Between the two lie pending operations, of which a crash clone keeps a random part.
type Mem struct {
	capacity int64 // bytes reported as the disk's size

	mu    sync.Mutex
	root  *memNode
	locks map[string]bool
}

// memNode is a directory (entries != nil) or a file. Directory fields are guarded by Mem.mu, file has its own lock.
type memNode struct {
	entries map[string]*memNode // what is seen
	durable map[string]*memNode // what SyncDir made sure of
	pending []entryChange       // what happened since, in order

	file *memData
}

// entryChange is one step of a directory since its last SyncDir: name now means node; nil means it is gone.
// A rename is one change with both names, so that a crash never keeps half of it.
type entryChange struct {
	name    string
	node    *memNode
	oldName string // of a rename inside this directory, else ""
}

func newMemDir() *memNode {
	return &memNode{entries: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// NewMem returns an empty disk.
func NewMem() *Mem {
	return &Mem{capacity: 1 << 40, root: newMemDir(), locks: map[string]bool{}}
}

func split(name string) []string {
	name = path.Clean("/" + name)
	if name == "/" {
		return nil
	}
	return strings.Split(name[1:], "/")
}

func pathErr(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// lookupLocked finds name; nil when it is not there.
func (m *Mem) lookupLocked(name string) *memNode {
	n := m.root
	for _, part := range split(name) {
		if n = n.entries[part]; n == nil {
			return nil
		}
	}
	return n
}

// parentLocked finds the directory that name lies in, and its last part.
func (m *Mem) parentLocked(op, name string) (*memNode, string, error) {
	parts := split(name)
	if len(parts) == 0 {
		return nil, "", pathErr(op, name, fs.ErrInvalid)
	}
	dir := m.lookupLocked(strings.Join(parts[:len(parts)-1], "/"))
	if dir == nil || dir.entries == nil {
		return nil, "", pathErr(op, name, fs.ErrNotExist)
	}
	return dir, parts[len(parts)-1], nil
}

func (n *memNode) set(name string, child *memNode) {
	if child == nil {
		delete(n.entries, name)
	} else {
		n.entries[name] = child
	}
	n.pending = append(n.pending, entryChange{name: name, node: child})
}

func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("open", name)
	if err != nil {
		return nil, err
	}
	n := dir.entries[base]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, pathErr("open", name, fs.ErrNotExist)
	case n == nil:
		n = &memNode{file: &memData{}}
		dir.set(base, n)
	case n.entries != nil:
		return nil, pathErr("open", name, fmt.Errorf("is a directory: %w", fs.ErrInvalid))
	case flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		return nil, pathErr("open", name, fs.ErrExist)
	}
	if flag&os.O_TRUNC != 0 {
		n.file.truncate(0)
	}
	return &memFile{name: name, data: n.file, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.root
	for _, part := range split(name) {
		child := n.entries[part]
		if child == nil {
			child = newMemDir()
			n.set(part, child)
		}
		if child.entries == nil {
			return pathErr("mkdir", name, fs.ErrExist)
		}
		n = child
	}
	return nil
}

func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("remove", name)
	if err != nil {
		return err
	}
	n := dir.entries[base]
	if n == nil {
		return pathErr("remove", name, fs.ErrNotExist)
	}
	if len(n.entries) > 0 {
		return pathErr("remove", name, fmt.Errorf("directory not empty: %w", fs.ErrInvalid))
	}
	dir.set(base, nil)
	return nil
}

// RemoveAll empties directories before it removes them, so that a crash in between leaves a half-empty one.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parentLocked("removeall", name)
	if err != nil || dir.entries[base] == nil {
		return nil
	}
	dir.entries[base].emptyLocked()
	dir.set(base, nil)
	return nil
}

func (n *memNode) emptyLocked() {
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		n.entries[name].emptyLocked()
		n.set(name, nil)
	}
}

func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, oldBase, err := m.parentLocked("rename", oldName)
	if err != nil {
		return err
	}
	to, newBase, err := m.parentLocked("rename", newName)
	if err != nil {
		return err
	}
	n := from.entries[oldBase]
	if n == nil {
		return pathErr("rename", oldName, fs.ErrNotExist)
	}
	if target := to.entries[newBase]; target != nil && (target.entries != nil || n.entries != nil) {
		return pathErr("rename", newName, fs.ErrExist)
	}
	if from == to {
		delete(from.entries, oldBase)
		from.entries[newBase] = n
		from.pending = append(from.pending, entryChange{name: newBase, node: n, oldName: oldBase})
		return nil
	}
	to.set(newBase, n)
	from.set(oldBase, nil)
	return nil
}

func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	if n == nil {
		return nil, pathErr("stat", name, fs.ErrNotExist)
	}
	return n.info(path.Base(name)), nil
}

func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	if n == nil {
		return nil, pathErr("readdir", name, fs.ErrNotExist)
	}
	if n.entries == nil {
		return nil, pathErr("readdir", name, syscall.ENOTDIR)
	}
	list := make([]fs.DirEntry, 0, len(n.entries))
	for _, base := range slices.Sorted(maps.Keys(n.entries)) {
		list = append(list, fs.FileInfoToDirEntry(n.entries[base].info(base)))
	}
	return list, nil
}

func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.lookupLocked(name)
	if n == nil || n.entries == nil {
		return pathErr("syncdir", name, fs.ErrNotExist)
	}
	n.durable = maps.Clone(n.entries)
	n.pending = nil
	return nil
}

// OpenFlusher syncs everything there is.
func (m *Mem) OpenFlusher(string) (Flusher, error) { return memFlusher{m}, nil }

type memFlusher struct{ m *Mem }

func (f memFlusher) Flush() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.m.root.syncLocked()
	return nil
}

func (f memFlusher) Close() error { return nil }

func (n *memNode) syncLocked() {
	if n.file != nil {
		n.file.sync()
		return
	}
	n.durable, n.pending = maps.Clone(n.entries), nil
	for _, child := range n.entries {
		child.syncLocked()
	}
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	key := path.Clean("/" + name)
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	f.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[key] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	m.locks[key] = true
	return memLock{m, key}, nil
}

type memLock struct {
	m   *Mem
	key string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.key)
	return nil
}

// SetModTime does nothing: Stat tells no times.
func (m *Mem) SetModTime(string, time.Time) error { return nil }

func (m *Mem) Usage(string) (total, free int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.capacity, max(0, m.capacity-m.root.bytes()), nil
}

func (n *memNode) bytes() (sum int64) {
	if n.file != nil {
		return n.file.Size()
	}
	for _, child := range n.entries {
		sum += child.bytes()
	}
	return sum
}

func (n *memNode) info(base string) memInfo {
	if n.entries != nil {
		return memInfo{name: base, dir: true}
	}
	return memInfo{name: base, size: n.file.Size()}
}

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
