package coordinator

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol/record"
)

type shardState uint8

const (
	loading shardState = iota
	active
	resigned
)

// shard is one machine in one leadership of its partition.
type shard[M Machine] struct {
	all              *Shards[M]
	partition, epoch int32
	log              Log

	mu      sync.Mutex
	state   shardState
	machine M
	applied int64 // end of what was replayed
	timers  map[Timer]*timer
	waiting map[Token]*waiting
	parked  []parkedReply // in the order of their offsets
	missed  []imageChange // images that came while loading
	seen    int64         // offset of the machine's newest image
	batch   record.Builder
	bytes   []byte // the batch being written
}

// waiting is a request without an answer. Its fields are guarded by the shard's lock, but done and undecided.
type waiting struct {
	token     Token
	refuse    func(*kerr.Error) kmsg.Response
	response  kmsg.Response      // set when there was no need to wait
	done      chan kmsg.Response // one slot; nil as long as nobody waits on it
	undecided atomic.Int32       // 1 = no Result has answered yet
}

type parkedReply struct {
	offset int64 // the high watermark that it waits for
	Reply
}

func newShard[M Machine](s *Shards[M], partition, epoch int32, log Log) *shard[M] {
	return &shard[M]{all: s, partition: partition, epoch: epoch, log: log, timers: map[Timer]*timer{}, waiting: map[Token]*waiting{}}
}

// ask decides for w and reports whether the caller must wait for w.done.
func (sh *shard[M]) ask(w *waiting, decide func(M, Turn) Result) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch sh.state {
	case loading:
		w.response = w.refuse(kerr.CoordinatorLoadInProgress)
		return false
	case resigned:
		w.response = w.refuse(kerr.NotCoordinator)
		return false
	}
	sh.waiting[w.token] = w
	w.undecided.Store(1)
	turn := Turn{Token: w.token, Now: sh.all.o.Clocks.Broker.Now()}
	sh.applyLocked(turn, decide(sh.machine, turn))
	if w.response != nil {
		return false
	}
	w.done = make(chan kmsg.Response, 1)
	return true
}

// abandon ends the waiting of w: with its answer, if that came at the last moment.
func (sh *shard[M]) abandon(w *waiting, code *kerr.Error) kmsg.Response {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	select {
	case resp := <-w.done:
		return resp
	default:
		delete(sh.waiting, w.token)
		return w.refuse(code)
	}
}

func (sh *shard[M]) view(look func(M)) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.state != active {
		return false
	}
	look(sh.machine)
	return true
}

func (sh *shard[M]) tell(decide func(M, Turn) Result) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.state != active {
		return false
	}
	turn := Turn{Now: sh.all.o.Clocks.Broker.Now()}
	sh.applyLocked(turn, decide(sh.machine, turn))
	return true
}

// applyLocked carries a Result out.
func (sh *shard[M]) applyLocked(turn Turn, r Result) {
	if len(r.Records) > 0 {
		if err := sh.writeLocked(turn.Now, &r); err != nil {
			code := clientError(err)
			switch w := sh.waiting[turn.Token]; {
			case failed(code):
				sh.all.o.Log.Warn().Err(err).Int32("partition", sh.partition).Int32("epoch", sh.epoch).Msg("coordinator resigns: its log can't be written")
				sh.failLocked()
			case r.Refused != nil:
				sh.settleLocked(r.Refused(code))
			case w != nil:
				sh.deliverLocked(w, w.refuse(code))
			}
			return
		}
	}
	sh.settleLocked(r)
}

// settleLocked carries out what a Result wants besides records.
func (sh *shard[M]) settleLocked(r Result) {
	if sh.state == resigned {
		return
	}
	for _, t := range r.Timers {
		sh.setTimerLocked(t)
	}
	if len(r.Replies) > 0 {
		committed := sh.applied <= sh.log.HighWatermark()
		for _, reply := range r.Replies {
			w := sh.waiting[reply.Token]
			switch {
			case w == nil:
			case committed:
				sh.deliverLocked(w, reply.Response)
			default:
				w.undecided.Store(0)
				sh.parked = append(sh.parked, parkedReply{sh.applied, reply})
			}
		}
		if len(sh.parked) > 0 {
			sh.log.Await(sh.parked[0].offset)
		}
	}
	if r.Then != nil {
		then := r.Then()
		if len(then.Records) > 0 {
			sh.all.o.Log.Error().Int32("partition", sh.partition).Msg("coordinator resigns: records outside their turn")
			sh.failLocked()
			return
		}
		sh.settleLocked(then)
	}
}

func (sh *shard[M]) deliverLocked(w *waiting, resp kmsg.Response) {
	delete(sh.waiting, w.token)
	w.undecided.Store(0)
	if w.done == nil {
		w.response = resp
		return
	}
	w.done <- resp
}

