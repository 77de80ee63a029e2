package api

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// Handlers holds the rooms that a handler may ask. It is filled once, before the first request, and not
// changed afterwards. A node without the broker role leaves Data, Store and Controllers empty, one without
// the controller role Controller; rows of the other role are then never reached.
type Handlers struct {
	Data Data // partitions, fetch sessions, producer ids, clocks, log: the data path

	NodeID    int32
	ClusterID string
	Config    *config.File   // the node's own file
	Images    *Images        // what this node has published
	Quorum    QuorumNode     // the metadata log; on every node
	Store     *storage.Store // log directories

	Groups      Groups           // the group coordinator; nil without the broker role
	Controllers ControllerClient // the way to the active controller
	Controller  Decider          // this node's controller, active or not
	Rand        *SharedRand      // client instance ids; nil = a fixed seed
}

// QuorumNode is what handlers ask of the metadata log; *quorum.Node is one.
type QuorumNode interface {
	Handle(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
	Leader() (id, epoch int32, addr quorum.Address, ok bool)
}

// KRaftVersioned is a QuorumNode that knows the finalized level of kraft.version, which is no part of the
// image (KAFKA-18979). Without it the level counts as 0 and is not shown.
type KRaftVersioned interface{ KRaftVersion() int16 }

// ControllerClient reaches the active controller; *peer.ControllerChannel is one.
type ControllerClient interface {
	Send(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
}

// Decider decides about the cluster; *controller.Controller is one.
type Decider interface {
	Handle(ctx context.Context, call controller.Call, req kmsg.Request) (kmsg.Response, error)
}

// Images holds the committed image as this node's rooms have it: the broker publishes an image here after
// every other publisher has seen it, so that what Metadata shows can be produced to.
type Images struct {
	mu      sync.Mutex
	image   *metadata.Image
	changed chan struct{} // closed and replaced by Publish
}

// NewImages starts with the empty image.
func NewImages() *Images {
	return &Images{image: metadata.Empty(), changed: make(chan struct{})}
}

// Publish replaces the image and wakes who waits for it.
func (i *Images) Publish(img *metadata.Image) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.image = img
	close(i.changed)
	i.changed = make(chan struct{})
}

// Image is the newest one.
func (i *Images) Image() *metadata.Image {
	img, _ := i.Next()
	return img
}

// Next returns the newest image and a channel that closes when there is a newer one.
func (i *Images) Next() (*metadata.Image, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.image, i.changed
}

// SharedRand is a source of chance for many goroutines.
type SharedRand struct {
	mu sync.Mutex
	r  *rand.Rand
}

// NewSharedRand takes r over.
func NewSharedRand(r *rand.Rand) *SharedRand { return &SharedRand{r: r} }

// UUID draws a random id.
func (s *SharedRand) UUID() protocol.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return protocol.RandomUUID(s.r)
}

// layers are the node's configuration with what the image sets.
func (h *Handlers) layers(img *metadata.Image) config.Layers {
	return config.Layers{Static: h.Config, Default: img.Configs.Broker(""), Broker: img.Configs.Broker(itoa(h.NodeID))}
}

// logger and clocks stand in Data, which a controller-only node fills with these two alone.
func (h *Handlers) logger() *zerolog.Logger { return &h.Data.Log }
func (h *Handlers) real() clock.Clock       { return h.Data.Clocks.Real }
