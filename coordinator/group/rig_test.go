package group

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// rig is a State with a log, a clock and timers in memory: what coordinator.Shards is in a broker, without goroutines.
// When a test ends, its log is replayed into a fresh State, whose hard state must be equal.
type rig struct {
	t      testing.TB
	env    *Environment
	state  *State
	image  *metadata.Image
	now    time.Time
	log    []logged
	timers map[coordinator.Timer]time.Time
	token  coordinator.Token
	parked map[coordinator.Token]*call
	refuse error // the next append is refused with this error
}

// logged is a record of the log, or a transaction marker.
type logged struct {
	record    coordinator.Record
	at        coordinator.Position
	marker    bool
	committed bool
}

// call is a request that a test sent.
type call struct {
	token coordinator.Token
	resp  kmsg.Response // nil as long as it is parked
}

func newRig(t testing.TB, properties map[string]string) *rig {
	t.Helper()
	values := map[string]string{"process.roles": "broker,controller", "node.id": "1", "controller.listener.names": "CONTROLLER",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.bootstrap.servers": "localhost:9093"}
	maps.Copy(values, properties)
	file, err := config.NewStatic(values)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	r := &rig{t: t, now: time.UnixMilli(1_700_000_000_000), image: metadata.Empty(), timers: map[coordinator.Timer]time.Time{}, parked: map[coordinator.Token]*call{}}
	r.env = &Environment{NodeID: 1, Config: file, UUID: func() protocol.UUID { return protocol.RandomUUID(rng) }, Log: zerolog.Nop()}
	r.state = NewState(r.env, 0, r.image)
	r.apply(0, r.state.Loaded(r.now))
	t.Cleanup(r.checkReplay)
	return r
}

// topics publishes an image with these topics besides those that are there; ids are made from the names.
func (r *rig) topics(partitions map[string]int32) {
	r.t.Helper()
	d := metadata.NewDelta(r.image)
	offset := r.image.Offset
	put := func(rec metadata.Record) {
		offset++
		require.NoError(r.t, d.Replay(offset, 1, rec))
	}
	for _, name := range sortedKeys(partitions) {
		id := topicID(name)
		have := int32(0)
		if t := r.image.Topics.ByName(name); t == nil {
			put(&metadata.TopicRecord{Name: name, TopicId: id})
		} else {
			have = int32(len(t.Partitions))
		}
		for p := have; p < partitions[name]; p++ {
			put(&metadata.PartitionRecord{PartitionId: p, TopicId: id, Replicas: []int32{1}, Isr: []int32{1}, Leader: 1, PartitionEpoch: 0,
				Directories: []protocol.UUID{metadata.DirectoryUnassigned}})
		}
	}
	r.publish(d, offset)
}

// deleteTopic publishes an image without these topics.
func (r *rig) deleteTopic(names ...string) {
	r.t.Helper()
	d := metadata.NewDelta(r.image)
	for i, name := range names {
		require.NoError(r.t, d.Replay(r.image.Offset+1+int64(i), 1, &metadata.RemoveTopicRecord{TopicId: topicID(name)}))
	}
	r.publish(d, r.image.Offset+int64(len(names)))
}

// groupConfig publishes a dynamic config of a group.
func (r *rig) groupConfig(group, name, value string) {
	r.t.Helper()
	d := metadata.NewDelta(r.image)
	require.NoError(r.t, d.Replay(r.image.Offset+1, 1, &metadata.ConfigRecord{ResourceType: metadata.ConfigGroup, ResourceName: group, Name: name, Value: &value}))
	r.publish(d, r.image.Offset+1)
}

func (r *rig) publish(d *metadata.Delta, offset int64) {
	d.At(offset, 1, 0)
	r.image = d.Apply()
	r.apply(0, r.state.NewImage(r.image, d, r.now))
}

func topicID(name string) (id protocol.UUID) {
	copy(id[:], name)
	id[15] = 0xff
	return id
}

// ask lets decide act in the name of a new request.
func (r *rig) ask(decide func(s *State, t coordinator.Turn) coordinator.Result) *call {
	r.t.Helper()
	r.token++
	c := &call{token: r.token}
	r.parked[c.token] = c
	r.apply(c.token, decide(r.state, coordinator.Turn{Token: c.token, Now: r.now}))
	return c
}

func (r *rig) apply(asker coordinator.Token, res coordinator.Result) {
	r.t.Helper()
	if len(res.Records) > 0 {
		if err := r.refuse; err != nil {
			r.refuse = nil
			if res.Refused != nil {
				r.settle(res.Refused(err))
			} else {
				delete(r.parked, asker)
			}
			return
		}
		for _, rec := range res.Records {
			at := coordinator.Position{Offset: int64(len(r.log)), Timestamp: r.now.UnixMilli(), ProducerID: -1, ProducerEpoch: -1}
			if res.Transactional {
				at.ProducerID, at.ProducerEpoch, at.Transactional = res.ProducerID, res.ProducerEpoch, true
			}
			require.NoError(r.t, r.state.Replay(rec, at))
			r.log = append(r.log, logged{record: rec, at: at})
		}
	}
	r.settle(res)
}

func (r *rig) settle(res coordinator.Result) {
	r.t.Helper()
	for _, t := range res.Timers {
		delete(r.timers, t.Timer)
		if !t.At.IsZero() {
			r.timers[t.Timer] = t.At
		}
	}
	for _, reply := range res.Replies {
		if c := r.parked[reply.Token]; c != nil {
			c.resp = reply.Response
			delete(r.parked, reply.Token)
		}
	}
	if res.Then != nil {
		then := res.Then()
		require.Empty(r.t, then.Records, "records outside their turn")
		r.settle(then)
	}
}

// advance lets time pass and fires the timers that become due, each at its own time.
func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	until := r.now.Add(d)
	for {
		var next coordinator.Timer
		var when time.Time
		for _, t := range r.sortedTimers() {
			if w := r.timers[t]; !w.After(until) && (when.IsZero() || w.Before(when)) {
				next, when = t, w
			}
		}
		if when.IsZero() {
			r.now = until
			return
		}
		if when.After(r.now) {
			r.now = when
		}
		delete(r.timers, next)
		r.apply(0, r.state.Expired(next, r.now))
	}
}

