package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/storage"
)

// checkDirs refuses a log directory that is another one, or lies inside it: a broker takes what lies in a log directory
// for partitions.
func (b *Broker) checkDirs() error {
	dirs := b.cfg.LogDirs()
	if meta := b.cfg.MetadataDir(); !slices.Contains(dirs, meta) {
		dirs = append(slices.Clone(dirs), meta)
	}
	for _, dir := range dirs {
		for at := path.Clean(dir); ; at = path.Dir(at) {
			for _, other := range dirs {
				switch {
				case other == dir || !vfs.Same(b.o.FS, at, other):
				case at == path.Clean(dir):
					return fmt.Errorf("log directories %s and %s are the same directory: name it once, and alike in log.dirs and metadata.log.dir", other, dir)
				default:
					return fmt.Errorf("log directory %s lies inside log directory %s: name directories beside each other in log.dirs and metadata.log.dir", dir, other)
				}
			}
			if at == path.Dir(at) {
				break
			}
		}
	}
	return nil
}

// formatEmpty formats the log directories as a quorum of this node, if none of them is formatted.
func (b *Broker) formatEmpty() error {
	for _, dir := range b.cfg.LogDirs() {
		if _, err := storage.ReadMetaProperties(b.o.FS, dir); !errors.Is(err, storage.ErrNotFormatted) {
			return err
		}
	}
	rng := b.o.rng(rngFormat)
	id := b.o.ClusterID
	if id == "" {
		id = protocol.RandomUUID(rng).String()
	}
	endpoints, err := b.advertisedControllers()
	if err != nil {
		return err
	}
	return controller.Format(controller.FormatOptions{FS: b.o.FS, Rand: rng, Clock: b.o.Clocks.Real, Config: b.cfg, ClusterID: id,
		Standalone: true, Endpoints: quorumEndpoints(endpoints)})
}

// openStore opens the log directories. The cluster id is that of the metadata log's directory; a directory that is
// still empty, such as a new disk, joins that cluster.
func (b *Broker) openStore(codecs *compress.Codecs) error {
	dir := b.cfg.MetadataDir()
	meta, err := storage.ReadMetaProperties(b.o.FS, dir)
	if errors.Is(err, storage.ErrNotFormatted) {
		return fmt.Errorf("%w. Format it first: dohle format -t CLUSTER_ID -c FILE --standalone", err)
	}
	if err != nil {
		return err
	}
	if !slices.Contains(b.cfg.LogDirs(), dir) {
		if b.metadataLock, err = b.o.FS.Lock(path.Join(dir, ".lock")); err != nil {
			return fmt.Errorf("metadata.log.dir %s: %w", dir, err)
		}
	}
	b.clusterID, b.directoryID = meta.ClusterID, meta.DirectoryID
	durability := "page-cache" // acknowledged records survive the end of the process, not of the machine's power
	if config.LogFlushIntervalMessages.Get(b.cfg) == 1 {
		durability = "fsync"
	}
	b.log.Info().Str("cluster", meta.ClusterID).Strs("log.dirs", b.cfg.LogDirs()).Str("durability", durability).Msg("opening log directories")
	b.store, err = storage.Open(storage.Options{
		FS: b.o.FS, Clocks: b.o.Clocks, Log: room(b.log, "storage"), Codecs: codecs, Rand: b.o.rng(rngStorage),
		Dirs: b.cfg.LogDirs(), NodeID: b.cfg.NodeID(), ClusterID: b.clusterID,
		DefaultConfig: func(topic string) storage.LogConfig {
			return replica.LogConfig(config.TopicView(b.cfg, nil))
		},
		BrokerEpoch:              b.brokerEpoch,
		Cleaner:                  b.cleanerConfig,
		CacheWindow:              cacheWindow(),
		RetentionCheckInterval:   config.LogRetentionCheckIntervalMs.Get(b.cfg),
		ProducerExpiration:       config.ProducerIDExpirationMs.Get(b.cfg),
		ProducerExpirationChecks: config.ProducerIDExpirationCheckIntervalMs.Get(b.cfg),
	})
	return err
}

// cleanerConfig is asked once the store runs, when a broker has its replicas, and with them the dynamic values.
func (b *Broker) cleanerConfig() storage.CleanerConfig {
	if b.replicas == nil {
		return replica.CleanerConfig(b.cfg)
	}
	return replica.CleanerConfig(b.replicas.View().Config)
}

func (b *Broker) brokerEpoch() int64 {
	if b.heart == nil {
		return -1
	}
	b.heart.mu.Lock()
	defer b.heart.mu.Unlock()
	return b.heart.life.epoch
}

