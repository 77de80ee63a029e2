package quorum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
)

// Goroutines of a Node, all started here and all ended when Run returns:
//
//	loop      Run itself: the only one that touches the Core and writes the disk
//	delivery  one: hands committed records to the listeners
//	send      one per request to another node, for as long as the request lasts

// maxRead bounds the bytes of one Fetch or FetchSnapshot answer, whatever the request allows.
const maxRead = 16 << 20

// Run drives the node until ctx ends, Shutdown was called, or the disk failed. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	if !n.begun.CompareAndSwap(false, true) {
		return errStopped
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)

	wg.Go(func() {
		if err := n.deliveries(ctx); err != nil {
			cancel(err)
		}
	})
	l := &loop{Node: n, ctx: ctx, wg: &wg, waiting: map[uint64]*op{}, timer: n.o.Clocks.Real.NewTimer(time.Hour)}
	defer l.timer.Stop()
	err := l.run()
	cancel(nil)
	l.end() // first: a listener may be waiting for an append
	wg.Wait()
	if closeErr := n.disk.close(); err == nil {
		err = closeErr
	}
	for _, o := range l.stops {
		close(o.done)
	}
	return err
}

// deliveries runs until ctx ends.
func (n *Node) deliveries(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.out.wake:
			if err := n.deliverAll(); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// loop is the state of Run's goroutine.
type loop struct {
	*Node
	ctx     context.Context
	wg      *sync.WaitGroup
	timer   clock.Timer
	waiting map[uint64]*op // requests without an answer, by token
	tokens  uint64
	stops   []*op
	left    []*op // taken from the inbox, and not handled when the loop failed
	cleanAt time.Time
	removes []removal
}

type removal struct {
	at   time.Time
	name string
}

func (l *loop) now() time.Time { return l.o.Clocks.Real.Now() }

func (l *loop) run() error {
	l.cleanAt = l.now().Add(cleanEvery)
	if err := l.step(Tick{}); err != nil {
		return err
	}
	for {
		select {
		case <-l.ctx.Done():
			if err := context.Cause(l.ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		case <-l.timer.C():
			if err := l.step(Tick{}); err != nil {
				return err
			}
		case <-l.inbox.wake:
			if err := l.handle(l.inbox.take()); err != nil {
				return err
			}
		}
		if len(l.stops) > 0 && l.core.Stopped() {
			return nil
		}
		if err := l.clean(); err != nil {
			return err
		}
	}
}

// handle works through what has gathered, in order; proposals that stand next to each other share one append.
func (l *loop) handle(ops []*op) error {
	for i := 0; i < len(ops); {
		if ops[i].kind != opPropose {
			if err := l.handleOne(ops[i]); err != nil {
				l.left = ops[i+1:]
				return err
			}
			i++
			continue
		}
		first := i
		var ps []Proposal
		for ; i < len(ops) && ops[i].kind == opPropose; i++ {
			ps = append(ps, ops[i].proposal)
		}
		proposed, err := l.stepProposals(ps)
		for k, o := range ops[first:i] {
			if err != nil {
				o.proposed.Err = fmt.Errorf("metadata log: %w: %w", kerr.NotController, err)
			} else {
				o.proposed = proposed[k]
			}
			close(o.done)
		}
		if err != nil {
			l.left = ops[i:]
			return err
		}
	}
	return nil
}

func (l *loop) handleOne(o *op) error {
	switch o.kind {
	case opRequest:
		l.tokens++
		o.token = l.tokens
		l.waiting[o.token] = o
		return l.step(Request{o.token, o.req})
	case opCancel:
		if _, ok := l.waiting[o.cancels.token]; !ok {
			return nil
		}
		delete(l.waiting, o.cancels.token)
		return l.step(Cancel{o.cancels.token})
	case opEvent:
		return l.step(o.event)
	case opAsk:
		o.ask()
		close(o.done)
		return nil
	case opSnapshot:
		if o.snapshot.EndOffset < l.disk.log.LogStartOffset() {
			// A newer one was fetched while this one was written.
			err := removeIfThere(l.o.FS, l.disk.snapshotName(o.snapshot, snapshotEnding))
			close(o.done)
			return err
		}
		l.disk.setSnapshots(append(l.disk.listSnapshots(), o.snapshot))
		l.cleanAt = l.now()
		close(o.done)
		return l.snapshotsChanged()
	case opStop:
		l.stops = append(l.stops, o)
		return l.step(Stop{})
	}
	panic(fmt.Sprintf("quorum: op of kind %d", o.kind))
}

func (l *loop) step(ev Event) error { _, err := l.carry(ev); return err }

func (l *loop) stepProposals(ps []Proposal) ([]Proposed, error) { return l.carry(Propose{ps}) }

// carry steps the Core and carries out what it asks for: disk first, then words.
func (l *loop) carry(ev Event) (proposed []Proposed, err error) {
	out := l.core.Step(l.now(), ev)
	for _, line := range out.Log {
		l.o.Log.Info().Int32("node", l.o.NodeID).Msg(line)
	}
	for _, w := range out.Writes {
		if err := l.disk.apply(w); err != nil {
			return nil, fmt.Errorf("metadata log: %w", err)
		}
	}
	l.show()
	for _, r := range out.Replies {
		l.answer(r)
	}
	for _, s := range out.Sends {
		l.send(s)
	}
	l.timer.Stop()
	if out.Wake.IsZero() {
		l.timer.Reset(cleanEvery)
	} else {
		l.timer.Reset(out.Wake.Sub(l.now()))
	}
	for _, w := range out.Writes {
		if w.Kind == InstallSnapshot {
			m, err := l.disk.membershipOf(w.Snapshot)
			if err != nil {
				return nil, err
			}
			return out.Proposed, l.step(SnapshotInstalled{w.Snapshot, m})
		}
	}
	return out.Proposed, nil
}

// show publishes what others may see.
func (l *loop) show() {
	l.showMembers()
	v := &view{hw: l.core.HighWatermark(), end: l.core.Log().End}
	v.leader, v.epoch, v.addr, v.known = l.core.Leader()
	v.epochStart, v.leads = l.core.LeaderSince()
	if old := l.shown.Load(); *old == *v {
		return
	}
	l.shown.Store(v)
	if v.hw >= 0 {
		l.disk.log.UpdateHighWatermark(v.hw)
		l.commits.advance(v.hw)
	}
	l.out.update(v)
}

// snapshotsChanged tells the Core which snapshots there are and where the log starts.
func (l *loop) snapshotsChanged() error {
	return l.step(SnapshotsChanged{l.disk.log.LogStartOffset(), l.disk.listSnapshots()})
}

// answer fills in bytes of the disk and gives the answer to whoever waits.
func (l *loop) answer(r Reply) {
	o, ok := l.waiting[r.Token]
	if !ok {
		return
	}
	delete(l.waiting, r.Token)
	if r.Read != nil {
		l.read(r)
	}
	o.answer <- r.Resp
}

func (l *loop) read(r Reply) {
	n := int(min(max(r.Read.MaxBytes, 1), maxRead))
	switch resp := r.Resp.(type) {
	case *kmsg.FetchResponse:
		p := &resp.Topics[0].Partitions[0]
		b, err := l.disk.log.ReadBytes(r.Read.Offset, n, l.disk.log.LogEndOffset())
		if err != nil {
			l.o.Log.Error().Err(err).Int64("offset", r.Read.Offset).Msg("reading the metadata log for a fetch")
			p.ErrorCode = kerr.UnknownServerError.Code
			return
		}
		p.RecordBatches = b
	case *kmsg.FetchSnapshotResponse:
		p := &resp.Topics[0].Partitions[0]
		if code := l.readSnapshot(p, *r.Read.Snapshot, r.Read.Offset, n); code != 0 {
			p.ErrorCode, p.SnapshotID.EndOffset, p.SnapshotID.Epoch, p.Position = code, 0, 0, 0
		}
	}
}

func (l *loop) readSnapshot(p *kmsg.FetchSnapshotResponseTopicPartition, id SnapshotID, at int64, n int) int16 {
	f, err := openSnapshot(l.o.FS, l.disk.dir, id, l.o.Codecs)
	if errors.Is(err, fs.ErrNotExist) {
		return kerr.SnapshotNotFound.Code
	}
	if err != nil {
		l.o.Log.Error().Err(err).Msg("opening a snapshot for a follower")
		return kerr.UnknownServerError.Code
	}
	defer f.close()
	if at >= f.size {
		return kerr.PositionOutOfRange.Code
	}
	p.Size = f.size
	p.Bytes = make([]byte, min(int64(n), f.size-at))
	if got, err := f.file.ReadAt(p.Bytes, at); err != nil && (!errors.Is(err, io.EOF) || got < len(p.Bytes)) {
		l.o.Log.Error().Err(err).Msg("reading a snapshot for a follower")
		p.Bytes = nil
		return kerr.UnknownServerError.Code
	}
	return 0
}

// send asks another node on a goroutine of its own; the answer comes back as an event.
func (l *loop) send(s Send) {
	l.wg.Go(func() {
		ctx, cancel := clock.WithTimeout(l.ctx, s.Timeout)
		defer cancel()
		resp, err := l.o.Transport.Send(ctx, s.To, s.Req)
		l.inbox.put(&op{kind: opEvent, event: Response{ID: s.ID, Resp: resp, Err: err,
			Reset: err != nil && ctx.Err() == nil && !errors.Is(err, kerr.UnsupportedVersion)}})
	})
}

// clean applies retention now and then, and removes what has been marked deleted for long enough.
func (l *loop) clean() error {
	now := l.now()
	for len(l.removes) > 0 && !now.Before(l.removes[0].at) {
		if err := l.o.FS.Remove(l.removes[0].name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		l.removes = l.removes[1:]
	}
	if now.Before(l.cleanAt) {
		return nil
	}
	l.cleanAt = now.Add(cleanEvery)
	changed, gone, err := l.disk.clean(l.o.Limits, l.o.Clocks.Broker.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("cleaning the metadata log: %w", err)
	}
	for _, name := range gone {
		l.removes = append(l.removes, removal{now.Add(l.o.Limits.DeleteDelay), name})
	}
	if changed {
		return l.snapshotsChanged()
	}
	return nil
}

// end tells everyone who still waits that nothing more comes.
func (l *loop) end() {
	for _, o := range append(l.left, l.inbox.close()...) {
		switch o.kind {
		case opPropose:
			o.proposed.Err = fmt.Errorf("%w: %w", errStopped, kerr.NotController)
		case opStop:
			l.stops = append(l.stops, o)
			continue
		}
		o.skipped = true
		if o.done != nil {
			close(o.done)
		}
	}
	for _, o := range l.waiting {
		close(o.done)
	}
	l.commits.close()
	v := *l.shown.Load()
	v.known, v.leads, v.leader = false, false, -1
	l.shown.Store(&v)
}
