package replica

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// Apply makes img the current image: it stops what was deleted or moved away, opens what is new, takes and gives up
// leaderships, and refreshes configs. The metadata loader calls it, one image after the other.
//
// The new view is published before partitions change role, because they ask it about brokers; a partition that is
// not ready yet answers NOT_LEADER_OR_FOLLOWER meanwhile, which makes a client ask again.
func (m *Manager) Apply(img *metadata.Image, delta *metadata.Delta) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.View()
	v := &View{Image: img, Config: old.Config, byID: old.byID, byName: old.byName}
	brokerChanged, topics := m.configChanges(img, delta)
	if brokerChanged {
		v.Config = config.BrokerView(m.o.Config, img.Configs.Broker(""), img.Configs.Broker(strconv.Itoa(int(m.o.NodeID))))
	}
	changes := delta.Topics().Changes()
	byID, byName := v.byID.Edit(), v.byName.Edit()
	for _, c := range changes { // deleted topics come first
		if c.After == nil {
			m.drop(byID, byName, c.Before)
		}
	}
	var roles []func()
	for _, c := range changes {
		if c.After != nil {
			t, then := m.host(v, byID, c)
			byID.Set(t.ID, t)
			byName.Set(t.Name, t)
			roles = append(roles, then...)
		}
	}
	v.byID, v.byName = byID.Map(), byName.Map()
	m.view.Store(v)
	for _, f := range roles {
		f()
	}
	m.reconfigure(v, brokerChanged, topics)
	if !delta.Brokers().Empty() {
		m.brokersChanged(v)
	}
}

// configChanges says whether a config of this broker changed, and of which topics.
func (m *Manager) configChanges(img *metadata.Image, delta *metadata.Delta) (broker bool, topics []string) {
	self := strconv.Itoa(int(m.o.NodeID))
	for _, r := range delta.Configs().Changed() {
		switch {
		case r.Type == metadata.ConfigBroker && (r.Name == "" || r.Name == self):
			broker = true
		case r.Type == metadata.ConfigTopic:
			topics = append(topics, r.Name)
		}
	}
	return broker, topics
}

// drop stops and deletes the replicas of a topic that is no more. A topic of the same name may follow in the same
// delta, under its own id.
func (m *Manager) drop(byID *pmap.Builder[protocol.UUID, *Topic], byName *pmap.Builder[string, *Topic], gone *metadata.Topic) {
	t, ok := byID.Get(gone.ID)
	if !ok {
		return
	}
	for _, p := range t.hosted {
		m.remove(p, kerr.UnknownTopicOrPartition)
	}
	byID.Delete(t.ID)
	if named, ok := byName.Get(t.Name); ok && named.ID == t.ID {
		byName.Delete(t.Name)
	}
}

func (m *Manager) remove(p *Partition, answer error) {
	if p == nil {
		return
	}
	p.stop(answer)
	if p.log == nil {
		return
	}
	if err := m.o.Store.Delete(p.tp); err != nil {
		m.o.Log.Error().Err(err).Stringer("partition", p.tp).Msg("can't delete a replica")
	}
}

// host builds the topic's entry in the new view, and the role changes to do once that is published.
func (m *Manager) host(v *View, byID *pmap.Builder[protocol.UUID, *Topic], c metadata.TopicChange) (*Topic, []func()) {
	t := &Topic{Topic: c.After}
	if before, ok := byID.Get(c.ID); ok {
		t.hosted = slices.Clone(before.hosted)
	}
	var roles []func()
	var resolved *topicConfig // once per topic, and only when a replica is new
	for _, i := range c.Partitions() {
		reg := c.After.Partition(i)
		var p *Partition
		if int(i) < len(t.hosted) {
			p = t.hosted[i]
		}
		if reg == nil || !reg.HasReplica(m.o.NodeID) {
			if p != nil {
				m.remove(p, kerr.NotLeaderForPartition)
				t.hosted[i] = nil
			}
			continue
		}
		if p == nil {
			if resolved == nil {
				resolved = resolve(v, t)
			}
			p = m.open(t, i, reg, resolved)
			for len(t.hosted) <= int(i) {
				t.hosted = append(t.hosted, nil)
			}
			t.hosted[i] = p
		}
		roles = append(roles, func() { m.assume(p, reg) })
	}
	return t, roles
}

// topicConfig is a topic's configuration for its partitions, which share it.
type topicConfig struct {
	log storage.LogConfig
	own settings
}

