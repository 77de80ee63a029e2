package memnet

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// window is how many bytes a pipe takes before a writer waits.
const window = 256 << 10

// conn is one end of a connection.
type conn struct {
	network       *Network
	in, out       *pipe
	local, remote address
	once          sync.Once
}

func (c *conn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *conn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *conn) Close() error {
	c.once.Do(func() {
		c.network.forget(c)
		c.out.closeWrite()
		c.in.closeRead(net.ErrClosed)
	})
	return nil
}

// reset ends both directions at once, as a RST does: unread bytes are lost.
func (c *conn) reset() {
	c.out.fail(syscall.ECONNRESET)
	c.in.fail(syscall.ECONNRESET)
}

func (c *conn) LocalAddr() net.Addr  { return c.local.tcp() }
func (c *conn) RemoteAddr() net.Addr { return c.remote.tcp() }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readDeadline, t)
	return nil
}
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeDeadline, t)
	return nil
}

// pipe is one direction: a queue of chunks, each with the moment from which it may be read.
type pipe struct {
	mu            sync.Mutex
	chunks        []chunk
	queued        int
	hold          bool
	delay         time.Duration
	written       bool  // the writer has closed: EOF after the queue
	broken        error // both sides see this at once
	readClosed    error
	readDeadline  time.Time
	writeDeadline time.Time
	changed       chan struct{} // closed and replaced at each change that could end a wait
}

type chunk struct {
	data []byte
	from time.Time
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

func (p *pipe) wakeLocked() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// wait gives the lock up until something changed or the moment until has come (zero: no moment).
func (p *pipe) waitLocked(until time.Time) {
	changed := p.changed
	p.mu.Unlock()
	if until.IsZero() {
		<-changed
	} else {
		t := time.NewTimer(time.Until(until))
		select {
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
	p.mu.Lock()
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.readClosed != nil:
			return 0, p.readClosed
		case p.broken != nil:
			return 0, p.broken
		case passed(p.readDeadline):
			return 0, os.ErrDeadlineExceeded
		case len(b) == 0:
			return 0, nil
		}
		until := p.readDeadline
		if len(p.chunks) > 0 && !p.hold {
			if first := p.chunks[0]; !first.from.After(time.Now()) {
				return p.takeLocked(b), nil
			} else if until.IsZero() || first.from.Before(until) {
				until = first.from
			}
		} else if len(p.chunks) == 0 && p.written {
			return 0, io.EOF
		}
		p.waitLocked(until)
	}
}

func (p *pipe) takeLocked(b []byte) int {
	n := 0
	for n < len(b) && len(p.chunks) > 0 && !p.chunks[0].from.After(time.Now()) {
		c := &p.chunks[0]
		k := copy(b[n:], c.data)
		n, c.data = n+k, c.data[k:]
		if len(c.data) == 0 {
			p.chunks[0] = chunk{}
			p.chunks = p.chunks[1:]
		}
	}
	p.queued -= n
	p.wakeLocked()
	return n
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for {
		switch {
		case p.broken != nil:
			return n, p.broken
		case p.written:
			return n, net.ErrClosed
		case p.readClosed != nil:
			return n, syscall.EPIPE
		case passed(p.writeDeadline):
			return n, os.ErrDeadlineExceeded
		case n == len(b):
			return n, nil
		}
		if room := window - p.queued; room > 0 {
			k := min(room, len(b)-n)
			c := chunk{data: append([]byte(nil), b[n:n+k]...)}
			if p.delay > 0 {
				c.from = time.Now().Add(p.delay)
			}
			p.chunks = append(p.chunks, c)
			n, p.queued = n+k, p.queued+k
			p.wakeLocked()
			continue
		}
		p.waitLocked(p.writeDeadline)
	}
}

func (p *pipe) set(hold bool, delay time.Duration) {
	p.mu.Lock()
	p.hold, p.delay = hold, delay
	p.wakeLocked()
	p.mu.Unlock()
}

func (p *pipe) closeWrite() {
	p.mu.Lock()
	p.written = true
	p.wakeLocked()
	p.mu.Unlock()
}

func (p *pipe) closeRead(err error) {
	p.mu.Lock()
	p.readClosed = err
	p.wakeLocked()
	p.mu.Unlock()
}

func (p *pipe) fail(err error) {
	p.mu.Lock()
	p.broken, p.chunks, p.queued = err, nil, 0
	p.wakeLocked()
	p.mu.Unlock()
}

func (p *pipe) setDeadline(field *time.Time, t time.Time) {
	p.mu.Lock()
	*field = t
	p.wakeLocked()
	p.mu.Unlock()
}

func passed(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }
