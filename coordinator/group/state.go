package group

import (
	"fmt"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// Environment is what all partitions of one node share.
type Environment struct {
	NodeID int32
	Config *config.File         // the node's own file
	UUID   func() protocol.UUID // member ids; safe for concurrent use
	Log    zerolog.Logger
}

// State is the state of one partition of __consumer_offsets. It implements coordinator.Machine.
type State struct {
	env       *Environment
	partition int32
	image     *metadata.Image
	view      config.View // of this broker, with dynamic values

	groups  map[string]Group
	offsets offsets

	topicIndex  topicIndex        // consumer groups by the topics that they subscribe to
	topicHashes map[string]uint64 // of topics, until they change; soft
	newTopicsAt int64             // offset of the newest image that brought topics; soft
}

// NewState returns the state of an empty partition.
func NewState(env *Environment, partition int32, img *metadata.Image) *State {
	s := &State{env: env, partition: partition, image: img, groups: map[string]Group{},
		topicIndex: topicIndex{}, topicHashes: map[string]uint64{}, newTopicsAt: img.Offset}
	s.offsets = newOffsets()
	s.configure()
	return s
}

func (s *State) configure() {
	s.view = config.BrokerView(s.env.Config, s.image.Configs.Broker(""), s.image.Configs.Broker(strconv.Itoa(int(s.env.NodeID))))
}

// Loaded implements coordinator.Machine.
func (s *State) Loaded(now time.Time) coordinator.Result {
	r := s.loadedOffsets(now)
	for _, id := range sortedKeys(s.groups) {
		switch g := s.groups[id].(type) {
		case *classicGroup:
			r = r.And(s.loadedClassic(g, now))
		case *consumerGroup:
			r = r.And(s.loadedConsumer(g, now))
		}
	}
	return r
}

// Expired implements coordinator.Machine.
func (s *State) Expired(t coordinator.Timer, now time.Time) coordinator.Result {
	switch t.Kind {
	case timerOffsetExpiry:
		return s.expireOffsets(now)
	case timerJoin, timerSync, timerPendingMember, timerClassicSession:
		return s.expiredClassic(t, now)
	case timerConsumerSession, timerConsumerRebalance, timerClassicJoin, timerClassicSync, timerRegexRefresh:
		return s.expiredConsumer(t, now)
	}
	panic(fmt.Sprintf("group: timer of kind %d", t.Kind))
}

// NewImage implements coordinator.Machine.
func (s *State) NewImage(img *metadata.Image, delta *metadata.Delta, now time.Time) coordinator.Result {
	s.image = img
	if len(delta.Configs().Changed()) > 0 {
		s.configure()
	}
	return s.imageForOffsets(delta, now).And(s.imageForConsumers(delta, now))
}
