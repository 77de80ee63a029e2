package broker

import (
	"context"
	"fmt"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
)

// loader replays what the quorum commits and publishes each new image. It is the quorum's listener: its methods are
// called from the quorum's delivery goroutine, in order, which alone owns its fields.
//
// At a start the rooms hear of nothing until current says that an image knows of that start, and then of all of it at
// once. What is replayed before is the cluster's past: a topic that was deleted and made anew since is there under its
// old id, and whoever acted on that would delete what the new one holds (R28).
//
// A record that cannot be applied means that this node no longer knows the cluster: it ends the node (M1), and the last
// image before it stays the last.
type loader struct {
	fail    func(error)
	publish func(img *metadata.Image, delta *metadata.Delta) // the rooms that act on it, before readers see it
	images  *api.Images
	current func(*metadata.Image) bool // nil: from now on every image is

	state   *metadata.Loader
	entries []metadata.Entry
	failed  bool
}

func newLoader(images *api.Images, current func(*metadata.Image) bool, publish func(*metadata.Image, *metadata.Delta), fail func(error)) *loader {
	return &loader{fail: fail, publish: publish, images: images, current: current, state: metadata.NewLoader(images.Image())}
}

// Committed implements quorum.Listener.
func (l *loader) Committed(entries []quorum.Entry) {
	if l.failed {
		return
	}
	l.entries = l.entries[:0]
	for _, e := range entries {
		l.entries = append(l.entries, metadata.Entry{Offset: e.Offset, Epoch: e.Epoch, AppendTime: e.AppendTime, Value: e.Value})
	}
	if err := l.state.Load(l.entries, l.swap); err != nil {
		l.failed = true
		l.fail(fmt.Errorf("a committed record cannot be applied: %w", err))
	}
}

// LoadSnapshot implements quorum.Listener.
func (l *loader) LoadSnapshot(s quorum.Snapshot) {
	if l.failed {
		return
	}
	img, delta, err := l.state.LoadSnapshot(s.Values, s.ID.EndOffset-1, s.ID.Epoch, s.AppendTime)
	if err != nil {
		l.failed = true
		l.fail(fmt.Errorf("snapshot %d-%d cannot be loaded: %w", s.ID.EndOffset, s.ID.Epoch, err))
		return
	}
	l.swap(img, delta)
}

// LeaderChanged implements quorum.Listener. Who leads is asked of the quorum at the moment of use.
func (l *loader) LeaderChanged(int32, int32) {}

func (l *loader) swap(img *metadata.Image, delta *metadata.Delta) {
	switch {
	case l.current == nil:
		l.publish(img, delta)
	case l.current(img):
		l.current = nil
		l.publish(img, metadata.NewWholeDelta(img))
	}
	l.images.Publish(img)
}

// waitFor returns once ok holds for the newest image, or ctx ends.
func waitFor(ctx context.Context, images *api.Images, ok func(*metadata.Image) bool) error {
	for {
		img, changed := images.Next()
		if ok(img) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
