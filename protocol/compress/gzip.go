package compress

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// gzipReader keeps the source beside the decoder, so that a pooled pair needs no allocation.
type gzipReader struct {
	src bytes.Reader
	z   gzip.Reader
}

func (cs *Codecs) gunzip(dst, src []byte, max int) ([]byte, error) {
	r, _ := cs.gzipR.Get().(*gzipReader)
	if r == nil {
		r = new(gzipReader)
	}
	defer func() {
		r.src.Reset(nil)
		cs.gzipR.Put(r)
	}()
	r.src.Reset(src)
	if err := r.z.Reset(&r.src); err != nil {
		return dst, corrupt(Gzip, err)
	}
	r.z.Multistream(false)
	base := len(dst)
	dst = grow(dst, min(max, 4*len(src), 64<<10)+1)
	for {
		free := dst[len(dst):cap(dst)]
		if room := max - (len(dst) - base); len(free) > room {
			free = free[:room+1] // one more than allowed, to see that there is more
		}
		n, err := r.z.Read(free)
		dst = dst[:len(dst)+n]
		if len(dst)-base > max {
			return dst, ErrTooLarge
		}
		if errors.Is(err, io.EOF) {
			// Another member may follow; anything else behind the first one is ignored, as Java does.
			if r.src.Len() == 0 || r.z.Reset(&r.src) != nil {
				return dst, nil
			}
			r.z.Multistream(false)
			continue
		}
		if err != nil {
			return dst, corrupt(Gzip, err)
		}
		if len(dst) == cap(dst) {
			dst = grow(dst, 512)
		}
	}
}

// sliceWriter collects what an encoder writes.
type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}

func (cs *Codecs) gzip(dst []byte, level int, src []byte) ([]byte, error) {
	if level < 0 {
		level = 0
	}
	level = min(level, 9)
	w := sliceWriter{b: dst}
	z, _ := cs.gzipW[level].Get().(*gzip.Writer)
	if z == nil {
		at := level
		if level == 0 {
			at = gzip.DefaultCompression
		}
		var err error
		if z, err = gzip.NewWriterLevel(&w, at); err != nil {
			return dst, err
		}
	} else {
		z.Reset(&w)
	}
	defer cs.gzipW[level].Put(z)
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	if err := z.Close(); err != nil {
		return dst, err
	}
	return w.b, nil
}
