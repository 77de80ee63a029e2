package vfs

import (
	"io"
	"io/fs"
	"slices"
	"sync"
)

// chunkSize is how much of a file lies in one piece. A piece that was never written takes no memory, so a
// preallocated index costs nothing.
const chunkSize = 32 << 10

// memData holds a file's bytes in two versions that share pieces.
type memData struct {
	mu      sync.RWMutex
	now     image
	durable image
	pending []byteChange // since the last sync, in order

}

// image is one version of a file. Bytes of a chunk past its length, and chunks that are nil, read as zeros.
type image struct {
	size   int64
	chunks []chunk
}

// chunk is a piece of a file. The first frozen bytes are shared with another image: they are never overwritten in
// place, while the bytes after them may be.
type chunk struct {
	b      []byte
	frozen int
}

// byteChange is a write (length > 0) or a change of size (length < 0: the file was cut or grown to off).
type byteChange struct{ off, length int64 }

func (d *memData) Size() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.now.size
}

func (d *memData) truncate(size int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now.truncate(size)
	d.pending = append(d.pending, byteChange{off: size, length: -1})
}

func (d *memData) write(p []byte, off int64) {
	d.now.write(p, off)
	// Appends in a row are one change: a crash may then keep any part of them, from the front.
	if n := len(d.pending); n > 0 && d.pending[n-1].length > 0 && d.pending[n-1].off+d.pending[n-1].length == off &&
		d.pending[n-1].length < 64<<10 {
		d.pending[n-1].length += int64(len(p))
		return
	}
	d.pending = append(d.pending, byteChange{off, int64(len(p))})
}

func (d *memData) sync() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.durable = d.now.share()
	d.pending = nil
}

// share returns an image with the same bytes; from now on neither side overwrites what both see.
func (im *image) share() image {
	other := image{size: im.size, chunks: make([]chunk, len(im.chunks))}
	for i := range im.chunks {
		c := &im.chunks[i]
		c.frozen = len(c.b)
		other.chunks[i] = chunk{b: slices.Clip(c.b), frozen: len(c.b)}
	}
	return other
}

func (im *image) write(p []byte, off int64) {
	im.size = max(im.size, off+int64(len(p)))
	for len(p) > 0 {
		i, at := int(off/chunkSize), int(off%chunkSize)
		if i >= len(im.chunks) {
			im.chunks = append(im.chunks, make([]chunk, i+1-len(im.chunks))...)
		}
		n := min(len(p), chunkSize-at)
		im.chunks[i].write(p[:n], at)
		p, off = p[n:], off+int64(n)
	}
}

func (c *chunk) write(p []byte, at int) {
	end := at + len(p)
	if at < c.frozen {
		c.b, c.frozen = append(make([]byte, 0, max(end, len(c.b))), c.b...), 0
	}
	for len(c.b) < end {
		if cap(c.b) >= end {
			grown := c.b[:end]
			clear(grown[len(c.b):])
			c.b = grown
			break
		}
		c.b = slices.Grow(c.b, min(max(end-len(c.b), len(c.b)), chunkSize-len(c.b)))
	}
	copy(c.b[at:], p)
}

func (im *image) truncate(size int64) {
	if size < im.size {
		keep := int((size + chunkSize - 1) / chunkSize)
		if keep < len(im.chunks) {
			clear(im.chunks[keep:])
			im.chunks = im.chunks[:keep]
		}
		if at := int(size % chunkSize); at > 0 && keep > 0 && keep <= len(im.chunks) {
			c := &im.chunks[keep-1]
			if at < len(c.b) {
				// A clip, so that growing again never writes over bytes that another image still shows.
				c.b, c.frozen = slices.Clip(c.b[:at]), at
			}
		}
	}
	im.size = size
}

func (im *image) readAt(p []byte, off int64) int {
	total := 0
	for len(p) > 0 && off < im.size {
		i, at := int(off/chunkSize), int(off%chunkSize)
		n := int(min(int64(len(p)), chunkSize-int64(at), im.size-off))
		got := 0
		if i < len(im.chunks) && at < len(im.chunks[i].b) {
			got = copy(p[:n], im.chunks[i].b[at:])
		}
		clear(p[got:n])
		p, off, total = p[n:], off+int64(n), total+n
	}
	return total
}

// memFile is an open handle; a removed or renamed file stays usable through it.
type memFile struct {
	name     string
	data     *memData
	writable bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.data.mu.RLock()
	defer f.data.mu.RUnlock()
	n := f.data.now.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if !f.writable {
		return 0, pathErr("write", f.name, fs.ErrPermission)
	}
	f.data.mu.Lock()
	defer f.data.mu.Unlock()
	f.data.write(p, off)
	return len(p), nil
}

func (f *memFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	if !f.writable {
		return 0, pathErr("write", f.name, fs.ErrPermission)
	}
	f.data.mu.Lock()
	defer f.data.mu.Unlock()
	var total int64
	for _, b := range bufs {
		f.data.write(b, off+total)
		total += int64(len(b))
	}
	return total, nil
}

func (f *memFile) Sync() error {
	f.data.sync()
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if !f.writable {
		return pathErr("truncate", f.name, fs.ErrPermission)
	}
	f.data.truncate(size)
	return nil
}

func (f *memFile) Size() (int64, error) { return f.data.Size(), nil }
func (f *memFile) Close() error         { return nil }
