package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dohle-io/dohle/internal/bufpool"
	"github.com/dohle-io/dohle/protocol"
)

const (
	firstAnswerBytes = 1 << 10  // first buffer of an answer
	flushBytes       = 64 << 10 // collected answers beyond this are written at once
	pieceBytes       = 1 << 20  // spliced bytes in memory at a time
	keepAnswerBytes  = 1 << 20  // a buffer that grew larger is left to the collector
)

var errBody = errors.New("a body could not be read")

// outbox is the write side: encoded answers collect in b until a flush. It belongs to the connection's
// goroutine, or to the writer goroutine while late answers are queued.
type outbox struct {
	bufpool.Buffer
	hint  int // size of the last large answer: the next buffer starts there
	armed time.Time
}

// write encodes or splices one answer. None and Close write nothing; Later must be resolved before.
func (k *conn) write(correlationID int32, a Answer) error {
	switch a.kind {
	case answerReply:
		o := &k.out
		if o.B == nil {
			o.Buffer = bufpool.Get(max(firstAnswerBytes, o.hint))
			o.B = o.B[:0]
		}
		before := len(o.B)
		o.B = protocol.AppendResponse(o.B, correlationID, a.resp)
		if n := len(o.B) - before; n > firstAnswerBytes || o.hint > firstAnswerBytes {
			o.hint = min(max(n, o.hint/2), keepAnswerBytes)
		}
		if len(o.B) >= flushBytes {
			return k.flush()
		}
		return nil
	case answerPrepared:
		o := &k.out
		if o.B == nil {
			o.Buffer = bufpool.Get(len(a.head))
			o.B = o.B[:0]
		}
		at := len(o.B)
		o.B = append(o.B, a.head...)
		binary.BigEndian.PutUint32(o.B[at+4:], uint32(correlationID))
		if len(o.B) >= flushBytes {
			return k.flush()
		}
		return nil
	case answerSpliced:
		err := k.splice(a)
		a.release()
		return err
	case answerClose:
		return a.err
	case answerLater:
		return errors.New("server: an answer made by Later gave another Later")
	}
	return nil
}

// flush writes what collected and gives the buffer back.
func (k *conn) flush() error {
	o := &k.out
	if len(o.B) == 0 {
		return nil
	}
	err := k.send(o.B)
	o.Put(keepAnswerBytes)
	return err
}

// splice writes head and bodies through one buffer of at most pieceBytes: head parts are a few bytes per
// partition and copied, bodies are read right behind them, so that one write carries many partitions and
// no vector of buffers is built.
func (k *conn) splice(a Answer) error {
	if len(a.cuts) != len(a.bodies) {
		return fmt.Errorf("server: %d cuts for %d bodies", len(a.cuts), len(a.bodies))
	}
	total := len(a.head)
	for _, b := range a.bodies {
		if b != nil {
			total += b.Len()
		}
	}
	o := &k.out
	var paid grant
	if len(o.B)+total > cap(o.B) {
		if err := k.flush(); err != nil {
			return err
		}
		size := min(total, pieceBytes)
		if size > flushBytes {
			paid.budget = k.server.o.Budget
			if err := paid.take(k.server.requestContext(), int64(size)); err != nil {
				return err
			}
			defer paid.give()
		}
		o.Buffer = bufpool.Get(size)
		o.B = o.B[:0]
	}
	written := 0
	for i, cut := range a.cuts {
		if cut < written || cut > len(a.head) {
			return fmt.Errorf("server: cut %d of %d bytes", cut, len(a.head))
		}
		if err := k.copyOut(a.head[written:cut]); err != nil {
			return err
		}
		written = cut
		if b := a.bodies[i]; b != nil {
			if err := k.readOut(b); err != nil {
				return err
			}
		}
	}
	if err := k.copyOut(a.head[written:]); err != nil {
		return err
	}
	if paid.held > 0 || len(o.B) >= flushBytes {
		return k.flush()
	}
	return nil
}

// copyOut puts p into the buffer, writing it out as often as it is full.
func (k *conn) copyOut(p []byte) error {
	o := &k.out
	for len(p) > 0 {
		if len(o.B) == cap(o.B) {
			if err := k.drain(); err != nil {
				return err
			}
		}
		n := copy(o.B[len(o.B):cap(o.B)], p)
		o.B, p = o.B[:len(o.B)+n], p[n:]
	}
	return nil
}

// readOut puts a body into the buffer. A read that fails or ends early leaves a frame that cannot be
// finished: the error closes the connection.
func (k *conn) readOut(b Body) error {
	o := &k.out
	length := int64(b.Len())
	for off := int64(0); off < length; {
		if len(o.B) == cap(o.B) {
			if err := k.drain(); err != nil {
				return err
			}
		}
		free := o.B[len(o.B):min(int64(cap(o.B)), int64(len(o.B))+length-off)]
		n, err := b.ReadAt(free, off)
		if n < len(free) {
			return fmt.Errorf("%w: %d of %d bytes at %d: %w", errBody, n, len(free), off, err)
		}
		o.B = o.B[:len(o.B)+n]
		off += int64(n)
	}
	return nil
}

// drain writes the buffer out and keeps it.
func (k *conn) drain() error {
	err := k.send(k.out.B)
	k.out.B = k.out.B[:0]
	return err
}

// send writes p whole. The peer must take slowProgress bytes within SlowTimeout.
func (k *conn) send(p []byte) error {
	o := &k.out
	for {
		now := k.server.o.Clock.Now()
		if now.Sub(o.armed) > min(rearmAfter, k.server.o.SlowTimeout/4) {
			if err := k.nc.SetWriteDeadline(now.Add(k.server.o.SlowTimeout)); err != nil {
				return err
			}
			o.armed = now
		}
		n, err := k.nc.Write(p)
		if err == nil {
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if n < min(slowProgress, len(p)) || k.server.isStopping() {
			return errSlow
		}
		p, o.armed = p[n:], time.Time{}
	}
}