func (r *rig) sortedTimers() []coordinator.Timer {
	list := make([]coordinator.Timer, 0, len(r.timers))
	for t := range r.timers {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b coordinator.Timer) int {
		return compareText(fmt.Sprint(a), fmt.Sprint(b))
	})
	return list
}

func compareText(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// restart drops the state and loads a new one from the log, as a broker does that becomes leader.
func (r *rig) restart() {
	r.t.Helper()
	r.state, r.timers, r.parked = r.replayed(), map[coordinator.Timer]time.Time{}, map[coordinator.Token]*call{}
	r.apply(0, r.state.Loaded(r.now))
}

// endTransaction writes a marker, as the transaction coordinator has it written.
func (r *rig) endTransaction(producerID int64, committed bool) {
	at := coordinator.Position{Offset: int64(len(r.log)), Timestamp: r.now.UnixMilli(), ProducerID: producerID, Transactional: true}
	r.log = append(r.log, logged{at: at, marker: true, committed: committed})
	r.state.EndTransaction(producerID, committed, at)
}

func (r *rig) replayed() *State {
	r.t.Helper()
	fresh := NewState(r.env, 0, r.image)
	for _, l := range r.log {
		if l.marker {
			fresh.EndTransaction(l.at.ProducerID, l.committed, l.at)
			continue
		}
		require.NoError(r.t, fresh.Replay(l.record, l.at))
	}
	return fresh
}

func (r *rig) checkReplay() {
	if !r.t.Failed() {
		require.Equal(r.t, r.state.hard(), r.replayed().hard(), "the log does not give the state that wrote it")
	}
}
