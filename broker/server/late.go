package server

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// lateAnswer is an answer in the queue: one made by Later, or an immediate one that must not pass it.
type lateAnswer struct {
	correlationID int32
	answer        Answer
}

// The queue's states. Empty: no writer, the reader owns out. Not empty: one writer goroutine owns out; it
// takes answers in order, waits for each, and ends when the queue is empty and all is flushed. The change
// in either direction happens under mu, so that out always has one owner.

// lateActive reports whether the writer goroutine lives. Only the reader's goroutine can make it true.
func (l *lateState) lateActive() bool {
	if l.lateCtx == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writing
}

func (l *lateState) writerFailed() bool {
	if l.lateCtx == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil
}

// enqueue hands a to the writer, starting one when there is none. A full queue stops the reader.
func (k *conn) enqueue(a lateAnswer) error {
	if k.lateCtx == nil {
		k.makeLife()
		k.lateCtx, k.lateCancel = context.WithCancel(k.life)
	}
	k.mu.Lock()
	full := len(k.queue) >= k.server.o.MaxLate
	k.mu.Unlock()
	if full {
		if err := k.awaitLate(); err != nil {
			a.answer.release()
			return err
		}
	}
	k.mu.Lock()
	if k.failed != nil {
		err := k.failed
		k.mu.Unlock()
		a.answer.release()
		return err
	}
	k.queue = append(k.queue, a)
	start := !k.writing
	if start {
		k.writing, k.drained = true, make(chan struct{})
	}
	k.mu.Unlock()
	if start {
		k.startWriter()
	}
	return nil
}

// awaitLate waits until no late answer is queued and the reader owns the write side again.
func (k *conn) awaitLate() error {
	if k.lateCtx == nil {
		return nil
	}
	k.mu.Lock()
	writing, drained := k.writing, k.drained
	k.mu.Unlock()
	if writing {
		k.waits(k.server.o.Clock.Now())
		<-drained
		k.parked.Store(0)
		k.in.frameBegan = time.Time{}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}

// holdBehindLate waits when the frame that begins at in.r must not pass late answers. That is decided by its
// first bytes, before anything is paid for it: nothing holds budget while it waits.
func (k *conn) holdBehindLate(size int) error {
	if size < 2 || !k.lateActive() {
		return nil
	}
	in := &k.in
	in.compact(6)
	for in.buffered() < 6 {
		if err := k.fill(false); err != nil {
			return err
		}
	}
	key := int16(binary.BigEndian.Uint16(in.buf[in.r+4:]))
	if row, ok := k.server.o.Dispatcher.Lookup(key, k.listener.Controller); ok && row.Pipelined {
		return nil
	}
	return k.awaitLate()
}

// endLate ends the queue when the connection ends. After an orderly end by this side (a stop, a request
// that is refused) the answers before it still go out; after the peer's end their waits are cut short.
func (k *conn) endLate(cause error) {
	if k.lateCtx == nil {
		return
	}
	if byPeer(cause) && !errors.Is(cause, errStopping) {
		k.lateCancel()
	}
	k.awaitLate() //nolint:errcheck // the connection ends anyway
	k.lateCancel()
}

// writeLate is the writer goroutine.
func (k *conn) writeLate() {
	for {
		k.mu.Lock()
		if len(k.queue) == 0 {
			if len(k.out.B) == 0 || k.failed != nil {
				k.writing = false
				k.queue = nil
				close(k.drained)
				k.mu.Unlock()
				return
			}
			k.mu.Unlock()
			if err := k.flush(); err != nil {
				k.failLate(err)
			}
			continue
		}
		next := k.queue[0]
		k.queue[0] = lateAnswer{}
		k.queue = k.queue[1:]
		k.mu.Unlock()
		if err := k.writeNext(next); err != nil {
			k.failLate(err)
		}
	}
}

// writeNext waits for one answer and writes it; what collected before is flushed unless it is ready.
func (k *conn) writeNext(next lateAnswer) error {
	a := next.answer
	if a.kind == answerLater {
		if a.ready == nil || !a.ready() {
			if err := k.flush(); err != nil {
				return err
			}
		}
		a = a.later(k.lateCtx)
	}
	return k.write(next.correlationID, a)
}

// failLate closes the socket, which wakes the reader, and drops what is queued.
func (k *conn) failLate(err error) {
	k.out.B = k.out.B[:0]
	k.lateCancel()
	k.nc.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed = err
	for _, a := range k.queue {
		a.answer.release()
	}
	k.queue = nil
}
