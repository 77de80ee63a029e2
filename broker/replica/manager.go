package replica

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// Options of a Manager.
type Options struct {
	NodeID int32
	Store  *storage.Store
	Clocks clock.Clocks
	Log    zerolog.Logger
	Config *config.File   // the broker's own file; dynamic values come with the image
	Alter  AlterPartition // nil = ISR changes are not proposed
}

// Manager knows the partitions that this broker hosts. Look-ups are lock-free; Apply and DirsChanged take turns.
type Manager struct {
	o    Options
	env  *environment
	view atomic.Pointer[View]

	mu sync.Mutex // one publisher at a time
}

// View is one moment: an image, and what is hosted of it. It is immutable; the partitions in it are live.
type View struct {
	Image  *metadata.Image
	Config config.View // of this broker, with dynamic values
	byID   pmap.Map[protocol.UUID, *Topic]
	byName pmap.Map[string, *Topic]
}

// Topic is a topic of the image with this broker's replicas of it.
type Topic struct {
	*metadata.Topic
	hosted []*Partition // by index, nil where this broker has no replica
}

// NewManager returns a manager that hosts nothing yet.
func NewManager(o Options) *Manager {
	m := &Manager{o: o}
	m.env = &environment{
		self:    o.NodeID,
		now:     func() int64 { return clock.Millis(o.Clocks.Real.Now()) },
		maxLag:  millis(config.ReplicaLagTimeMaxMs.Get(o.Config)), // read-only
		brokers: m.broker,
		alter:   o.Alter,
	}
	m.view.Store(&View{Image: metadata.Empty(), Config: config.BrokerView(o.Config, nil, nil)})
	return m
}

// View is the current moment. Handlers take it once per request.
func (m *Manager) View() *View { return m.view.Load() }

// Partition finds a partition by topic name: UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER when it exists and
// is not here. A partition whose directory is offline is found and answers KAFKA_STORAGE_ERROR itself.
func (m *Manager) Partition(tp protocol.TopicPartition) (*Partition, error) {
	return m.View().ByName(tp.Topic).Partition(tp.Partition)
}

// ByID is Partition by topic id: UNKNOWN_TOPIC_ID for an id that the image does not have.
func (m *Manager) ByID(id protocol.UUID, partition int32) (*Partition, error) {
	t := m.View().ByID(id)
	if t == nil {
		return nil, kerr.UnknownTopicID
	}
	return t.Partition(partition)
}

// ByName finds a topic, or nil. ByID too.
func (v *View) ByName(name string) *Topic {
	t, _ := v.byName.Get(name)
	return t
}

func (v *View) ByID(id protocol.UUID) *Topic {
	t, _ := v.byID.Get(id)
	return t
}

// Hosted yields the partitions that are here, in no order.
func (v *View) Hosted(yield func(*Partition) bool) {
	for _, t := range v.byID.All() {
		for _, p := range t.hosted {
			if p != nil && !yield(p) {
				return
			}
		}
	}
}

// Partition finds this broker's replica of a partition. A nil topic has none.
func (t *Topic) Partition(i int32) (*Partition, error) {
	switch {
	case t == nil || t.Topic.Partition(i) == nil:
		return nil, kerr.UnknownTopicOrPartition
	case int(i) >= len(t.hosted) || t.hosted[i] == nil:
		return nil, kerr.NotLeaderForPartition
	}
	return t.hosted[i], nil
}

// Exists reports whether the topic has partition i, here or elsewhere.
func (t *Topic) Exists(i int32) bool { return t != nil && t.Topic.Partition(i) != nil }

func (m *Manager) broker(id int32) BrokerState {
	b := m.View().Image.Brokers.Get(id)
	if b == nil {
		return BrokerState{}
	}
	return BrokerState{Known: true, Fenced: b.Fenced, ShuttingDown: b.InControlledShutdown, Epoch: b.Epoch}
}

// DirsChanged takes the partitions in directories that went offline out of service. The broker calls it when the
// store's OfflineDirs ticks.
func (m *Manager) DirsChanged() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p := range m.View().Hosted {
		if p.log != nil && p.log.Dir() != nil && !p.log.Dir().Online() {
			p.stop(kerr.KafkaStorageError)
		}
	}
}

// ShrinkISRs looks for followers that lag, on every partition led here. The broker calls it every half
// replica.lag.time.max.ms.
func (m *Manager) ShrinkISRs() {
	for p := range m.View().Hosted {
		p.MaybeShrink()
	}
}

// SetAsideStrays takes the logs away that the current image proves to be of no use here: of another topic id, or of a
// partition that is assigned elsewhere. As with Apache Kafka their directories stay, under names that end in -stray:
// an image can be wrong, if somebody formatted the metadata anew. The broker calls it once, when it has caught up with the metadata log, never
// before (robustness R28). A log without a topic id stays.
func (m *Manager) SetAsideStrays() {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.View()
	var strays []protocol.TopicPartition
	for tp, log := range m.o.Store.All() {
		if log.TopicID().IsZero() {
			continue
		}
		t := v.ByID(log.TopicID())
		if t != nil && t.Name == tp.Topic {
			if p := t.Topic.Partition(tp.Partition); p != nil && slices.Contains(p.Replicas, m.o.NodeID) {
				continue
			}
		}
		strays = append(strays, tp)
	}
	for _, tp := range strays {
		if err := m.o.Store.SetAside(tp); err != nil {
			m.o.Log.Error().Err(err).Stringer("partition", tp).Msg("can't set a stray replica aside")
		}
	}
}
