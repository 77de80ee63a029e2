package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol/record"
)

// Node is one member of the quorum: the pure Core, the disk it writes, and what waits for either. See doc.go for its
// goroutines.
type Node struct {
	o    Options
	disk *disk

	core    *Core // only the loop touches it, once Run has begun
	inbox   inbox
	commits commits
	out     delivery
	shown   atomic.Pointer[view]
	members atomic.Pointer[membership]

	begun      atomic.Bool
	snapshotMu sync.Mutex // one WriteSnapshot at a time
}

// view is what others may see of the Core, replaced after every Step.
type view struct {
	leader, epoch int32
	addr          Address
	known         bool // leader and its address
	leads         bool // this node, and since which offset
	epochStart    int64
	hw, end       int64
}

// membership is what the newest records of the log say, committed or not.
type membership struct {
	changes int // of the Core's history when this was taken
	version int16
	voters  VoterSet
}

func (n *Node) showMembers() {
	if h := &n.core.history; n.members.Load() == nil || n.members.Load().changes != h.changes {
		n.members.Store(&membership{h.changes, h.version(), n.core.voters()})
	}
}

// errStopped is what callers get once Run has ended.
var errStopped = fmt.Errorf("the quorum node has stopped: %w", kerr.BrokerNotAvailable)

// Open reads the metadata log, the newest snapshot and quorum-state. Nothing runs until Run. A directory that is
// damaged, or has lost something that was committed, is an error with its path and the reason.
func Open(o Options) (*Node, error) {
	o.Timeouts, o.Limits = o.Timeouts.withDefaults(), o.Limits.withDefaults()
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	d, stored, err := openDisk(&o)
	if err != nil {
		return nil, err
	}
	n := &Node{o: o, disk: d, core: NewCore(cfg, stored, o.Rand)}
	n.inbox.wake = make(chan struct{}, 1)
	n.out.wake = make(chan struct{}, 1)
	n.showMembers()
	n.shown.Store(&view{leader: -1, epoch: stored.State.Epoch, hw: -1, end: stored.Log.End})
	return n, nil
}

// config makes the Core's configuration. Without bootstrap servers the static voters are asked, as in Kafka.
func (o *Options) config() (Config, error) {
	c := Config{Self: ReplicaKey{o.NodeID, o.DirectoryID}, ClusterID: o.ClusterID, Observer: o.Observer, Endpoints: o.Endpoints,
		Listener: o.ListenerName, Static: o.StaticVoters, Timeouts: o.Timeouts,
		FetchBytes: o.Limits.FetchMaxBytes, ChunkBytes: o.Limits.FetchSnapshotMaxBytes}
	if c.Listener == "" && len(o.Endpoints) > 0 {
		c.Listener = o.Endpoints[0].Name
	}
	own := func(a Address) bool {
		return slices.ContainsFunc(o.Endpoints, func(e Endpoint) bool { return e.Host == a.Host && int32(e.Port) == a.Port })
	}
	for _, s := range o.BootstrapServers {
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			return c, fmt.Errorf("controller.quorum.bootstrap.servers: %w", err)
		}
		p, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return c, fmt.Errorf("controller.quorum.bootstrap.servers: port of %q: %w", s, err)
		}
		if a := (Address{host, int32(p)}); !own(a) {
			c.Bootstrap = append(c.Bootstrap, a)
		}
	}
	if len(o.BootstrapServers) == 0 {
		for _, v := range o.StaticVoters {
			if a, ok := addressOf(v.Endpoints, c.Listener); ok && v.ID != o.NodeID {
				c.Bootstrap = append(c.Bootstrap, a)
			}
		}
	}
	return c, nil
}

