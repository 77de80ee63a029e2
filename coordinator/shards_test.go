package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// words is a machine for tests: a map that records rebuild, and what happened to it.
type words struct {
	values  map[string]string
	pending map[int64]map[string]string // by producer
	fired   []string
	images  []int64
	loaded  bool
	refuses string // a key that does not replay
}

func newWords(_ int32, img *metadata.Image) *words {
	return &words{values: map[string]string{}, pending: map[int64]map[string]string{}, images: []int64{img.Offset}}
}

func (w *words) Replay(r Record, at Position) error {
	if w.refuses != "" && string(r.Key) == w.refuses {
		return errors.New("not understood")
	}
	to := w.values
	if at.Transactional {
		if to = w.pending[at.ProducerID]; to == nil {
			to = map[string]string{}
			w.pending[at.ProducerID] = to
		}
	}
	if r.Value == nil {
		delete(to, string(r.Key))
	} else {
		to[string(r.Key)] = string(r.Value)
	}
	return nil
}

func (w *words) EndTransaction(producer int64, committed bool, _ Position) {
	if committed {
		maps.Copy(w.values, w.pending[producer])
	}
	delete(w.pending, producer)
}

func (w *words) Loaded(time.Time) Result { w.loaded = true; return Result{} }

func (w *words) Expired(t Timer, now time.Time) Result {
	w.fired = append(w.fired, fmt.Sprintf("%s at %d", t.Group, now.Unix()))
	return Result{}
}

func (w *words) NewImage(img *metadata.Image, _ *metadata.Delta, _ time.Time) Result {
	w.images = append(w.images, img.Offset)
	return Result{}
}

// memLog is a Log in memory.
type memLog struct {
	mu     sync.Mutex
	bytes  []byte
	end    int64
	high   int64
	hold   bool // the high watermark stands still
	refuse error
	moved  func()
	gate   chan struct{} // reads wait for it
	limit  int
}

func (l *memLog) Append(b []byte) (base, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return 0, 0, l.refuse
	}
	batch, _, err := record.Next(append([]byte(nil), b...))
	if err != nil {
		return 0, 0, err
	}
	batch.SetBaseOffset(l.end)
	base = l.end
	l.end = batch.NextOffset()
	l.bytes = append(l.bytes, batch...)
	if !l.hold {
		l.high = l.end
	}
	return base, l.end, nil
}

func (l *memLog) MaxBatch() int {
	if l.limit > 0 {
		return l.limit
	}
	return 1 << 20
}
func (l *memLog) Start() int64 { return 0 }
func (l *memLog) End() int64   { l.mu.Lock(); defer l.mu.Unlock(); return l.end }
func (l *memLog) Bytes() int64 { l.mu.Lock(); defer l.mu.Unlock(); return int64(len(l.bytes)) }
func (l *memLog) HighWatermark() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.high
}

func (l *memLog) Read(offset int64, buf []byte) ([]byte, error) {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.bytes
	for len(rest) > 0 {
		b, next, err := record.Next(rest)
		if err != nil {
			return nil, err
		}
		if b.NextOffset() > offset {
			return append(buf[:0], b...), nil
		}
		rest = next
	}
	return nil, nil
}

func (l *memLog) Await(int64) {}

// pass lets the high watermark reach the end.
func (l *memLog) pass() {
	l.mu.Lock()
	l.high = l.end
	l.mu.Unlock()
	l.moved()
}

func (l *memLog) set(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// rig runs Shards of words in a bubble, with partition 0 led on an empty log.
type rig struct {
	t      *testing.T
	clock  *clock.Movable
	shards *Shards[*words]
	log    *memLog
}

func bubble(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, clock: clock.NewMovable(clock.Machine)}
		r.shards = NewShards(Options[*words]{New: newWords, Clocks: clock.Clocks{Broker: r.clock, Real: clock.Machine}, Log: zerolog.Nop(),
			Codecs: compress.NewCodecs(), CommitTimeout: 5 * time.Second})
		r.log = r.newLog()
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = r.shards.Run(ctx) })
		defer running.Wait()
		defer cancel()
		r.shards.Lead(0, 5, r.log)
		synctest.Wait()
		test(r)
	})
}

func (r *rig) newLog() *memLog { return &memLog{moved: func() { r.shards.Moved(0) }} }

// say is an answer that carries a text.
func say(text string) kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.FinalizedFeatures = []kmsg.ApiVersionsResponseFinalizedFeature{{Name: text}}
	return resp
}

func said(resp kmsg.Response) string {
	return resp.(*kmsg.ApiVersionsResponse).FinalizedFeatures[0].Name
}

