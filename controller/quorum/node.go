package quorum

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var errNotOpen = errors.New("quorum: not open")

// Node is one member of the quorum: the pure Core and the metadata log it writes.
type Node struct{}

// Open reads the metadata log, the newest snapshot and quorum-state. Nothing runs until Run.
func Open(o Options) (*Node, error) { return nil, errNotOpen }

// Run drives the node until ctx ends, Shutdown was called, or the disk failed.
func (n *Node) Run(ctx context.Context) error { return errNotOpen }

// Handle answers Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot and DescribeQuorum. A Fetch waits here.
func (n *Node) Handle(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return nil, errNotOpen
}

// Append writes the records as one atomic batch of the given epoch and returns the offset of the last, once it is in
// this leader's log; WaitCommitted tells when it counts. NOT_CONTROLLER when this node does not lead that epoch.
func (n *Node) Append(ctx context.Context, epoch int32, records [][]byte) (lastOffset int64, err error) {
	return 0, kerr.NotController
}

// Subscribe registers a listener. It hears everything from the newest snapshot on.
func (n *Node) Subscribe(l Listener) {}

// Leader returns the leader of the current epoch and its address; ok is false while nobody is known.
func (n *Node) Leader() (id, epoch int32, addr Address, ok bool) { return -1, 0, Address{}, false }

// HighWatermark is the end of what is committed, exclusive; -1 while unknown.
func (n *Node) HighWatermark() int64 { return -1 }

// LogEndOffset is the end of the local metadata log, exclusive.
func (n *Node) LogEndOffset() int64 { return 0 }

// WriteSnapshot writes <endOffset>-<epoch>.checkpoint. endOffset is the end of a batch, at or below the high watermark;
// epoch is that batch's and appendTime (ms) its timestamp. The log start may rise afterwards.
func (n *Node) WriteSnapshot(endOffset int64, epoch int32, appendTime int64, write func(add func(value []byte) error) error) error {
	return errNotOpen
}

// WaitCommitted returns when the high watermark is above offset.
func (n *Node) WaitCommitted(ctx context.Context, offset int64) error { return errNotOpen }

// Shutdown resigns when leading (EndQuorumEpoch), then stops Run.
func (n *Node) Shutdown(ctx context.Context) error { return errNotOpen }
