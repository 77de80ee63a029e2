package coordinator

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol/compress"
)

// Options of Shards.
type Options[M Machine] struct {
	// New makes the empty state of a partition.
	New func(partition int32, img *metadata.Image) M

	Clocks clock.Clocks
	Log    zerolog.Logger
	Codecs *compress.Codecs

	Codec         compress.Codec // of the batches that are written
	Loaders       int            // loads at a time; 0 = 1
	LoadBuffer    int            // bytes that a load reads at a time; 0 = 5 MiB
	CommitTimeout time.Duration  // how long an accepted record may wait for the high watermark; 0 = for ever
}

// Shards are the machines of one internal topic that this node leads.
type Shards[M Machine] struct {
	o      Options[M]
	timers timers
	tokens atomic.Uint64
	work   chan struct{} // one slot: something below is not empty

	failures queue[*shard[M]] // resigned though the leadership may be ours; filled under a shard's lock

	mu     sync.Mutex
	shards map[int32]*shard[M]
	image  *metadata.Image
	images []imageChange // not yet handed to machines
	loads  []*shard[M]   // not yet begun
	moved  []*shard[M]   // the high watermark moved
}

type imageChange struct {
	image *metadata.Image
	delta *metadata.Delta
}

// NewShards returns Shards that lead nothing yet.
func NewShards[M Machine](o Options[M]) *Shards[M] {
	if o.Loaders < 1 {
		o.Loaders = 1
	}
	if o.LoadBuffer < 1 {
		o.LoadBuffer = 5 << 20
	}
	return &Shards[M]{o: o, timers: timers{wake: make(chan struct{}, 1)}, work: make(chan struct{}, 1), shards: map[int32]*shard[M]{}, image: metadata.Empty()}
}

// Lead makes this node the coordinator of a partition, in one leader epoch; the state is loaded in the background. An
// epoch that is not newer than the known one is ignored.
func (s *Shards[M]) Lead(partition, epoch int32, log Log) {
	s.mu.Lock()
	old := s.shards[partition]
	if old != nil && old.epoch >= epoch {
		s.mu.Unlock()
		return
	}
	sh := newShard(s, partition, epoch, log)
	s.shards[partition] = sh
	s.loads = append(s.loads, sh)
	s.mu.Unlock()
	if old != nil {
		old.resign()
	}
	s.signal()
}

// Resign ends the leadership of a partition that began before or with epoch: parked requests are told NOT_COORDINATOR
// and the state is dropped. It returns when nothing of it can be seen any more.
func (s *Shards[M]) Resign(partition, epoch int32) {
	s.mu.Lock()
	sh := s.shards[partition]
	if sh == nil || sh.epoch > epoch {
		s.mu.Unlock()
		return
	}
	delete(s.shards, partition)
	s.mu.Unlock()
	sh.resign()
}

// reload begins the leadership of sh anew, unless another one has followed it.
func (s *Shards[M]) reload(sh *shard[M]) {
	s.mu.Lock()
	if s.shards[sh.partition] == sh {
		again := newShard(s, sh.partition, sh.epoch, sh.log)
		s.shards[sh.partition] = again
		s.loads = append(s.loads, again)
	}
	s.mu.Unlock()
	s.signal()
}

// Publish hands a new image to all machines, soon and in order.
func (s *Shards[M]) Publish(img *metadata.Image, delta *metadata.Delta) {
	s.mu.Lock()
	s.image = img
	s.images = append(s.images, imageChange{img, delta})
	s.mu.Unlock()
	s.signal()
}

// Moved says that the high watermark of a partition moved, or that its leadership ended. It never blocks.
func (s *Shards[M]) Moved(partition int32) {
	s.mu.Lock()
	if sh := s.shards[partition]; sh != nil && !slices.Contains(s.moved, sh) {
		s.moved = append(s.moved, sh)
	}
	s.mu.Unlock()
	s.signal()
}

func (s *Shards[M]) signal() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// Led lists the partitions that this node leads, ascending, also those that are still loading.
func (s *Shards[M]) Led() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]int32, 0, len(s.shards))
	for p := range s.shards {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// Ask lets decide look at the machine of a partition and waits for the answer, which this or a later Result gives. When
// there is none, refuse makes it: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, or what the
// log said about records. ctx ends the waiting, not what was decided.
func (s *Shards[M]) Ask(ctx context.Context, partition int32, refuse func(*kerr.Error) kmsg.Response, decide func(M, Turn) Result) kmsg.Response {
	s.mu.Lock()
	sh := s.shards[partition]
	s.mu.Unlock()
	if sh == nil {
		return refuse(kerr.NotCoordinator)
	}
	w := &waiting{token: Token(s.tokens.Add(1)), refuse: refuse}
	if !sh.ask(w, decide) {
		return w.response
	}
	var expired <-chan time.Time
	if w.undecided.Load() == 0 && s.o.CommitTimeout > 0 { // the records are written; only the high watermark is missing
		t := s.o.Clocks.Real.NewTimer(s.o.CommitTimeout)
		defer t.Stop()
		expired = t.C()
	}
	select {
	case resp := <-w.done:
		return resp
	case <-ctx.Done():
		return sh.abandon(w, kerr.NotCoordinator)
	case <-expired:
		return sh.abandon(w, kerr.CoordinatorNotAvailable)
	}
}

// View runs look on the machine of a partition without asking anything of it: for waits of tests and consoles. It reports
// false when the partition is not led or not loaded.
func (s *Shards[M]) View(partition int32, look func(M)) bool {
	s.mu.Lock()
	sh := s.shards[partition]
	s.mu.Unlock()
	return sh != nil && sh.view(look)
}

// Tell lets decide act on the machine of a partition in nobody's name. It reports false when the partition is not led
// or not loaded.
func (s *Shards[M]) Tell(partition int32, decide func(M, Turn) Result) bool {
	s.mu.Lock()
	sh := s.shards[partition]
	s.mu.Unlock()
	return sh != nil && sh.tell(decide)
}

// Timers lists the timers of a partition that are set, the next first.
func (s *Shards[M]) Timers(partition int32) []Set {
	s.mu.Lock()
	sh := s.shards[partition]
	s.mu.Unlock()
	if sh == nil {
		return nil
	}
	return sh.listTimers()
}

// queue is a list that is emptied at once. Its lock is a leaf.
type queue[T any] struct {
	mu   sync.Mutex
	list []T
}

func (q *queue[T]) add(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, item)
}

func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = nil
	return list
}