// writeLocked appends and replays the records of r.
func (sh *shard[M]) writeLocked(now time.Time, r *Result) error {
	millis := clock.Millis(now)
	for first := 0; first < len(r.Records); {
		base, next, err := sh.appendLocked(millis, r, first)
		if err != nil {
			return err
		}
		at := Position{Offset: base, Timestamp: millis, ProducerID: record.NoProducerID, ProducerEpoch: -1}
		if r.Transactional {
			at.ProducerID, at.ProducerEpoch, at.Transactional = r.ProducerID, r.ProducerEpoch, true
		}
		for _, rec := range r.Records[first:next] {
			if err := sh.machine.Replay(rec, at); err != nil {
				sh.all.o.Log.Error().Err(err).Int32("partition", sh.partition).Int64("offset", at.Offset).Msg("coordinator wrote a record that it can't replay")
				return kerr.NotCoordinator // the log is ahead of the state: load it
			}
			at.Offset++
		}
		sh.applied = at.Offset
		first = next
	}
	return nil
}

// appendLocked writes records from first on as one batch: all of them, or with Split as many as fit.
func (sh *shard[M]) appendLocked(millis int64, r *Result, first int) (base int64, next int, err error) {
	o := record.NewOptions()
	o.Codec, o.Codecs = sh.all.o.Codec, sh.all.o.Codecs
	if r.Transactional {
		o.Transactional, o.ProducerID, o.ProducerEpoch, o.BaseSequence = true, r.ProducerID, r.ProducerEpoch, 0
	}
	sh.batch.Reset(o)
	limit := sh.log.MaxBatch()
	for next = first; next < len(r.Records); next++ {
		rec := r.Records[next]
		if r.Split && next > first && sh.batch.Size()+recordRoom+len(rec.Key)+len(rec.Value) > limit {
			break
		}
		sh.batch.Add(millis, rec.Key, rec.Value)
	}
	if sh.bytes, err = sh.batch.Append(sh.bytes[:0]); err != nil {
		return 0, 0, err
	}
	if len(sh.bytes) > limit {
		return 0, 0, kerr.MessageTooLarge
	}
	base, _, err = sh.log.Append(sh.bytes)
	if cap(sh.bytes) > 1<<20 { // one large group must not keep its room for ever
		sh.bytes = nil
	}
	return base, next, err
}

// recordRoom is more than what a record costs besides its key and value.
const recordRoom = 32

// committed gives the answers that waited for the high watermark.
func (sh *shard[M]) committed() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	high := sh.log.HighWatermark()
	n := 0
	for n < len(sh.parked) && sh.parked[n].offset <= high {
		if w := sh.waiting[sh.parked[n].Token]; w != nil {
			sh.deliverLocked(w, sh.parked[n].Response)
		}
		n++
	}
	sh.parked = append(sh.parked[:0], sh.parked[n:]...)
	if len(sh.parked) > 0 {
		sh.log.Await(sh.parked[0].offset)
	}
}

// resign drops the state: everybody who waits is told so.
func (sh *shard[M]) resign() {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.resignLocked()
}

// failLocked is resign when the leadership may still be ours.
func (sh *shard[M]) failLocked() {
	sh.resignLocked()
	sh.all.failures.add(sh)
	sh.all.signal()
}

func (sh *shard[M]) resignLocked() {
	if sh.state == resigned {
		return
	}
	sh.state = resigned
	for _, w := range sh.waiting {
		sh.deliverLocked(w, w.refuse(kerr.NotCoordinator))
	}
	var none M
	sh.machine, sh.timers, sh.parked, sh.missed = none, nil, nil, nil
}

func (sh *shard[M]) newImage(c imageChange) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.state == loading {
		sh.missed = append(sh.missed, c)
		return
	}
	sh.newImageLocked(c)
}

func (sh *shard[M]) newImageLocked(c imageChange) {
	if sh.state != active || c.image.Offset <= sh.seen {
		return
	}
	sh.seen = c.image.Offset
	now := sh.all.o.Clocks.Broker.Now()
	sh.applyLocked(Turn{Now: now}, sh.machine.NewImage(c.image, c.delta, now))
}

func (sh *shard[M]) setTimerLocked(set Set) {
	t := sh.timers[set.Timer]
	switch {
	case t == nil && set.At.IsZero():
		return
	case t == nil:
		t = &timer{shard: sh, name: set.Timer}
		sh.timers[set.Timer] = t
	}
	t.at = set.At
	if !set.At.IsZero() {
		sh.all.timers.arm(t, set.At)
	}
}

// fire is called when the queue comes to t: its time may have been moved meanwhile.
func (sh *shard[M]) fire(t *timer, now time.Time) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch {
	case sh.state != active:
	case t.at.IsZero():
		sh.forgetLocked(t)
	case t.at.After(now):
		sh.all.timers.arm(t, t.at)
	default:
		t.at = time.Time{}
		sh.forgetLocked(t)
		sh.applyLocked(Turn{Now: now}, sh.machine.Expired(t.name, now))
	}
}