func resolve(v *View, t *Topic) *topicConfig {
	view := config.TopicView(v.Config, v.Image.Configs.Topic(t.Name))
	c := &topicConfig{log: LogConfig(view)}
	c.own = settingsOf(view, c.log)
	return c
}

// open finds or makes the log of a new replica. A log of another topic id under the same name is what was left of a
// deleted topic.
func (m *Manager) open(t *Topic, i int32, reg *metadata.Partition, cfg *topicConfig) *Partition {
	tp := protocol.TopicPartition{Topic: t.Name, Partition: i}
	log, ok := m.o.Store.Log(tp)
	if ok && !log.TopicID().IsZero() && log.TopicID() != t.ID {
		if err := m.o.Store.SetAside(tp); err != nil {
			m.o.Log.Error().Err(err).Stringer("partition", tp).Msg("can't set the replica of an older topic aside")
			return gonePartition(tp, t.ID, m.env, kerr.KafkaStorageError)
		}
		ok = false
	}
	if ok {
		log.SetConfig(cfg.log)
		if log.TopicID().IsZero() { // its partition.metadata was torn
			if err := log.SetTopicID(t.ID); err != nil {
				m.o.Log.Error().Err(err).Stringer("partition", tp).Msg("can't write a replica's topic id")
			}
		}
	} else {
		dir, offline := m.assigned(reg)
		if offline {
			return gonePartition(tp, t.ID, m.env, kerr.KafkaStorageError)
		}
		var err error
		if log, err = m.o.Store.Create(tp, t.ID, cfg.log, dir); err != nil {
			m.o.Log.Error().Err(err).Stringer("partition", tp).Msg("can't create a replica")
			return gonePartition(tp, t.ID, m.env, kerr.KafkaStorageError)
		}
	}
	p := newPartition(tp, t.ID, log, m.env)
	p.settings.Store(&cfg.own)
	if log.Err() != nil {
		p.stop(kerr.KafkaStorageError)
	}
	return p
}

// assigned is the directory that the image names for this broker's replica: nil = any. offline means that it is one
// of ours that can't be used, or one that we don't have: its data are not made again elsewhere (KAFKA-13127).
func (m *Manager) assigned(reg *metadata.Partition) (dir *storage.Dir, offline bool) {
	id, ok := reg.Directory(m.o.NodeID)
	dirs := m.o.Store.Dirs()
	if !ok || id == metadata.DirectoryUnassigned || id == metadata.DirectoryMigrating {
		if len(dirs) == 1 { // spares the store the choice
			return dirs[0], !dirs[0].Online()
		}
		return nil, false
	}
	for _, d := range dirs {
		if d.ID() == id {
			return d, !d.Online()
		}
	}
	return nil, true
}

// assume puts the image's word about one partition into effect.
func (m *Manager) assume(p *Partition, reg *metadata.Partition) {
	r := registration{replicas: reg.Replicas, isr: reg.ISR, adding: reg.AddingReplicas, removing: reg.RemovingReplicas,
		leader: reg.Leader, leaderEpoch: reg.LeaderEpoch, partitionEpoch: reg.PartitionEpoch}
	if reg.Leader != m.o.NodeID {
		p.becomeFollower(r)
		return
	}
	if err := p.becomeLeader(r); err != nil {
		m.o.Log.Error().Err(err).Stringer("partition", p.tp).Msg("can't become the leader")
		p.stop(kerr.KafkaStorageError)
	}
}

// reconfigure hands the resolved configs to the logs: of all topics when the broker's own changed, else of those named.
func (m *Manager) reconfigure(v *View, all bool, names []string) {
	refresh := func(t *Topic) {
		if t.hosted == nil {
			return
		}
		cfg := resolve(v, t)
		for _, p := range t.hosted {
			if p != nil && p.log != nil {
				p.log.SetConfig(cfg.log)
				p.configure(&cfg.own)
			}
		}
	}
	if all {
		for _, t := range v.byID.All() {
			refresh(t)
		}
		return
	}
	for _, name := range names {
		if t := v.ByName(name); t != nil {
			refresh(t)
		}
	}
}

// brokersChanged lets high and low watermarks move that waited for a broker which is fenced now.
func (m *Manager) brokersChanged(v *View) {
	for p := range v.Hosted {
		if st := p.state.Load(); st.Role == RoleLeader && len(st.Replicas) > 1 {
			p.recheck()
		}
	}
}