func refusal(e *kerr.Error) kmsg.Response { return say(e.Message) }

func put(pairs ...string) (records []Record) {
	for i := 0; i < len(pairs); i += 2 {
		records = append(records, Record{[]byte(pairs[i]), []byte(pairs[i+1])})
	}
	return records
}

func (r *rig) ask(decide func(*words, Turn) Result) string {
	return said(r.shards.Ask(context.Background(), 0, refusal, decide))
}

// begin asks without waiting for the answer.
func (r *rig) begin(decide func(*words, Turn) Result) <-chan string {
	c := make(chan string, 1)
	go func() { c <- r.ask(decide) }()
	synctest.Wait()
	return c
}

func write(pairs ...string) func(*words, Turn) Result {
	return func(_ *words, t Turn) Result {
		res := t.Answer(say("written"))
		res.Records = put(pairs...)
		return res
	}
}

func read(key string) func(*words, Turn) Result {
	return func(w *words, t Turn) Result { return t.Answer(say(w.values[key])) }
}

func nothingYet(t *testing.T, c <-chan string) {
	t.Helper()
	select {
	case got := <-c:
		t.Fatalf("answered %q too early", got)
	default:
	}
}

func TestAnswersLeaveWhenTheHighWatermarkHasPassedWhatTheyShow(t *testing.T) {
	bubble(t, func(r *rig) {
		require.Equal(t, "written", r.ask(write("a", "1")))
		r.log.set(func() { r.log.hold = true })
		writing := r.begin(write("a", "2"))
		reading := r.begin(read("a"))
		nothingYet(t, writing)
		nothingYet(t, reading)
		r.log.pass()
		require.Equal(t, "written", <-writing)
		require.Equal(t, "2", <-reading)
	})
}

func TestMovedLeadershipEndsEveryWait(t *testing.T) { // G5, G16
	bubble(t, func(r *rig) {
		parked := r.begin(func(*words, Turn) Result { return Result{} })
		r.log.set(func() { r.log.hold = true })
		writing := r.begin(write("a", "1"))
		r.shards.Resign(0, 5)
		require.Equal(t, kerr.NotCoordinator.Message, <-parked)
		require.Equal(t, kerr.NotCoordinator.Message, <-writing)
		require.Equal(t, kerr.NotCoordinator.Message, r.ask(read("a")))

		r.shards.Lead(0, 6, r.log) // the record was not committed when the leadership ended, and the log has it
		synctest.Wait()
		r.log.pass()
		require.Equal(t, "1", r.ask(read("a")))
		r.shards.Resign(0, 5) // older than the leadership
		require.Equal(t, "1", r.ask(read("a")))
	})
}

func TestLeadershipThatMovesOnToUsAgainStartsFromTheLog(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ask(write("a", "1"))
		parked := r.begin(func(w *words, _ Turn) Result { w.values["soft"] = "x"; return Result{} })
		r.shards.Lead(0, 6, r.log)
		require.Equal(t, kerr.NotCoordinator.Message, <-parked)
		synctest.Wait()
		require.Equal(t, "1", r.ask(read("a")))
		require.Empty(t, r.ask(read("soft")))
	})
}

func TestRefusedAppendChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		told *kerr.Error
	}{
		"too few replicas": {fmt.Errorf("isr: %w", kerr.NotEnoughReplicas), kerr.CoordinatorNotAvailable},
		"too large":        {kerr.MessageTooLarge, kerr.UnknownServerError},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.ask(write("a", "1"))
				r.log.set(func() { r.log.refuse = c.err })
				require.Equal(t, c.told.Message, r.ask(write("a", "2")))
				require.Equal(t, "1", r.ask(read("a")))
				require.Equal(t, "told "+c.told.Message, r.ask(func(_ *words, turn Turn) Result {
					return Result{Records: put("a", "3"), Refused: func(err error) Result {
						return turn.Answer(say("told " + err.(*kerr.Error).Message))
					}}
				}))
			})
		})
	}
}

func TestFailedAppendDropsTheStateAndLoadsItAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		r.ask(write("a", "1"))
		parked := r.begin(func(w *words, _ Turn) Result { w.values["soft"] = "x"; return Result{} })
		r.log.set(func() { r.log.refuse = kerr.NotLeaderForPartition })
		require.Equal(t, kerr.NotCoordinator.Message, r.ask(write("a", "2")))
		require.Equal(t, kerr.NotCoordinator.Message, <-parked)
		r.log.set(func() { r.log.refuse = nil })
		synctest.Wait()
		require.Equal(t, "1", r.ask(read("a")))
		require.Empty(t, r.ask(read("soft")))
	})
}

