package metadata

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/protocol"
)

// An Endpoint is where a node listens. SecurityProtocol is Kafka's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT,
// 3 SASL_SSL.
type Endpoint struct {
	Name             string // of the listener
	Host             string
	Port             uint16
	SecurityProtocol int16
}

// A VersionRange is what a node supports of a feature, both ends inclusive.
type VersionRange struct{ Min, Max int16 }

// Contains reports whether v lies in the range.
func (r VersionRange) Contains(v int16) bool { return r.Min <= v && v <= r.Max }

// String is "min-max".
func (r VersionRange) String() string { return fmt.Sprintf("%d-%d", r.Min, r.Max) }

// A Broker is a registered broker. It is immutable.
type Broker struct {
	ID                   int32
	Epoch                int64 // given at registration; older requests of the same id are fenced by it
	IncarnationID        protocol.UUID
	Endpoints            []Endpoint
	Features             map[string]VersionRange
	Rack                 *string
	Fenced               bool
	InControlledShutdown bool
	Migrating            bool            // a broker of a ZooKeeper cluster, in logs that are old enough
	LogDirs              []protocol.UUID // online ones; empty if the broker registered below 3.7-IV2
	CordonedLogDirs      []protocol.UUID // nil: not known yet
}

// Active reports whether the broker may lead and be in an ISR.
func (b *Broker) Active() bool { return b != nil && !b.Fenced && !b.InControlledShutdown }

// Endpoint is the endpoint of a listener.
func (b *Broker) Endpoint(listener string) (Endpoint, bool) {
	for _, e := range b.Endpoints {
		if e.Name == listener {
			return e, true
		}
	}
	return Endpoint{}, false
}

// HasOnlineDir reports whether a replica in dir can be used.
func (b *Broker) HasOnlineDir(dir protocol.UUID) bool { return DirectoryOnline(dir, b.LogDirs) }

// HasUncordonedDir reports whether new replicas can be placed.
func (b *Broker) HasUncordonedDir() bool {
	if len(b.LogDirs) == 0 || b.CordonedLogDirs == nil {
		return true
	}
	for _, d := range b.LogDirs {
		if !slices.Contains(b.CordonedLogDirs, d) {
			return true
		}
	}
	return false
}

// Equal compares everything.
func (b *Broker) Equal(c *Broker) bool {
	return b.ID == c.ID && b.Epoch == c.Epoch && b.IncarnationID == c.IncarnationID && b.Fenced == c.Fenced &&
		b.InControlledShutdown == c.InControlledShutdown && b.Migrating == c.Migrating &&
		slices.Equal(b.Endpoints, c.Endpoints) && maps.Equal(b.Features, c.Features) &&
		(b.Rack == nil) == (c.Rack == nil) && (b.Rack == nil || *b.Rack == *c.Rack) &&
		slices.Equal(b.LogDirs, c.LogDirs) && (b.CordonedLogDirs == nil) == (c.CordonedLogDirs == nil) &&
		slices.Equal(b.CordonedLogDirs, c.CordonedLogDirs)
}

// BrokersImage is the set of registered brokers.
type BrokersImage struct{ byID pmap.Map[int32, *Broker] }

// Len is the number of registered brokers.
func (b BrokersImage) Len() int { return b.byID.Len() }

// Get finds a broker, or nil.
func (b BrokersImage) Get(id int32) *Broker {
	broker, _ := b.byID.Get(id)
	return broker
}

// All yields the brokers by id, ascending.
func (b BrokersImage) All() iter.Seq[*Broker] {
	return func(yield func(*Broker) bool) {
		for _, id := range sorted(b.byID, cmp.Compare) {
			if !yield(b.Get(id)) {
				return
			}
		}
	}
}

// BrokersDelta collects changes to brokers.
type BrokersDelta struct {
	before BrokersImage
	byID   changes[int32, *Broker]
}

// A BrokerChange is one broker that a delta touched. Before is nil for a new one, After for one that is gone.
type BrokerChange struct {
	ID            int32
	Before, After *Broker
}

// Changes are the touched brokers by id.
func (d *BrokersDelta) Changes() []BrokerChange {
	var list []BrokerChange
	for _, id := range d.byID.keys(cmp.Compare) {
		c := BrokerChange{ID: id, Before: d.before.Get(id)}
		c.After, _ = d.byID.get(id)
		list = append(list, c)
	}
	return list
}

