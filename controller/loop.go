package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
)

// loop is the state of Run; nobody else touches it.
type loop struct {
	*Controller
	loader    *metadata.Loader // of what is committed
	boot      bootstrap
	committed int64 // last committed offset that was delivered

	active   bool
	epoch    int32
	latest   *metadata.Image // committed plus what this leader has appended and what stands in group
	appended int64           // offset of the last record appended or replayed
	group    group
	sessions *Sessions
	parked   []parked // by offset, ascending

	noop, balance, unclean time.Time // when next; zero = never
	trigger                metadata.SnapshotTrigger
	writing                chan struct{} // closed when the snapshot that is being written is done; nil = none
	writers                sync.WaitGroup
}

// parked is an answer that waits until everything up to offset is committed.
type parked struct {
	offset int64
	to     *request
	resp   kmsg.Response
}

// A group is what was decided since the last append: the records of all requests that waited together are one batch and
// one fsync. The next decision sees them; if the append fails, this node leads no more and forgets them all.
type group struct {
	start   int64 // offset of the first record
	values  [][]byte
	bytes   int
	waiting []parked
}

// commit replays what the quorum has committed and lets parked answers go.
func (l *loop) commit(e event) error {
	var bytes int64
	for _, entry := range e.entries {
		bytes += int64(len(entry.Value))
	}
	last := e.entries[len(e.entries)-1].Offset
	err := l.loader.Load(e.entries, func(img *metadata.Image, _ *metadata.Delta) { l.Controller.committed.Store(img) })
	if err != nil {
		return fmt.Errorf("a committed record does not replay: %w", err)
	}
	l.committed = last
	if !l.active {
		l.appended = last
	}
	n := 0
	for n < len(l.parked) && l.parked[n].offset <= l.committed {
		l.parked[n].to.answer <- l.parked[n].resp
		n++
	}
	l.parked = l.parked[n:]
	l.trigger.Add(bytes, e.at)
	if e.whole && !l.loader.InTransaction() && l.trigger.Due(e.at) {
		l.snapshot()
	}
	return nil
}

// load replaces the committed state. The snapshot that formatting wrote is not state: its records are the first that a
// controller writes into an empty log.
func (l *loop) load(s *snapshotEvent) error {
	if s.err != nil {
		return fmt.Errorf("snapshot %d-%d: %w", s.id.EndOffset, s.id.Epoch, s.err)
	}
	if s.id.EndOffset == 0 {
		l.boot = nil
		for _, value := range s.values {
			r, _, err := metadata.ParseRecord(value)
			if err != nil {
				return fmt.Errorf("bootstrap snapshot: %w", err)
			}
			l.boot = append(l.boot, r)
		}
		return nil
	}
	values := func(yield func([]byte, error) bool) {
		for _, v := range s.values {
			if !yield(v, nil) {
				return
			}
		}
	}
	img, _, err := l.loader.LoadSnapshot(values, s.id.EndOffset-1, s.id.Epoch, s.appendTime)
	if err != nil {
		return err
	}
	l.Controller.committed.Store(img)
	l.committed, l.appended = img.Offset, img.Offset
	l.trigger.Reset()
	return nil
}

// activate begins to decide. Everything before the epoch's start has been delivered.
func (l *loop) activate(ctx context.Context, epoch int32, now time.Time) error {
	l.active, l.epoch = true, epoch
	l.latest = l.loader.Image()
	l.appended = l.committed
	l.sessions = NewSessions(config.BrokerSessionTimeoutMs.Get(l.o.Config), l.latest, now)
	records := activate(l.latest, l.loader.InTransaction(), l.boot, l.o.Config)
	l.o.Log.Info().Int32("epoch", epoch).Int("records", len(records)).Msg("controller is active")
	if len(records) > 0 {
		l.perform(ctx, Decision{Records: records}, nil)
	}
	if d := config.MetadataMaxIdleIntervalMs.Get(l.o.Config); d > 0 {
		l.noop = now.Add(d)
	}
	if config.AutoLeaderRebalanceEnable.Get(l.o.Config) {
		l.balance = now.Add(l.balanceEvery())
	}
	if d := config.UncleanLeaderElectionIntervalMs.Get(l.o.Config); d > 0 {
		l.unclean = now.Add(d)
	}
	return nil
}

func (l *loop) balanceEvery() time.Duration {
	return time.Duration(config.LeaderImbalanceCheckIntervalSeconds.Get(l.o.Config)) * time.Second
}

// resign stops deciding: the latest image is forgotten and nobody knows what becomes of what was appended.
func (l *loop) resign() {
	if l.active {
		l.o.Log.Info().Int32("epoch", l.epoch).Int("parked", len(l.parked)).Msg("controller is no longer active")
	}
	for _, p := range append(l.parked, l.group.waiting...) {
		p.to.answer <- ErrorResponse(p.to.req, kerr.NotController, nil)
	}
	l.active, l.latest, l.sessions, l.parked, l.group = false, nil, nil, nil, group{}
	l.noop, l.balance, l.unclean = time.Time{}, time.Time{}, time.Time{}
}

