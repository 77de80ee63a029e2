package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/storage"
)

// Broker is one running node: a broker, a controller, or both in one process.
type Broker struct {
	o     Options
	cfg   *config.File
	roles config.Roles
	log   zerolog.Logger
	rng   *rand.Rand // node-wide draws at start: incarnation ids

	clusterID   string
	directoryID protocol.UUID // of the metadata log's directory
	store       *storage.Store
	quorum      *quorum.Node
	images      *api.Images
	peers       *peer.Client
	channel     *peer.ControllerChannel
	handlers    *api.Handlers
	dispatcher  *api.Dispatcher

	controller       *controller.Controller // nil without the role
	controllerServer *server.Server         // nil without the role
	// controllerEndpoints are its listeners as other nodes reach them.
	controllerEndpoints []config.Listener
	replicas            *replica.Manager // nil without the broker role, as the next three
	groups              *groups
	clientServer        *server.Server
	heart               *heart

	bound        bound
	metadataLock io.Closer // of metadata.log.dir where that is no log directory; else nil

	tasks tasks

	mu       sync.Mutex
	err      error // the first failure
	stopping bool  // rooms end because they are told to

	done    chan struct{} // closed at the first failure, or when stopped
	once    sync.Once     // closes done
	stopped sync.Once
	stopErr error // of the one stop
}

// Start brings a node up and returns when it serves: a broker is unfenced and its client listeners accept; a
// controller's listener accepts. When it returns an error, nothing is left behind.
func Start(ctx context.Context, o Options) (*Broker, error) {
	o.defaults()
	b := &Broker{o: o, cfg: o.Config, roles: o.Config.Roles(), log: o.Log, done: make(chan struct{})}
	if err := b.open(); err != nil {
		b.abandon()
		return nil, err
	}
	if err := b.bringUp(ctx); err != nil {
		b.abandon()
		if failed := b.Err(); failed != nil {
			err = failed
		}
		return nil, err
	}
	return b, nil
}

// open makes every room, bottom up; nothing runs yet.
func (b *Broker) open() error {
	budget := server.NewBudget(requestMemory())
	codecs := compress.NewCodecs()
	if err := b.bind(budget); err != nil {
		return err
	}
	if err := b.checkDirs(); err != nil {
		return err
	}
	if b.o.FormatEmpty {
		if err := b.formatEmpty(); err != nil {
			return err
		}
	}
	if err := b.openStore(codecs); err != nil {
		return err
	}
	b.peers = peer.New(peer.Options{Net: b.o.Net, Clock: b.o.Clocks.Real, Log: room(b.log, "peer"), ClientID: fmt.Sprintf("dohle-%d", b.cfg.NodeID())})
	if err := b.openQuorum(codecs); err != nil {
		return err
	}
	life := b.quorum.LogEndOffset()
	b.rng = b.o.rngFrom(life, rngNode)
	b.channel = peer.NewControllerChannel(b.peers, b.quorum, 0)
	if b.roles.Controller {
		b.controller = controller.New(controller.Options{NodeID: b.cfg.NodeID(), ClusterID: b.clusterID, Quorum: b.quorum,
			Clocks: b.o.Clocks, Rand: b.o.rngFrom(life, rngController), Log: room(b.log, "controller"), Config: b.cfg})
	}
	if b.roles.Broker {
		b.replicas = replica.NewManager(replica.Options{NodeID: b.cfg.NodeID(), Store: b.store, Clocks: b.o.Clocks, Log: room(b.log, "replica"), Config: b.cfg})
		b.openGroups(life, codecs)
	}
	b.images = api.NewImages()
	if err := b.handle(life); err != nil {
		return err
	}
	b.quorum.Subscribe(newLoader(b.images, b.knowsOfThisStart, b.publish, func(err error) {
		b.fail(fmt.Errorf("metadata in %s: %w", b.cfg.MetadataDir(), err))
	}))
	return nil
}

// knowsOfThisStart says whether an image holds the registration of this life of the node: it is then the newest there was
// when the node started, or newer. Without the broker's role there is nobody to mislead.
func (b *Broker) knowsOfThisStart(img *metadata.Image) bool {
	if b.heart == nil {
		return true
	}
	self := img.Brokers.Get(b.cfg.NodeID())
	return self != nil && self.IncarnationID == b.heart.life.incarnation // which never changes
}

// publish tells the rooms that act on the cluster's state of a new image, in a fixed order.
func (b *Broker) publish(img *metadata.Image, delta *metadata.Delta) {
	if b.replicas != nil {
		b.replicas.Apply(img, delta)
		b.groups.publish(img, delta)
	}
}

// Ready tells where the node is reached.
func (b *Broker) Ready() Ready {
	r := Ready{ClusterID: b.clusterID, NodeID: b.cfg.NodeID(), PID: b.o.PID, Listeners: b.bound.addresses(), LogDirs: b.cfg.LogDirs(), role: "KafkaRaftServer"}
	if b.roles.Broker {
		r.Bootstrap = b.bound.bootstrap()
	}
	return r
}

// Image is the newest committed state of the cluster that this node knows.
func (b *Broker) Image() *metadata.Image { return b.images.Image() }

// Store holds the node's logs.
func (b *Broker) Store() *storage.Store { return b.store }

// Done is closed when the node has failed or was stopped.
func (b *Broker) Done() <-chan struct{} { return b.done }

// Err is what the node failed of; nil while it works and after a clean stop.
func (b *Broker) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *Broker) isStopping() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stopping
}

// fail ends the node. The first error stays.
func (b *Broker) fail(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.once.Do(func() { close(b.done) })
}

// Stop takes the node down in order: leaders move away, requests in progress finish, logs are flushed and marked
// clean. ctx bounds the waiting, not the flushing. Calling it again gives the first call's result.
func (b *Broker) Stop(ctx context.Context) error {
	b.stopped.Do(func() {
		if b.heart != nil && b.Err() == nil {
			b.heart.shutDown(ctx)
		}
		b.stopErr = b.takeDown(ctx)
	})
	return b.stopErr
}

// abandon takes down what a failed start left.
func (b *Broker) abandon() {
	b.stopped.Do(func() { b.stopErr = b.takeDown(context.Background()) })
}

func (b *Broker) takeDown(ctx context.Context) error {
	b.mu.Lock()
	failed := b.err != nil
	b.stopping = true
	b.mu.Unlock()
	b.once.Do(func() { close(b.done) })
	if failed && b.peers != nil {
		b.peers.Close() // nobody may answer any more what clients' requests were forwarded for; draining would wait for it
	}
	b.tasks.stop(clientSide)
	var errs []error
	if b.quorum != nil && !failed && b.tasks.begun() {
		errs = append(errs, b.quorum.Shutdown(ctx))
	}
	b.tasks.stop(controlSide)
	if b.quorum != nil {
		errs = append(errs, b.quorum.Close()) // of one that never ran
	}
	if b.peers != nil {
		b.peers.Close()
	}
	b.bound.close()
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	if b.metadataLock != nil {
		errs = append(errs, b.metadataLock.Close())
	}
	return errors.Join(errs...)
}

func room(log zerolog.Logger, name string) zerolog.Logger {
	return log.With().Str("room", name).Logger()
}