func TestRecordThatDoesNotReplayIsNotServed(t *testing.T) {
	bubble(t, func(r *rig) {
		require.Equal(t, kerr.NotCoordinator.Message, r.ask(func(w *words, turn Turn) Result {
			w.refuses = "b"
			return write("a", "1", "b", "2")(w, turn)
		}))
		synctest.Wait()
		require.Equal(t, "2", r.ask(read("b")), "a fresh machine understands it")
	})
}

func TestLoadAnswersInProgressThenTheWholeLog(t *testing.T) {
	bubble(t, func(r *rig) {
		for i := range 100 {
			r.ask(write(fmt.Sprint("k", i%10), fmt.Sprint(i)))
		}
		other := r.newLog()
		other.bytes, other.end, other.high, other.gate = r.log.bytes, r.log.end, r.log.high, make(chan struct{})
		r.shards.Lead(1, 1, other)
		synctest.Wait()
		ask := func(decide func(*words, Turn) Result) string {
			return said(r.shards.Ask(context.Background(), 1, refusal, decide))
		}
		require.Equal(t, kerr.CoordinatorLoadInProgress.Message, ask(read("k0")))
		r.shards.Publish(&metadata.Image{Offset: 7}, nil)
		close(other.gate)
		synctest.Wait()
		require.Equal(t, "90", ask(read("k0")))
		require.Equal(t, "[-1 7] true", ask(func(w *words, turn Turn) Result {
			return turn.Answer(say(fmt.Sprint(w.images, w.loaded)))
		}), "the image that came meanwhile follows, once")
		require.Equal(t, []int32{0, 1}, r.shards.Led())
	})
}

func TestLoadOfALogThatIsNotUnderstoodLeavesNoCoordinator(t *testing.T) {
	bubble(t, func(r *rig) {
		log := r.newLog()
		log.bytes, log.end = []byte(strings.Repeat("x", 100)), 1
		r.shards.Lead(2, 1, log)
		synctest.Wait()
		require.Equal(t, kerr.NotCoordinator.Message, said(r.shards.Ask(context.Background(), 2, refusal, read("a"))))
	})
}

func TestTransactionalRecordsCountWhenTheirMarkerCommits(t *testing.T) {
	bubble(t, func(r *rig) {
		transactional := func(producer int64, pairs ...string) {
			require.Equal(t, "written", r.ask(func(w *words, turn Turn) Result {
				res := write(pairs...)(w, turn)
				res.Transactional, res.ProducerID, res.ProducerEpoch = true, producer, 3
				return res
			}))
		}
		transactional(7, "a", "1")
		transactional(8, "b", "2")
		transactional(9, "c", "3")
		require.Empty(t, r.ask(read("a")))
		for producer, kind := range map[int64]record.ControlType{7: record.ControlCommit, 8: record.ControlAbort} {
			o := record.NewOptions()
			o.ProducerID, o.ProducerEpoch, o.Transactional, o.Control = producer, 3, true, true
			b := record.NewBuilder(o)
			b.AddControl(1, kind, record.AppendEndTxnValue(nil, 0))
			batch, err := b.Build()
			require.NoError(t, err)
			_, _, err = r.log.Append(batch)
			require.NoError(t, err)
		}
		r.shards.Lead(0, 6, r.log)
		synctest.Wait()
		require.Equal(t, "map[a:1] map[9:map[c:3]]", r.ask(func(w *words, turn Turn) Result {
			return turn.Answer(say(fmt.Sprint(w.values, w.pending)))
		}))
	})
}

func TestTimersFireOnceAtTheirLatestTime(t *testing.T) {
	bubble(t, func(r *rig) {
		start := r.clock.Now()
		set := func(name string, after time.Duration) {
			r.ask(func(_ *words, turn Turn) Result {
				res := turn.Answer(say(""))
				s := Set{Timer: Timer{Group: name}}
				if after > 0 {
					s.At = start.Add(after)
				}
				res.Timers = []Set{s}
				return res
			})
		}
		set("moved later", 10*time.Second)
		set("moved later", 30*time.Second)
		set("moved earlier", 40*time.Second)
		set("moved earlier", 20*time.Second)
		set("stopped", 15*time.Second)
		set("stopped", 0)
		set("stopped and set", 15*time.Second)
		set("stopped and set", 0)
		set("stopped and set", 25*time.Second)
		time.Sleep(12 * time.Second)
		r.clock.Advance(time.Hour)
		synctest.Wait()
		var fired []string
		r.shards.View(0, func(w *words) { fired = w.fired })
		names := make([]string, len(fired))
		for i, f := range fired {
			names[i], _, _ = strings.Cut(f, " at ")
		}
		slices.Sort(names)
		require.Equal(t, []string{"moved earlier", "moved later", "stopped and set"}, names)
	})
}

