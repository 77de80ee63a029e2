package broker

import (
	"fmt"
	"net"
	"strconv"

	"github.com/dohle-io/dohle/broker/peer"
	"github.com/dohle-io/dohle/broker/replica"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/storage"
)

// formatEmpty formats the log directories as a quorum of this node, if none of them is formatted.
func (b *Broker) formatEmpty() error {
	for _, dir := range b.cfg.LogDirs() {
		if _, ok, err := storage.ReadMeta(b.o.FS, dir); err != nil || ok {
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

func (b *Broker) openStore(codecs *compress.Codecs) error {
	store, err := storage.Open(storage.Options{
		FS: b.o.FS, Clocks: b.o.Clocks, Log: room(b.log, "storage"), Codecs: codecs, Rand: b.o.rng(rngStorage),
		Dirs: b.cfg.LogDirs(), NodeID: b.cfg.NodeID(), MetadataDir: b.cfg.MetadataDir(),
		DefaultConfig: func(topic string) storage.LogConfig {
			return replica.LogConfig(config.TopicView(b.cfg, nil))
		},
		BrokerEpoch:              b.brokerEpoch,
		RetentionCheckInterval:   config.LogRetentionCheckIntervalMs.Get(b.cfg),
		ProducerExpiration:       config.ProducerIDExpirationMs.Get(b.cfg),
		ProducerExpirationChecks: config.ProducerIDExpirationCheckIntervalMs.Get(b.cfg),
	})
	if err != nil {
		return err
	}
	b.store, b.clusterID = store, store.ClusterID()
	return nil
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
	meta, ok, err := storage.ReadMeta(b.o.FS, b.cfg.MetadataDir())
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s: no meta.properties: format it first (dohle format)", b.cfg.MetadataDir())
	}
	o := quorum.Options{
		NodeID: b.cfg.NodeID(), DirectoryID: meta.DirectoryID, ClusterID: b.clusterID,
		FS: b.o.FS, Dir: b.cfg.MetadataDir(), Clocks: b.o.Clocks, Rand: b.o.rng(rngQuorum), Log: room(b.log, "quorum"), Codecs: codecs,
		Observer: !b.roles.Controller, Endpoints: quorumEndpoints(b.controllerEndpoints),
		Timeouts: quorum.Timeouts{
			Election:           config.ControllerQuorumElectionTimeoutMs.Get(b.cfg),
			Fetch:              config.ControllerQuorumFetchTimeoutMs.Get(b.cfg),
			ElectionBackoffMax: config.ControllerQuorumElectionBackoffMaxMs.Get(b.cfg),
			Request:            config.ControllerQuorumRequestTimeoutMs.Get(b.cfg),
			RetryBackoff:       config.ControllerQuorumRetryBackoffMs.Get(b.cfg),
		},
		Limits: quorum.Limits{
			FetchMaxBytes:         config.ControllerQuorumFetchMaxBytes.Get(b.cfg),
			FetchSnapshotMaxBytes: config.ControllerQuorumFetchSnapshotMaxBytes.Get(b.cfg),
			SegmentBytes:          config.MetadataLogSegmentBytes.Get(b.cfg),
			SegmentAge:            config.MetadataLogSegmentMs.Get(b.cfg),
			RetentionBytes:        config.MetadataMaxRetentionBytes.Get(b.cfg),
			RetentionAge:          config.MetadataMaxRetentionMs.Get(b.cfg),
			DeleteDelay:           config.InternalMetadataDeleteDelayMillis.Get(b.cfg),
		},
		Transport: peer.Transport{Client: b.peers},
	}
	if bytes, ok := config.InternalMetadataLogSegmentBytes.Find(b.cfg); ok {
		o.Limits.SegmentBytes = bytes
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
func (b *Broker) handle() error {
	*b.handlers = b.rooms()
	if !b.roles.Broker {
		return nil
	}
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
