package storage

import (
	"io/fs"
	"os"
	"sync"

	"github.com/dohle-io/dohle/internal/vfs"
)

// fileCache bounds how many segment files are open. A file is opened when it is first used and closed when others
// need its place and nobody uses it; the choice is the clock algorithm, so that using a file costs no shared lock.
type fileCache struct {
	fs    vfs.FS
	limit int

	mu   sync.Mutex
	open []*handle
	hand int
}

// handle is a file that may be open. Lock order: handle.mu, then fileCache.mu; the cache, which works the other way
// round when it looks for a place, only tries the handle's lock.
type handle struct {
	mu   sync.Mutex
	file vfs.File // nil while closed
	slot int      // in fileCache.open while file is set; guarded by fileCache.mu
	pins int      // users right now; a pinned file stays open
	used bool     // since the hand last passed
	drop bool     // to be closed by its last user
	gone bool     // its name is not its own any more: never opened again
}

func newFileCache(fs vfs.FS, limit int) *fileCache { return &fileCache{fs: fs, limit: max(limit, 8)} }

// acquire pins h and returns its file, which it opens for reading and writing under name() if need be.
// create makes a missing file.
func (c *fileCache) acquire(h *handle, name func() string, create bool) (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		if h.gone {
			return nil, fs.ErrNotExist
		}
		flag := os.O_RDWR
		if create {
			flag |= os.O_CREATE
		}
		f, err := c.fs.OpenFile(name(), flag, 0o600)
		if err != nil {
			return nil, err
		}
		h.file = f
		c.add(h)
	}
	h.pins++
	h.used = true
	return h.file, nil
}

// release ends one use.
func (c *fileCache) release(h *handle) {
	h.mu.Lock()
	h.pins--
	if h.pins == 0 && h.drop {
		c.closeHolding(h)
	}
	h.mu.Unlock()
}

// forget closes the file now, or when its last user leaves. It may be opened again.
func (c *fileCache) forget(h *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.closeHolding(h)
}

// retire is forget for a file that is about to be renamed or removed: users keep it, nobody opens it again.
func (c *fileCache) retire(h *handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	c.closeHolding(h)
}

func (c *fileCache) closeHolding(h *handle) {
	if h.file == nil {
		return
	}
	if h.drop = h.pins > 0; h.drop {
		return
	}
	c.mu.Lock()
	c.dropLocked(h)
	c.mu.Unlock()
	h.file.Close() // the page cache keeps what was written
	h.file = nil
}

func (c *fileCache) add(h *handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.limit {
		c.evictLocked()
	}
	h.slot = len(c.open)
	c.open = append(c.open, h)
}

func (c *fileCache) dropLocked(h *handle) {
	last := len(c.open) - 1
	c.open[h.slot] = c.open[last]
	c.open[h.slot].slot = h.slot
	c.open[last] = nil
	c.open = c.open[:last]
}

// evictLocked closes one unused file. When all are in use the cache grows past its limit.
func (c *fileCache) evictLocked() {
	for range 2 * len(c.open) {
		if c.hand >= len(c.open) {
			c.hand = 0
		}
		h := c.open[c.hand]
		if h.mu.TryLock() {
			if h.pins == 0 && !h.used {
				c.dropLocked(h)
				h.file.Close() // the page cache keeps what was written; a later flush opens the file again
				h.file = nil
				h.mu.Unlock()
				return
			}
			h.used = false
			h.mu.Unlock()
		}
		c.hand++
	}
}

// openFiles is the number of open files, for tests.
func (c *fileCache) openFiles() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}