func (b *Broker) openQuorum(codecs *compress.Codecs) error {
	var err error
	if b.controllerEndpoints, err = b.advertisedControllers(); err != nil {
		return err
	}
	o := quorum.Options{
		NodeID: b.cfg.NodeID(), DirectoryID: b.directoryID, ClusterID: b.clusterID,
		FS: b.o.FS, Dir: b.cfg.MetadataDir(), Clocks: b.o.Clocks, Rand: b.o.rng(rngQuorum), Log: room(b.log, "quorum"), Codecs: codecs,
		Observer: !b.roles.Controller, ListenerName: b.controllerListenerName(), Endpoints: quorumEndpoints(b.controllerEndpoints),
		Timeouts: quorum.Timeouts{
			Election:           config.ControllerQuorumElectionTimeoutMs.Get(b.cfg),
			Fetch:              config.ControllerQuorumFetchTimeoutMs.Get(b.cfg),
			ElectionBackoffMax: config.ControllerQuorumElectionBackoffMaxMs.Get(b.cfg),
			Request:            config.ControllerQuorumRequestTimeoutMs.Get(b.cfg),
			RetryBackoff:       config.ControllerQuorumRetryBackoffMs.Get(b.cfg),
		},
		Limits: quorum.Limits{
			FetchMaxBytes:         int32(config.ControllerQuorumFetchMaxBytes.Get(b.cfg)),
			FetchSnapshotMaxBytes: int32(config.ControllerQuorumFetchSnapshotMaxBytes.Get(b.cfg)),
			SegmentBytes:          int32(config.MetadataLogSegmentBytes.Get(b.cfg)),
			SegmentAge:            config.MetadataLogSegmentMs.Get(b.cfg),
			RetentionBytes:        config.MetadataMaxRetentionBytes.Get(b.cfg),
			RetentionAge:          config.MetadataMaxRetentionMs.Get(b.cfg),
			DeleteDelay:           config.InternalMetadataDeleteDelayMillis.Get(b.cfg),
		},
		Transport: peer.Transport{Client: b.peers},
	}
	if bytes, ok := config.InternalMetadataLogSegmentBytes.Find(b.cfg); ok {
		o.Limits.SegmentBytes = int32(bytes)
	}
	for _, v := range b.cfg.QuorumVoters() {
		o.StaticVoters = append(o.StaticVoters, quorum.Voter{ID: v.ID, Endpoints: []quorum.Endpoint{{Name: b.controllerListenerName(), Host: v.Host, Port: uint16(v.Port)}}})
	}
	for _, s := range b.cfg.BootstrapServers() {
		if s.Port != 0 {
			o.BootstrapServers = append(o.BootstrapServers, net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
		}
	}
	b.quorum, err = quorum.Open(o)
	return err
}

func (b *Broker) controllerListenerName() string {
	if names := config.ControllerListenerNames.Get(b.cfg); len(names) > 0 {
		return names[0]
	}
	return "CONTROLLER"
}

// advertisedControllers are the controller listeners as other nodes reach them; none without the role.
func (b *Broker) advertisedControllers() ([]config.Listener, error) {
	if !b.roles.Controller {
		return nil, nil
	}
	list, err := b.cfg.AdvertisedControllerListeners()
	if err != nil {
		return nil, err
	}
	return b.bound.advertised(list)
}

func quorumEndpoints(list []config.Listener) []quorum.Endpoint {
	var out []quorum.Endpoint
	for _, l := range list {
		out = append(out, quorum.Endpoint{Name: l.Name, Host: l.Host, Port: uint16(l.Port)})
	}
	return out
}

// handle fills in what the API handlers may ask, and makes the broker's life cycle.
func (b *Broker) handle(life int64) error {
	*b.handlers = api.Handlers{
		NodeID: b.cfg.NodeID(), ClusterID: b.clusterID, Config: b.cfg, Images: b.images, Quorum: quorumRoom{b.quorum},
		Store: b.store, Controllers: b.channel, Rand: api.NewSharedRand(b.o.rngFrom(life, rngClients)),
	}
	// What a request can provoke must not fill the log (KAFKA-14236): five lines a second.
	apiLog := room(b.log, "api").Sample(&zerolog.BurstSampler{Burst: 50, Period: 10 * time.Second})
	ids := api.NewIDBlocks(b.cfg.NodeID(), b.brokerEpoch, b.channel.Send)
	b.handlers.Data = api.NewData(b.replicas, ids, b.cfg, b.o.Clocks, b.o.rngFrom(life, rngSessions), apiLog)
	if b.controller != nil {
		b.handlers.Controller = b.controller
	}
	if !b.roles.Broker {
		return nil
	}
	b.handlers.Groups = b.groups
	list, err := b.cfg.AdvertisedListeners()
	if err == nil {
		list, err = b.bound.advertised(list)
	}
	if err != nil {
		return err
	}
	b.heart = &heart{b: b, changed: make(chan struct{}), nudge: make(chan struct{}, 1), life: lifecycle{
		id: b.cfg.NodeID(), clusterID: b.clusterID, incarnation: b.incarnation(), interval: config.BrokerHeartbeatIntervalMs.Get(b.cfg),
		registration: b.brokerRegistration(list), offlineDirs: b.offlineDirs, cordonedDirs: b.cordonedDirs,
		epoch: -1, previous: b.store.PreviousBrokerEpoch(),
	}}
	return nil
}

// quorumRoom is the quorum as handlers see it.
type quorumRoom struct{ *quorum.Node }

// KRaftVersion is the finalized level of kraft.version; 0 when the node has stopped.
func (q quorumRoom) KRaftVersion() int16 {
	version, _, err := q.Node.KRaftVersion(context.Background())
	if err != nil {
		return 0
	}
	return version
}