// The queue may hold two entries of one timer, when it is set again for the same moment while it fires. The second one
// must not make the shard forget the timer that has the name by then: nobody could stop or move that one any more.
func TestTimerThatIsSetWhileItFires(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	shards := NewShards(Options[*words]{New: newWords, Clocks: clock.Clocks{Broker: clock.NewMovable(clock.Machine), Real: clock.Machine}, Log: zerolog.Nop()})
	sh := newShard(shards, 0, 5, &memLog{})
	sh.state, sh.machine = active, newWords(0, metadata.Empty())
	set := func(at time.Time) { sh.setTimerLocked(Set{Timer{Group: "x"}, at}) }
	fire := func(now time.Time) {
		due, _ := shards.timers.due(now, nil)
		for _, d := range due {
			sh.fire(d, now)
		}
	}
	set(start)
	due, _ := shards.timers.due(start, nil)
	require.Len(t, due, 1)
	set(start) // before the shard is told
	sh.fire(due[0], start)
	require.Len(t, sh.machine.fired, 1)

	set(start.Add(time.Hour))
	fire(start)
	set(time.Time{})
	fire(start.Add(2 * time.Hour))
	require.Len(t, sh.machine.fired, 1, "it was stopped")
	require.Empty(t, sh.timers)
}

func TestCommitThatTheReplicasDoNotTakeIsGivenUpInTime(t *testing.T) {
	bubble(t, func(r *rig) {
		r.log.set(func() { r.log.hold = true })
		began := time.Now()
		require.Equal(t, kerr.CoordinatorNotAvailable.Message, r.ask(write("a", "1")))
		require.Equal(t, 5*time.Second, time.Since(began))
		r.log.pass()
		require.Equal(t, "1", r.ask(read("a")), "what was written stays")

		parked := r.begin(func(*words, Turn) Result { return Result{} })
		time.Sleep(time.Hour)
		nothingYet(t, parked) // a parked request has no such limit
	})
}

func TestOneDecisionAnswersRequestsThatWaited(t *testing.T) {
	bubble(t, func(r *rig) {
		var first, second Token
		a := r.begin(func(_ *words, turn Turn) Result { first = turn.Token; return Result{} })
		b := r.begin(func(_ *words, turn Turn) Result { second = turn.Token; return Result{} })
		r.shards.Tell(0, func(*words, Turn) Result {
			return Result{Records: put("round", "1"), Replies: []Reply{{first, say("one")}},
				Then: func() Result { return Result{Replies: []Reply{{second, say("two")}}} }}
		})
		require.Equal(t, "one", <-a)
		require.Equal(t, "two", <-b)
	})
}

func TestManyRecordsAreWrittenInSeveralBatchesWhereThatIsAllowed(t *testing.T) {
	bubble(t, func(r *rig) {
		r.log.limit = 1000
		var pairs []string
		for i := range 200 {
			pairs = append(pairs, fmt.Sprint("key", i), "value")
		}
		require.Equal(t, kerr.UnknownServerError.Message, r.ask(write(pairs...)))
		require.Equal(t, "written", r.ask(func(w *words, turn Turn) Result {
			res := write(pairs...)(w, turn)
			res.Split = true
			return res
		}))
		require.Equal(t, int64(200), r.log.End())
		for rest := r.log.bytes; len(rest) > 0; {
			var b record.Batch
			var err error
			b, rest, err = record.Next(rest)
			require.NoError(t, err)
			require.LessOrEqual(t, b.Size(), 1000)
		}
	})
}

func TestEndOfTheNodeEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShards(Options[*words]{New: newWords, Clocks: clock.System(), Log: zerolog.Nop(), Codecs: compress.NewCodecs()})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		s.Lead(0, 1, &memLog{})
		synctest.Wait()
		answer := make(chan string, 1)
		go func() {
			answer <- said(s.Ask(context.Background(), 0, refusal, func(*words, Turn) Result { return Result{} }))
		}()
		synctest.Wait()
		cancel()
		require.Equal(t, kerr.NotCoordinator.Message, <-answer)
		require.NoError(t, <-ended)
	})
}

func TestPartitionIsJavasHashOfTheKey(t *testing.T) { // Q13; of the hash codes that a JVM gives
	for key, partition := range map[string]int32{"": 0, "a": 47, "my-group": 12, "connect-cluster": 13, "größe": 7, "😀": 49, "polygenelubricants": 0} {
		require.Equal(t, partition, PartitionFor(key, 50), key)
	}
}