// Empty reports whether no broker was touched.
func (d *BrokersDelta) Empty() bool { return len(d.byID.touched) == 0 }

func (d *BrokersDelta) register(r *RegisterBrokerRecord) {
	b := &Broker{ID: r.BrokerId, Epoch: r.BrokerEpoch, IncarnationID: r.IncarnationId, Rack: r.Rack, Fenced: r.Fenced,
		InControlledShutdown: r.InControlledShutdown, Migrating: r.IsMigratingZkBroker,
		Features: make(map[string]VersionRange, len(r.Features)),
		LogDirs:  slices.SortedFunc(slices.Values(r.LogDirs), compareUUIDs), CordonedLogDirs: r.CordonedLogDirs}
	for _, e := range r.EndPoints {
		b.Endpoints = append(b.Endpoints, Endpoint{e.Name, e.Host, e.Port, e.SecurityProtocol})
	}
	for _, f := range r.Features {
		b.Features[f.Name] = VersionRange{f.MinSupportedVersion, f.MaxSupportedVersion}
	}
	d.byID.set(b.ID, b)
}

func (d *BrokersDelta) unregister(r *UnregisterBrokerRecord) error {
	if _, err := d.at(r.BrokerId, r.BrokerEpoch); err != nil {
		return err
	}
	d.byID.delete(r.BrokerId)
	return nil
}

// at is a copy of a registered broker, to be changed.
func (d *BrokersDelta) at(id int32, epoch int64) (*Broker, error) {
	b, ok := d.byID.get(id)
	if !ok {
		return nil, fmt.Errorf("broker %d is not registered", id)
	}
	if b.Epoch != epoch {
		return nil, fmt.Errorf("broker %d has epoch %d, not %d", id, b.Epoch, epoch)
	}
	c := *b
	return &c, nil
}

func (d *BrokersDelta) fence(id int32, epoch int64, fenced bool) error {
	b, err := d.at(id, epoch)
	if err != nil {
		return err
	}
	b.Fenced = fenced
	d.byID.set(id, b)
	return nil
}

func (d *BrokersDelta) change(r *BrokerRegistrationChangeRecord) error {
	b, err := d.at(r.BrokerId, r.BrokerEpoch)
	if err != nil {
		return err
	}
	switch r.Fenced {
	case 0:
	case 1:
		b.Fenced = true
	case -1:
		b.Fenced = false
	default:
		return fmt.Errorf("broker %d: unknown fencing change %d", r.BrokerId, r.Fenced)
	}
	switch r.InControlledShutdown {
	case 0:
	case 1:
		b.InControlledShutdown = true
	default:
		return fmt.Errorf("broker %d: unknown shutdown change %d", r.BrokerId, r.InControlledShutdown)
	}
	if len(r.LogDirs) > 0 {
		b.LogDirs = slices.SortedFunc(slices.Values(r.LogDirs), compareUUIDs)
	}
	if r.CordonedLogDirs != nil {
		b.CordonedLogDirs = r.CordonedLogDirs
	}
	d.byID.set(r.BrokerId, b)
	return nil
}

func (b BrokersImage) records(level Level, yield func(Record) bool) bool {
	for broker := range b.All() {
		r := &RegisterBrokerRecord{BrokerId: broker.ID, BrokerEpoch: broker.Epoch, IncarnationId: broker.IncarnationID,
			Rack: broker.Rack, Fenced: broker.Fenced, InControlledShutdown: broker.InControlledShutdown}
		if level >= Level3_4_IV0 {
			r.IsMigratingZkBroker = broker.Migrating
		}
		if level.DirectoryAssignmentSupported() {
			r.LogDirs = broker.LogDirs
		}
		if level.CordonedLogDirsSupported() {
			r.CordonedLogDirs = broker.CordonedLogDirs
		}
		for _, e := range broker.Endpoints {
			r.EndPoints = append(r.EndPoints, RegisterBrokerRecordBrokerEndpoint{Name: e.Name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol})
		}
		for _, name := range slices.Sorted(maps.Keys(broker.Features)) {
			v := broker.Features[name]
			r.Features = append(r.Features, RegisterBrokerRecordBrokerFeature{Name: name, MinSupportedVersion: v.Min, MaxSupportedVersion: v.Max})
		}
		if !yield(r) {
			return false
		}
	}
	return true
}
