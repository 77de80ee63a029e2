package controller

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
)

// A Controller decides about the cluster while its node leads the quorum.
type Controller struct {
	o    Options
	wake chan struct{} // one slot: the inbox is not empty

	// committed is the image of all that is committed, for reads that need no leader. Written by the loop.
	committed atomic.Pointer[metadata.Image]
	leader    atomic.Int32 // -1 = none known

	mu    sync.Mutex
	inbox []event
	done  bool // Run returned: nobody will answer
}

// New makes a controller and subscribes it to the quorum. Nothing is decided before Run.
func New(o Options) *Controller {
	c := &Controller{o: o, wake: make(chan struct{}, 1)}
	c.committed.Store(metadata.Empty())
	c.leader.Store(-1)
	o.Quorum.Subscribe(c)
	return c
}

// Image is the committed state as this controller knows it.
func (c *Controller) Image() *metadata.Image { return c.committed.Load() }

// An event is one message to the loop.
type event struct {
	at time.Time // Real clock, when it arrived

	entries  []metadata.Entry // committed
	whole    bool             // entries end at a batch's end
	snapshot *snapshotEvent
	leader   *leaderEvent
	request  *request
	closed   uint64 // a connection
}

type snapshotEvent struct {
	values     [][]byte
	err        error
	id         quorum.SnapshotID
	appendTime int64
}

type leaderEvent struct{ id, epoch int32 }

type request struct {
	call   Call
	req    kmsg.Request
	answer chan kmsg.Response // one slot
}

// post never blocks: the quorum's delivery must not wait for a loop that waits for the quorum.
func (c *Controller) post(e event) bool {
	e.at = c.o.Clocks.Real.Now()
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return false
	}
	c.inbox = append(c.inbox, e)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

func (c *Controller) take() []event {
	c.mu.Lock()
	defer c.mu.Unlock()
	events := c.inbox
	c.inbox = nil
	return events
}

// Committed is the quorum's delivery; see quorum.Listener.
func (c *Controller) Committed(entries []quorum.Entry) {
	if len(entries) == 0 {
		return
	}
	list := make([]metadata.Entry, len(entries))
	for i, e := range entries {
		list[i] = metadata.Entry{Offset: e.Offset, Epoch: e.Epoch, AppendTime: e.AppendTime, Value: slices.Clone(e.Value)}
	}
	c.post(event{entries: list, whole: entries[len(entries)-1].EndOfBatch})
}

// LoadSnapshot is the quorum's delivery.
func (c *Controller) LoadSnapshot(s quorum.Snapshot) {
	e := &snapshotEvent{id: s.ID, appendTime: s.AppendTime}
	for value, err := range s.Values {
		if err != nil {
			e.err = err
			break
		}
		e.values = append(e.values, slices.Clone(value))
	}
	c.post(event{snapshot: e})
}

// LeaderChanged is the quorum's delivery.
func (c *Controller) LeaderChanged(leader, epoch int32) {
	c.leader.Store(leader)
	c.post(event{leader: &leaderEvent{leader, epoch}})
}

// ConnectionClosed tells that a connection is gone. A broker last heard on it is fenced at once.
func (c *Controller) ConnectionClosed(conn uint64) {
	if conn != 0 {
		c.post(event{closed: conn})
	}
}

// Handle answers one request; it waits until what was decided is committed. While this node does not lead, the answer is
// NOT_CONTROLLER, in the places where Kafka puts it. The error is that of ctx, or UNSUPPORTED_VERSION for a request that
// the controller does not decide.
func (c *Controller) Handle(ctx context.Context, call Call, req kmsg.Request) (kmsg.Response, error) {
	if r, ok := req.(*kmsg.DescribeClusterRequest); ok {
		return DescribeCluster(c.committed.Load(), c.o.ClusterID, c.leader.Load(), call.Listener, r), nil
	}
	if !decides(req) {
		return nil, kerr.UnsupportedVersion
	}
	switch req.(type) {
	case *kmsg.UpdateFeaturesRequest, *kmsg.ListPartitionReassignmentsRequest:
		call.Deadline = time.Time{} // Kafka does not look at these two's timeout
	}
	r := &request{call: call, req: req, answer: make(chan kmsg.Response, 1)}
	if !c.post(event{request: r}) {
		return ErrorResponse(req, kerr.NotController, nil), nil
	}
	var late <-chan time.Time
	if !call.Deadline.IsZero() {
		t := c.o.Clocks.Real.NewTimer(call.Deadline.Sub(c.o.Clocks.Real.Now()))
		defer t.Stop()
		late = t.C()
	}
	select {
	case resp := <-r.answer:
		return resp, nil
	case <-late:
		return ErrorResponse(req, kerr.RequestTimedOut, nil), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var _ quorum.Listener = (*Controller)(nil)
