package broker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
)

// Loader keeps this node's copy of the committed cluster state. It is the quorum's listener: its methods are called
// from the quorum's delivery goroutine, in order; readers load one pointer.
//
// A record that cannot be applied means that this node no longer knows the cluster; it stops the process (M1).
type Loader struct {
	publish func(img *metadata.Image, delta *metadata.Delta) // before the image is shown to readers
	image   atomic.Pointer[metadata.Image]

	// Owned by the delivery goroutine.
	state   *metadata.Loader
	entries []metadata.Entry

	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each new image
}

func newLoader(publish func(*metadata.Image, *metadata.Delta)) *Loader {
	empty := metadata.Empty()
	l := &Loader{publish: publish, state: metadata.NewLoader(empty), changed: make(chan struct{})}
	l.image.Store(empty)
	return l
}

// Image is the newest committed image. Never nil.
func (l *Loader) Image() *metadata.Image { return l.image.Load() }

// Committed implements quorum.Listener.
func (l *Loader) Committed(entries []quorum.Entry) {
	l.entries = l.entries[:0]
	for _, e := range entries {
		l.entries = append(l.entries, metadata.Entry{Offset: e.Offset, Epoch: e.Epoch, AppendTime: e.AppendTime, Value: e.Value})
	}
	if err := l.state.Load(l.entries, l.swap); err != nil {
		panic(fmt.Sprintf("broker: a committed metadata record cannot be applied: %v", err))
	}
}

// LoadSnapshot implements quorum.Listener.
func (l *Loader) LoadSnapshot(s quorum.Snapshot) {
	img, delta, err := l.state.LoadSnapshot(s.Values, s.ID.EndOffset-1, s.ID.Epoch, s.AppendTime)
	if err != nil {
		panic(fmt.Sprintf("broker: the metadata snapshot %d-%d cannot be loaded: %v", s.ID.EndOffset, s.ID.Epoch, err))
	}
	l.swap(img, delta)
}

// LeaderChanged implements quorum.Listener. Who leads is asked of the quorum at the moment of use.
func (l *Loader) LeaderChanged(int32, int32) {}

func (l *Loader) swap(img *metadata.Image, delta *metadata.Delta) {
	l.publish(img, delta)
	l.image.Store(img)
	l.mu.Lock()
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
}

// Changed is closed once an image newer than the one that Image returns after this call is in place.
func (l *Loader) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

// WaitFor returns once ok holds for the image, or ctx ends.
func (l *Loader) WaitFor(ctx context.Context, ok func(*metadata.Image) bool) error {
	for {
		changed := l.Changed()
		if ok(l.Image()) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
