package controller

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// Bounds of what one request may write, as in Kafka.
const (
	maxRecordsPerRequest    = 10_000 // a request that needs more is refused
	maxPartitionsPerRequest = 10_000 // CreateTopics
	maxRecordsPerBatch      = 10_000 // a decision that need not be atomic is cut into batches of this size
)

// A State is what decisions look at. They change none of it.
type State struct {
	Image    *metadata.Image // the latest one: all that this controller has appended
	Sessions *Sessions
	Config   *config.File
	NodeID   int32
	Cluster  string // cluster id
	KRaft    int16  // level of kraft.version, the quorum's
	Now      time.Time
	Rand     *rand.Rand
	// NextOffset is where the first record of this decision will stand. A broker's epoch is made of it.
	NextOffset int64
}

// A Decision is what a request leads to. Without an error in the reply's place: records first, the reply once they are
// committed. A decision without records is answered when all that was appended before it is committed.
type Decision struct {
	Records []metadata.Record
	// Split allows several batches instead of one atomic one. The last record is the one that counts.
	Split  bool
	Reply  kmsg.Response
	excess bool // it had more records than one batch may have
	// Then changes soft state after the records were appended and replayed; last is the offset of the last one, or of
	// the last record of the log when there are none.
	Then func(last int64)
}

// tooLarge: the request asks for more than one batch and is refused whole (M2).
func (d Decision) tooLarge() bool {
	return d.excess || !d.Split && len(d.Records) > maxRecordsPerRequest
}

// onlyChecked drops the records of a request that only wants to know what would happen (ValidateOnly).
func (d *Decision) onlyChecked() { d.excess, d.Records = d.tooLarge(), nil }

// BrokerView is the configuration that the controller goes by: its own node's, over the cluster's defaults.
func (s *State) BrokerView() config.View {
	return config.BrokerView(s.Config, s.Image.Configs.Broker(""), s.Image.Configs.Broker(strconv.Itoa(int(s.NodeID))))
}

// TopicView is the configuration of a topic.
func (s *State) TopicView(name string) config.View {
	return config.TopicView(s.BrokerView(), s.Image.Configs.Topic(name))
}

// minISR is the number of replicas that must be in sync, at most the replication factor.
func (s *State) minISR(t *metadata.Topic) int {
	n := int(config.MinInsyncReplicas.Get(s.TopicView(t.Name)))
	if p := t.Partition(0); p != nil {
		n = min(n, len(p.Replicas))
	}
	return n
}

func (s *State) uncleanElection(topic string) bool {
	return config.UncleanLeaderElectionEnable.Get(s.TopicView(topic))
}

func (s *State) active(broker int32) bool { return s.Image.Brokers.Get(broker).Active() }