func (l *loop) state(now time.Time) *State {
	return &State{Image: l.latest, Sessions: l.sessions, Config: l.o.Config, NodeID: l.o.NodeID, Cluster: l.o.ClusterID,
		KRaft: l.kraftVersion(), Now: now, Rand: l.o.Rand, NextOffset: l.nextOffset()}
}

func (l *loop) kraftVersion() int16 {
	switch {
	case l.o.KRaftVersion != nil:
		return l.o.KRaftVersion()
	case len(l.o.Config.QuorumVoters()) > 0:
		return 0
	}
	return 1
}

func (l *loop) request(ctx context.Context, e event) {
	r := e.request
	if !l.active {
		r.answer <- ErrorResponse(r.req, kerr.NotController, nil)
		return
	}
	if beat, ok := r.req.(*kmsg.BrokerHeartbeatRequest); ok { // it was heard, whatever becomes of it
		if n := l.sessions.byID[beat.BrokerID]; n != nil && n.epoch == beat.BrokerEpoch {
			n.contact, n.conn = e.at, r.call.Connection
		}
	}
	if d := r.call.Deadline; !d.IsZero() && l.o.Clocks.Real.Now().After(d) {
		r.answer <- ErrorResponse(r.req, kerr.RequestTimedOut, nil)
		return
	}
	l.perform(ctx, decide(l.state(e.at), r.call, r.req), r)
}

// nextOffset is where the next record goes.
func (l *loop) nextOffset() int64 {
	if len(l.group.values) == 0 {
		return l.o.Quorum.LogEndOffset()
	}
	return l.group.start + int64(len(l.group.values))
}

// perform carries a decision out as far as the group; flush does the rest.
func (l *loop) perform(ctx context.Context, d Decision, to *request) {
	if d.tooLarge() {
		l.refuse(to, kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
		return
	}
	for records := d.Records; len(records) > 0; {
		n := len(records)
		if d.Split {
			n = min(n, maxRecordsPerBatch)
		}
		if !l.add(ctx, records[:n], to) {
			return
		}
		records = records[n:]
	}
	last := l.appended
	if len(l.group.values) > 0 {
		last = l.nextOffset() - 1
	}
	if d.Then != nil {
		d.Then(last)
	}
	switch {
	case to == nil:
	case len(l.group.values) > 0:
		l.group.waiting = append(l.group.waiting, parked{last, to, d.Reply})
	case l.appended <= l.committed:
		to.answer <- d.Reply
	default:
		l.parked = append(l.parked, parked{l.appended, to, d.Reply})
	}
}

func (l *loop) refuse(to *request, code *kerr.Error, text string) {
	if to != nil {
		to.answer <- ErrorResponse(to.req, code, &text)
	}
}

// add replays records onto the latest image and puts them into the group. A record that does not replay is refused here,
// before the log: no request can write what would stop every controller.
func (l *loop) add(ctx context.Context, records []metadata.Record, to *request) bool {
	level := l.latest.Level()
	values, size := make([][]byte, len(records)), 0
	for i, r := range records {
		values[i] = metadata.AppendRecord(nil, r, level.RecordVersion(r))
		size += len(values[i]) + recordOverhead
	}
	if size > quorum.MaxBatchBytes {
		l.refuse(to, kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
		return false
	}
	if g := &l.group; len(g.values)+len(values) > maxRecordsPerBatch || g.bytes+size > quorum.MaxBatchBytes {
		if l.flush(ctx); !l.active {
			l.refuse(to, kerr.NotController, kerr.NotController.Description)
			return false
		}
	}
	next := l.nextOffset()
	delta := metadata.NewDelta(l.latest)
	for i, r := range records {
		switch r.(type) {
		case *metadata.BeginTransactionRecord, *metadata.EndTransactionRecord, *metadata.AbortTransactionRecord:
			continue // what they enclose stands in the same batch
		}
		if err := delta.Replay(next+int64(i), l.epoch, r); err != nil {
			l.o.Log.Error().Err(err).Msg("a decision does not replay; nothing was written")
			l.refuse(to, kerr.UnknownServerError, kerr.UnknownServerError.Description)
			return false
		}
	}
	delta.At(next+int64(len(records))-1, l.epoch, l.o.Clocks.Broker.Now().UnixMilli())
	l.latest = delta.Apply()
	if len(l.group.values) == 0 {
		l.group.start = next
	}
	l.group.values = append(l.group.values, values...)
	l.group.bytes += size
	return true
}

// recordOverhead is more than what a record of a batch takes around its value.
const recordOverhead = 32

// flush appends the group and parks its answers.
func (l *loop) flush(ctx context.Context) {
	if len(l.group.values) == 0 {
		return
	}
	last, err := l.o.Quorum.Append(ctx, l.epoch, l.group.values)
	if err != nil {
		l.o.Log.Info().Err(err).Int32("epoch", l.epoch).Msg("the quorum did not take a batch")
		l.resign()
		return
	}
	l.appended = last
	for _, p := range l.group.waiting {
		p.offset = last // all of a batch is committed together
		l.parked = append(l.parked, p)
	}
	l.group = group{}
}
