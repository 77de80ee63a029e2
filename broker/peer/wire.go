package peer

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/bufpool"
	"github.com/dohle-io/dohle/protocol"
)

const (
	readBytes       = 16 << 10
	firstFrameBytes = 64 << 10 // an answer's first buffer; then it grows by what came
	frameGrowth     = 16
	keepOutBytes    = 1 << 20
)

// wire is one live connection. Requests are written under out, in the order of their correlation ids;
// the reader goroutine matches answers to the head of waiting.
type wire struct {
	client *Client
	nc     net.Conn

	out  sync.Mutex // held while encoding and writing
	next int32      // correlation id, guarded by out

	versions map[int16]versionRange // what the other node serves; set once before use

	mu      sync.Mutex
	waiting []*call
	err     error // why it is dead
}

type versionRange struct{ min, max int16 }

// call is one request on its way.
type call struct {
	correlationID int32
	req           kmsg.Request
	deadline      time.Time
	done          chan result // one slot
}

type result struct {
	resp kmsg.Response
	err  error
}

func newWire(c *Client, nc net.Conn) *wire { return &wire{client: c, nc: nc} }

func (w *wire) alive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err == nil
}

// fail ends the connection: err goes to all who wait. Only the first call counts.
func (w *wire) fail(err error) {
	w.mu.Lock()
	if w.err != nil {
		w.mu.Unlock()
		return
	}
	w.err = err
	waiting := w.waiting
	w.waiting = nil
	w.mu.Unlock()
	w.nc.Close()
	for _, k := range waiting {
		k.done <- result{err: err}
	}
}

// negotiate asks for the versions of the other node. A node that does not know our ApiVersions answers in
// the form of version 0 with its range, or at worst in that form alone.
func (w *wire) negotiate(ctx context.Context) error {
	for _, version := range []int16{3, 0} {
		req := kmsg.NewPtrApiVersionsRequest()
		req.Version = version
		req.ClientSoftwareName, req.ClientSoftwareVersion = "dohle", w.client.o.SoftwareVersion
		resp, err := w.exchange(ctx, req)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.ApiVersionsResponse)
		if answer.ErrorCode == kerr.UnsupportedVersion.Code && version > 0 {
			continue
		}
		if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
			return fmt.Errorf("peer: ApiVersions: %w", err)
		}
		w.versions = make(map[int16]versionRange, len(answer.ApiKeys))
		for _, k := range answer.ApiKeys {
			w.versions[k.ApiKey] = versionRange{k.MinVersion, k.MaxVersion}
		}
		return nil
	}
	return fmt.Errorf("%w: ApiVersions", ErrUnsupported)
}

// choose sets the highest version that both sides know: kmsg's, Kafka's table of this build without
// unstable versions, and the other node's range.
func (w *wire) choose(req kmsg.Request) error {
	theirs, ok := w.versions[req.Key()]
	if !ok {
		return fmt.Errorf("%w: %s is not served by %s", ErrUnsupported, kmsg.NameForKey(req.Key()), w.nc.RemoteAddr())
	}
	least, most := int16(0), req.MaxVersion()
	if ours, ok := protocol.VersionsOf(req.Key()); ok {
		least, most = ours.Min, min(most, ours.Max)
		if ours.Unstable && most == ours.Max {
			most--
		}
	}
	most = min(most, theirs.max)
	if most < max(least, theirs.min) {
		return fmt.Errorf("%w: %s at %d-%d", ErrUnsupported, kmsg.NameForKey(req.Key()), theirs.min, theirs.max)
	}
	req.SetVersion(most)
	return nil
}

func (w *wire) roundTrip(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	if err := w.choose(req); err != nil {
		return nil, err
	}
	return w.exchange(ctx, req)
}

// exchange writes req at the version it has and waits.
func (w *wire) exchange(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	k := &call{req: req, done: make(chan result, 1)}
	if err := w.post(k); err != nil {
		return nil, err
	}
	select {
	case r := <-k.done:
		return r.resp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// post queues and writes the call. The queue comes first: the answer may be faster than this goroutine.
func (w *wire) post(k *call) error {
	o := &w.client.o
	w.out.Lock()
	defer w.out.Unlock()
	k.correlationID = w.next
	w.next = (w.next + 1) & 0x7fffffff
	buf := bufpool.Get(512)
	buf.B = protocol.AppendRequest(buf.B[:0], o.ClientID, k.correlationID, k.req)
	defer buf.Put(keepOutBytes)

	k.deadline = o.Clock.Now().Add(o.RequestTimeout)
	w.mu.Lock()
	if w.err != nil {
		err := w.err
		w.mu.Unlock()
		return err
	}
	w.waiting = append(w.waiting, k)
	if len(w.waiting) == 1 {
		w.nc.SetReadDeadline(k.deadline) // the read reports it
	}
	w.mu.Unlock()

	w.nc.SetWriteDeadline(k.deadline) // the write reports it
	if _, err := w.nc.Write(buf.B); err != nil {
		err = lost(err)
		w.fail(err)
		return err
	}
	return nil
}

// read is the reader goroutine: it cuts answers off the stream until the connection ends.
func (w *wire) read() {
	r := bufio.NewReaderSize(w.nc, readBytes)
	for {
		frame, err := w.readFrame(r)
		if err != nil {
			w.fail(lost(err))
			return
		}
		if err := w.deliver(frame); err != nil {
			w.client.o.Log.Warn().Err(err).Str("peer", w.nc.RemoteAddr().String()).Msg("unreadable answer")
			w.fail(fmt.Errorf("%w: %w", ErrDisconnected, err))
			return
		}
	}
}

// readFrame returns one answer without its length. The caller owns it: what the answer aliases (records)
// lives on in the response.
func (w *wire) readFrame(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head)))
	if size < 4 || size > w.client.o.MaxResponseBytes {
		return nil, fmt.Errorf("peer: an answer of %d bytes", size)
	}
	r.Discard(4) //nolint:errcheck // it was peeked
	frame := make([]byte, min(size, firstFrameBytes))
	for got := 0; ; {
		n, err := io.ReadFull(r, frame[got:])
		if got += n; err != nil {
			return nil, err
		}
		if got == size {
			return frame, nil
		}
		larger := make([]byte, min(size, got*frameGrowth))
		copy(larger, frame)
		frame = larger
	}
}

// deliver decodes frame for the oldest call and wakes it.
func (w *wire) deliver(frame []byte) error {
	w.mu.Lock()
	if w.err != nil { // closed while this answer was on its way; the next read says so
		w.mu.Unlock()
		return nil
	}
	if len(w.waiting) == 0 {
		w.mu.Unlock()
		return errors.New("an answer that nobody asked for")
	}
	k := w.waiting[0]
	w.waiting[0] = nil
	w.waiting = w.waiting[1:]
	var deadline time.Time
	if len(w.waiting) > 0 {
		deadline = w.waiting[0].deadline
	} else {
		w.waiting = nil
	}
	w.nc.SetReadDeadline(deadline) // the read reports it
	w.mu.Unlock()

	id, resp, err := protocol.DecodeResponse(k.req, frame)
	if err == nil && id != k.correlationID {
		err = fmt.Errorf("correlation id %d, waiting for %d", id, k.correlationID)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", kmsg.NameForKey(k.req.Key()), err)
		k.done <- result{err: fmt.Errorf("%w: %w", ErrDisconnected, err)}
		return err
	}
	k.done <- result{resp: resp}
	return nil
}

// lost wraps what the socket says in the error that callers test for.
func lost(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrTimeout
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}
