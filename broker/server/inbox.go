package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dohle-io/dohle/internal/bufpool"
)

const (
	idleReadBytes   = 512      // kept by a connection that waits for its next request
	activeReadBytes = 16 << 10 // while requests come in; frames up to this size are handled where they lie
	firstFrameBytes = 64 << 10 // first buffer of a larger frame
	frameGrowth     = 16       // and how it grows, at most to the frame
	shrinkAfter     = 2 * time.Second
	rearmAfter      = time.Second // read and write deadlines are moved at most this often
	slowProgress    = 4 << 10     // bytes that must pass within SlowTimeout
)

var (
	errIdle     = errors.New("idle for too long")
	errSlow     = errors.New("too slow")
	errStopping = errors.New("the server stops")
	errFrame    = errors.New("impossible frame length")
)

// inbox is the read side of a connection: it cuts the stream into frames. Bytes in buf[r:w] came and are
// not used yet. A frame up to activeReadBytes stays in buf, which is not touched again before the handler
// returned; a larger one gets a pooled buffer of its own.
type inbox struct {
	small  [idleReadBytes]byte
	active bufpool.Buffer // replaces small while set
	buf    []byte         // small[:] or active.b
	r, w   int

	frameBegan time.Time     // when this side began to wait for the rest of a frame; zero = it did not
	armedAt    time.Time     // when the read deadline was set last
	armedFor   time.Duration // and how far ahead
}

func (in *inbox) buffered() int { return in.w - in.r }

// grow swaps the small buffer for a pooled one, keeping what came.
func (in *inbox) grow() {
	if !in.active.Pooled() {
		in.active = bufpool.Get(activeReadBytes)
		in.w = copy(in.active.B, in.buf[in.r:in.w])
		in.r, in.buf = 0, in.active.B
	}
}

// shrink gives the pooled buffer back; nothing may be buffered.
func (in *inbox) shrink() {
	in.active.Free()
	in.buf, in.r, in.w = in.small[:], 0, 0
}

// compact makes room for n bytes from r on; n is at most activeReadBytes.
func (in *inbox) compact(n int) {
	if in.r+n <= len(in.buf) {
		return
	}
	if n > len(in.buf) {
		in.grow()
		return
	}
	in.w = copy(in.buf, in.buf[in.r:in.w])
	in.r = 0
}

// nextFrame returns the next frame without its length. It is valid until releaseFrame. Answers are flushed
// before each read, and budget is held for the frame's buffer from here on.
func (k *conn) nextFrame() ([]byte, error) {
	in := &k.in
	in.frameBegan = time.Time{}
	for in.buffered() < 4 {
		if in.buffered() == 0 {
			in.r, in.w = 0, 0
		}
		in.compact(4)
		if err := k.fill(in.buffered() == 0); err != nil {
			return nil, err
		}
	}
	size := int(int32(binary.BigEndian.Uint32(in.buf[in.r:])))
	if size < 0 || size > k.server.o.MaxRequestBytes {
		return nil, fmt.Errorf("%w: %d", errFrame, size)
	}
	if err := k.holdBehindLate(size); err != nil {
		return nil, err
	}
	if size+4 > activeReadBytes {
		return k.largeFrame(size)
	}
	in.compact(size + 4)
	for in.buffered() < size+4 {
		if err := k.fill(false); err != nil {
			return nil, err
		}
	}
	if err := k.reserve(int64(size)); err != nil {
		return nil, err
	}
	frame := in.buf[in.r+4 : in.r+4+size]
	in.r += 4 + size
	return frame, nil
}

// fill reads once into the free end of buf. idle tells that the connection is between requests; otherwise
// the rest of the frame must come within SlowTimeout. Time that this side spends on a handler, the budget or
// late answers is not the peer's.
func (k *conn) fill(idle bool) error {
	in := &k.in
	k.flushOwn()
	began := k.server.o.Clock.Now()
	again := began.Sub(in.armedAt) > rearmAfter
	if idle {
		k.lastActive.Store(began.UnixNano())
	} else {
		if again = in.frameBegan.IsZero(); again {
			in.frameBegan = began
		}
		began = in.frameBegan
	}
	for {
		within := k.server.o.SlowTimeout
		if idle {
			within = k.server.o.IdleTimeout
			if in.active.Pooled() {
				within = shrinkAfter
			}
		}
		if err := k.armRead(within, again); err != nil {
			return err
		}
		n, err := k.nc.Read(in.buf[in.w:])
		if n > 0 {
			in.w += n
			if in.w == len(in.buf) {
				in.grow()
			}
			return nil
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		again = true
		quiet := k.server.o.Clock.Now().Sub(began)
		switch {
		case k.server.isStopping():
			return errStopping
		case !idle && quiet >= k.server.o.SlowTimeout:
			return errSlow
		case idle && in.active.Pooled():
			in.shrink()
		case idle && quiet >= k.server.o.IdleTimeout:
			return errIdle
		}
	}
}

// armRead moves the read deadline when again says so or the one that stands is of another kind. A deadline
// that strikes too early, because it was not moved for every request, is caught where it strikes.
func (k *conn) armRead(within time.Duration, again bool) error {
	in := &k.in
	if again || in.armedFor != within {
		now := k.server.o.Clock.Now()
		deadline := time.Time{} // never
		if within > 0 {
			deadline = now.Add(within)
		}
		if err := k.nc.SetReadDeadline(deadline); err != nil {
			return err
		}
		in.armedAt, in.armedFor = now, within
	}
	// After the deadline: the stopping server closes its channel first and sets a past deadline then.
	if k.server.isStopping() {
		return errStopping
	}
	return nil
}

// largeFrame collects a frame beyond the read buffer. The buffer starts at 64 KiB and grows by what came, so
// that a length prefix alone costs nothing; each step is paid from the budget first.
func (k *conn) largeFrame(size int) ([]byte, error) {
	in := &k.in
	length := min(size, firstFrameBytes)
	if err := k.reserve(int64(length)); err != nil {
		return nil, err
	}
	k.frame = bufpool.Get(length)
	got := copy(k.frame.B, in.buf[in.r+4:in.w])
	in.r, in.w = 0, 0
	progress := slowProgress // bytes since the deadline was set
	for {
		for got < length {
			k.flushOwn()
			again := progress >= slowProgress
			if again {
				progress = 0
			}
			if err := k.armRead(k.server.o.SlowTimeout, again); err != nil {
				return nil, err
			}
			n, err := k.nc.Read(k.frame.B[got:length])
			got, progress = got+n, progress+n
			if err != nil && got < length {
				return nil, slowError(err)
			}
		}
		if length == size {
			return k.frame.B, nil
		}
		length = min(size, length*frameGrowth)
		if err := k.reserve(int64(length)); err != nil {
			return nil, err
		}
		larger := bufpool.Get(length)
		copy(larger.B, k.frame.B)
		freed := len(k.frame.B)
		k.frame.Free()
		k.frame = larger
		k.grant.giveBack(int64(freed))
		progress = slowProgress // the budget may have taken its time
	}
}

func slowError(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSlow
	}
	return err
}