// Handle answers Vote, BeginQuorumEpoch, EndQuorumEpoch, Fetch, FetchSnapshot and DescribeQuorum. A Fetch waits here,
// at most half the fetch timeout. The error is ctx's, or wraps BROKER_NOT_AVAILABLE when the node has stopped.
func (n *Node) Handle(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	switch req.(type) {
	case *kmsg.VoteRequest, *kmsg.BeginQuorumEpochRequest, *kmsg.EndQuorumEpochRequest, *kmsg.FetchRequest,
		*kmsg.FetchSnapshotRequest, *kmsg.DescribeQuorumRequest:
	default:
		return nil, fmt.Errorf("key %d is not the quorum's: %w", req.Key(), kerr.UnsupportedVersion)
	}
	answer := make(chan kmsg.Response, 1)
	o := &op{kind: opRequest, req: req, answer: answer, done: make(chan struct{})}
	if !n.inbox.put(o) {
		return nil, errStopped
	}
	select {
	case resp := <-answer:
		return resp, nil
	case <-o.done: // the node stopped; the answer may be there all the same
		select {
		case resp := <-answer:
			return resp, nil
		default:
			return nil, errStopped
		}
	case <-ctx.Done():
		n.inbox.put(&op{kind: opCancel, cancels: o})
		return nil, ctx.Err()
	}
}

// Append writes the records as one atomic batch of the given epoch and returns the offset of the last, once it is in
// this leader's log and durable; WaitCommitted tells when it counts. Proposals that wait together share one write and
// one fsync. The errors: NOT_CONTROLLER when this node does not lead that epoch (nothing was written),
// RECORD_LIST_TOO_LARGE for more than MaxBatchBytes. ctx ends the wait for an append that has not begun.
func (n *Node) Append(ctx context.Context, epoch int32, records [][]byte) (lastOffset int64, err error) {
	if v := n.shown.Load(); !v.leads || v.epoch != epoch {
		return 0, fmt.Errorf("append in epoch %d: %w", epoch, kerr.NotController)
	}
	if len(records) == 0 {
		return 0, errors.New("quorum: an append of no records")
	}
	opts := record.NewOptions()
	opts.LeaderEpoch = epoch
	w := record.NewBuilder(opts)
	now := n.o.Clocks.Broker.Now().UnixMilli()
	for _, r := range records {
		w.Add(now, nil, r)
		if w.Size() > MaxBatchBytes {
			return 0, fmt.Errorf("append of more than %d bytes: %w", MaxBatchBytes, kerr.RecordListTooLarge)
		}
	}
	batch, err := w.Build()
	if err != nil {
		return 0, err
	}
	o := &op{kind: opPropose, proposal: Proposal{epoch, batch}, done: make(chan struct{})}
	if !n.inbox.put(o) {
		return 0, fmt.Errorf("%w: %w", errStopped, kerr.NotController)
	}
	select {
	case <-o.done:
		return o.proposed.LastOffset, o.proposed.Err
	case <-ctx.Done():
		if n.inbox.withdraw(o) {
			return 0, ctx.Err()
		}
		<-o.done // the loop has it: what it did must be told
		return o.proposed.LastOffset, o.proposed.Err
	}
}

// Subscribe registers a listener. It hears everything from the newest snapshot on.
func (n *Node) Subscribe(l Listener) { n.out.add(l) }

// Leader returns the leader of the current epoch and its address; ok is false while nobody is known.
func (n *Node) Leader() (id, epoch int32, addr Address, ok bool) {
	v := n.shown.Load()
	return v.leader, v.epoch, v.addr, v.known
}

// HighWatermark is the end of what is committed, exclusive; -1 while unknown.
func (n *Node) HighWatermark() int64 { return n.shown.Load().hw }

// LogEndOffset is the end of the local metadata log, exclusive.
func (n *Node) LogEndOffset() int64 { return n.shown.Load().end }

// LogStartOffset is where the local metadata log starts; what lies below is in the newest snapshot.
func (n *Node) LogStartOffset() int64 { return n.disk.log.LogStartOffset() }

// LatestSnapshot is the newest snapshot beside the log.
func (n *Node) LatestSnapshot() (SnapshotID, bool) { return n.disk.latestSnapshot() }

// KRaftVersion is the level of kraft.version, and voters the newest voter set, committed or not; not to be changed. It
// never waits and never fails; ctx and err are there for the callers of today.
func (n *Node) KRaftVersion(context.Context) (version int16, voters []Voter, err error) {
	m := n.members.Load()
	return m.version, m.voters, nil
}

