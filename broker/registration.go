package broker

import (
	"iter"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// incarnation is a new id for this start of the process.
func (b *Broker) incarnation() protocol.UUID {
	b.mu.Lock()
	defer b.mu.Unlock()
	return protocol.RandomUUID(b.rng)
}

// brokerRegistration is the fixed part of BrokerRegistration: what this process is. The life cycle adds who it is.
func (b *Broker) brokerRegistration(advertised []config.Listener) func() *kmsg.BrokerRegistrationRequest {
	return func() *kmsg.BrokerRegistrationRequest {
		req := kmsg.NewPtrBrokerRegistrationRequest()
		for _, l := range advertised {
			e := kmsg.NewBrokerRegistrationRequestListener()
			e.Name, e.Host, e.Port, e.SecurityProtocol = l.Name, l.Host, uint16(l.Port), securityProtocol(l.Protocol)
			req.Listeners = append(req.Listeners, e)
		}
		for name, f := range sortedFeatures() {
			e := kmsg.NewBrokerRegistrationRequestFeature()
			e.Name, e.MinSupportedVersion, e.MaxSupportedVersion = name, f.Min, f.Max
			req.Features = append(req.Features, e)
		}
		if rack, ok := config.BrokerRack.Find(b.cfg); ok {
			req.Rack = &rack
		}
		for _, d := range b.onlineDirs() {
			req.LogDirs = append(req.LogDirs, d.ID())
		}
		slices.SortFunc(req.LogDirs, func(x, y [16]byte) int { return protocol.UUID(x).Compare(protocol.UUID(y)) })
		return req
	}
}

// sortedFeatures are the features of this build, by name.
func sortedFeatures() iter.Seq2[string, metadata.VersionRange] {
	all := metadata.SupportedFeatures()
	return func(yield func(string, metadata.VersionRange) bool) {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if !yield(name, all[name]) {
				return
			}
		}
	}
}

func (b *Broker) onlineDirs() []*storage.Dir {
	return slices.DeleteFunc(slices.Clone(b.store.Dirs()), func(d *storage.Dir) bool { return !d.Online() })
}

func (b *Broker) offlineDirs() []protocol.UUID {
	var ids []protocol.UUID
	for _, d := range b.store.Dirs() {
		if !d.Online() && !d.ID().IsZero() {
			ids = append(ids, d.ID())
		}
	}
	return ids
}

// cordonedDirs are those that take no new replicas (KIP-1066).
func (b *Broker) cordonedDirs() []protocol.UUID {
	names := config.CordonedLogDirs.Get(b.replicas.View().Config)
	all := slices.Contains(names, "*")
	var ids []protocol.UUID
	for _, d := range b.store.Dirs() {
		if d.Online() && (all || slices.Contains(names, d.Path())) {
			ids = append(ids, d.ID())
		}
	}
	return ids
}

// controllerRegistrationDue says whether the image lacks this controller as it runs now.
func (b *Broker) controllerRegistrationDue(img *metadata.Image, incarnation protocol.UUID) bool {
	if !img.Level().ControllerRegistrationSupported() {
		return false
	}
	known := img.Controllers.Get(b.cfg.NodeID())
	return known == nil || known.IncarnationID != incarnation
}

func (b *Broker) controllerRegistration(incarnation protocol.UUID) *kmsg.ControllerRegistrationRequest {
	req := kmsg.NewPtrControllerRegistrationRequest()
	req.ControllerID, req.IncarnationID = b.cfg.NodeID(), incarnation
	for _, l := range b.controllerEndpoints {
		e := kmsg.NewControllerRegistrationRequestListener()
		e.Name, e.Host, e.Port, e.SecurityProtocol = l.Name, l.Host, uint16(l.Port), securityProtocol(l.Protocol)
		req.Listeners = append(req.Listeners, e)
	}
	for name, f := range sortedFeatures() {
		e := kmsg.NewControllerRegistrationRequestFeature()
		e.Name, e.MinSupportedVersion, e.MaxSupportedVersion = name, f.Min, f.Max
		req.Features = append(req.Features, e)
	}
	return req
}

// directoryAssignments is the request that tells where our replicas lie, for all whose directory in the image is
// another or none; nil when there is nothing to tell.
func (b *Broker) directoryAssignments(img *metadata.Image) *kmsg.AssignReplicasToDirsRequest {
	self := img.Brokers.Get(b.cfg.NodeID())
	if self == nil {
		return nil
	}
	type place struct{ dir, topic protocol.UUID }
	found := map[place][]int32{}
	for p := range b.replicas.View().Hosted {
		log := p.Log()
		if log == nil || log.Dir() == nil || !log.Dir().Online() {
			continue
		}
		t := img.Topics.ByID(p.TopicID())
		reg := t.Partition(p.TopicPartition().Partition)
		if reg == nil {
			continue
		}
		if dir, ok := reg.Directory(self.ID); ok && dir != log.Dir().ID() {
			at := place{log.Dir().ID(), t.ID}
			found[at] = append(found[at], p.TopicPartition().Partition)
		}
	}
	if len(found) == 0 {
		return nil
	}
	places := make([]place, 0, len(found))
	for at := range found {
		places = append(places, at)
	}
	slices.SortFunc(places, func(x, y place) int {
		if c := x.dir.Compare(y.dir); c != 0 {
			return c
		}
		return x.topic.Compare(y.topic)
	})
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = self.ID, self.Epoch
	for _, at := range places {
		if n := len(req.Directories); n == 0 || req.Directories[n-1].ID != at.dir {
			d := kmsg.NewAssignReplicasToDirsRequestDirectory()
			d.ID = at.dir
			req.Directories = append(req.Directories, d)
		}
		dir := &req.Directories[len(req.Directories)-1]
		t := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
		t.TopicID = at.topic
		slices.Sort(found[at])
		for _, i := range found[at] {
			p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
			p.Partition = i
			t.Partitions = append(t.Partitions, p)
		}
		dir.Topics = append(dir.Topics, t)
	}
	return req
}

func securityProtocol(name string) int16 {
	switch name {
	case "SSL":
		return 1
	case "SASL_PLAINTEXT":
		return 2
	case "SASL_SSL":
		return 3
	}
	return 0 // PLAINTEXT
}