// WaitCommitted returns when the high watermark is above offset. Whether the record there is the one that the caller
// appended is sure only while this node leads the caller's epoch: another leader may have cut it and put its own there.
// Who must know looks at the epochs that Committed delivers. The errors: ctx's, or BROKER_NOT_AVAILABLE after a stop.
func (n *Node) WaitCommitted(ctx context.Context, offset int64) error {
	ch, ok := n.commits.wait(offset)
	if !ok {
		return errStopped
	}
	if ch == nil {
		return nil
	}
	select {
	case _, ok := <-ch:
		if !ok {
			return errStopped
		}
		return nil
	case <-ctx.Done():
		n.commits.forget(ch)
		return ctx.Err()
	}
}

// Resign gives up the lead of that epoch; nothing happens when this node does not lead it.
func (n *Node) Resign(epoch int32) { n.inbox.put(&op{kind: opEvent, event: Resign{epoch}}) }

// WriteSnapshot writes <endOffset>-<epoch>.checkpoint. endOffset is the end of a batch, at or below the high watermark;
// epoch is that batch's and appendTime (ms) its timestamp. The log start may rise afterwards. It does nothing when
// that snapshot exists or the log starts above it.
func (n *Node) WriteSnapshot(endOffset int64, epoch int32, appendTime int64, write func(add func(value []byte) error) error) error {
	n.snapshotMu.Lock()
	defer n.snapshotMu.Unlock()
	id := SnapshotID{endOffset, epoch}
	if slices.Contains(n.disk.listSnapshots(), id) || endOffset < n.disk.log.LogStartOffset() {
		return nil
	}
	if err := n.checkSnapshotEnd(id); err != nil {
		return err
	}
	// An observer's log is not flushed otherwise; without this a crash could leave the snapshot above the log's end.
	if err := n.disk.log.Flush(endOffset); err != nil {
		return err
	}
	var m Membership
	if err := n.ask(context.Background(), func() { m = n.core.MembershipAt(endOffset) }); err != nil {
		return err
	}
	w, err := beginSnapshot(n.o.FS, n.disk.dir, id, n.o.Clocks.Broker.Now().UnixMilli(), appendTime, m)
	if err != nil {
		return err
	}
	if err := write(w.add); err != nil {
		w.abandon()
		return err
	}
	if err := w.finish(); err != nil {
		return err
	}
	return n.await(context.Background(), &op{kind: opSnapshot, snapshot: id, done: make(chan struct{})})
}

// checkSnapshotEnd: a snapshot ends where a batch ends, at or below the high watermark, in that batch's epoch (rule 8).
func (n *Node) checkSnapshotEnd(id SnapshotID) error {
	if hw := n.HighWatermark(); id.EndOffset > hw {
		return fmt.Errorf("snapshot %s ends above the high watermark %d", id, hw)
	}
	if id.EndOffset == n.disk.log.LogStartOffset() {
		return fmt.Errorf("snapshot %s ends at the log start, where there is another", id)
	}
	b, err := n.disk.log.ReadBytes(id.EndOffset-1, 1, n.disk.log.LogEndOffset())
	if err != nil {
		return err
	}
	batch, _, err := record.Next(b)
	if err != nil {
		return err
	}
	if batch.NextOffset() != id.EndOffset || batch.PartitionLeaderEpoch() != id.Epoch {
		return fmt.Errorf("snapshot %s splits the batch [%d, %d) of epoch %d, or names another epoch", id,
			batch.BaseOffset(), batch.NextOffset(), batch.PartitionLeaderEpoch())
	}
	return nil
}

// Shutdown resigns when leading (EndQuorumEpoch), then ends Run. It returns when Run has ended, or with ctx's error.
func (n *Node) Shutdown(ctx context.Context) error {
	o := &op{kind: opStop, done: make(chan struct{})}
	if !n.inbox.put(o) {
		return nil
	}
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close gives up a node that was opened and never run. After Run it does nothing.
func (n *Node) Close() error {
	if !n.begun.CompareAndSwap(false, true) {
		return nil
	}
	n.inbox.close()
	n.commits.close()
	return n.disk.close()
}

// ask runs f on the loop and waits for it.
func (n *Node) ask(ctx context.Context, f func()) error {
	return n.await(ctx, &op{kind: opAsk, ask: f, done: make(chan struct{})})
}

// await queues an op and waits until the loop is through with it.
func (n *Node) await(ctx context.Context, o *op) error {
	if !n.inbox.put(o) {
		return errStopped
	}
	select {
	case <-o.done:
		if o.skipped {
			return errStopped
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
