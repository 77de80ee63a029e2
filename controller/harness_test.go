package controller

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// A cluster under test: an image that decisions are replayed onto, as the loop does it.
type cluster struct {
	t     testing.TB
	state State
	last  []metadata.Record // records of the last decision
}

func uid(n int) (u protocol.UUID) {
	u[0], u[6], u[8], u[15] = byte(n), 0x40, 0x80, 1
	return u
}

func ptr[T any](v T) *T { return &v }

func properties(t testing.TB, more ...string) *config.File {
	m := map[string]string{"process.roles": "broker,controller", "node.id": "1", "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
		"controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "127.0.0.1:9093", "log.dirs": "/data"}
	for i := 0; i < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	f, err := config.NewStatic(m)
	require.NoError(t, err)
	return f
}

func newCluster(t testing.TB, more ...string) *cluster {
	c := &cluster{t: t, state: State{Image: metadata.Empty(), Config: properties(t, more...), NodeID: 1, Cluster: "c", KRaft: 1,
		Now: time.Unix(1000, 0), Rand: rand.New(rand.NewPCG(1, 2))}}
	c.write(activate(c.state.Image, false, nil, c.state.Config)...)
	c.state.Sessions = NewSessions(9*time.Second, c.state.Image, c.state.Now)
	return c
}

// write replays records as one batch.
func (c *cluster) write(records ...metadata.Record) {
	d := metadata.NewDelta(c.state.Image)
	for i, r := range records {
		switch r.(type) {
		case *metadata.BeginTransactionRecord, *metadata.EndTransactionRecord:
			continue
		}
		// What goes through the codec is what other nodes see.
		r, _, err := metadata.ParseRecord(metadata.AppendRecord(nil, r, c.state.Image.Level().RecordVersion(r)))
		require.NoError(c.t, err)
		require.NoError(c.t, d.Replay(c.state.NextOffset+int64(i), 1, r))
	}
	c.state.NextOffset += int64(len(records))
	d.At(c.state.NextOffset-1, 1, 0)
	c.state.Image = d.Apply()
}

// do carries a decision out.
func (c *cluster) do(d Decision) kmsg.Response {
	c.last = d.Records
	if len(d.Records) > 0 {
		c.write(d.Records...)
	}
	if d.Then != nil {
		d.Then(c.state.NextOffset - 1)
	}
	return d.Reply
}

// brokers registers and unfences brokers; conn is 100 + id.
func (c *cluster) brokers(ids ...int32) *cluster {
	for _, id := range ids {
		c.register(id, int(id), uint64(100+id), "")
		c.beat(id, func(*kmsg.BrokerHeartbeatRequest) {})
		require.False(c.t, c.state.Image.Brokers.Get(id).Fenced)
	}
	return c
}

func registration(id int32, incarnation int) *kmsg.BrokerRegistrationRequest {
	r := kmsg.NewPtrBrokerRegistrationRequest()
	r.Version, r.BrokerID, r.ClusterID, r.IncarnationID = 4, id, "c", uid(incarnation)
	r.PreviousBrokerEpoch = -1
	r.LogDirs = [][16]byte{uid(200 + int(id))}
	r.Listeners = []kmsg.BrokerRegistrationRequestListener{{Name: "PLAINTEXT", Host: "h", Port: uint16(9000 + id)}}
	for name, v := range metadata.SupportedFeatures() {
		r.Features = append(r.Features, kmsg.BrokerRegistrationRequestFeature{Name: name, MinSupportedVersion: v.Min, MaxSupportedVersion: v.Max})
	}
	slices.SortFunc(r.Features, func(a, b kmsg.BrokerRegistrationRequestFeature) int { return strings.Compare(a.Name, b.Name) })
	return r
}

func (c *cluster) register(id int32, incarnation int, conn uint64, rack string) *kmsg.BrokerRegistrationResponse {
	r := registration(id, incarnation)
	if rack != "" {
		r.Rack = &rack
	}
	return c.do(RegisterBroker(&c.state, Call{Connection: conn}, r)).(*kmsg.BrokerRegistrationResponse)
}

func (c *cluster) beat(id int32, edit func(*kmsg.BrokerHeartbeatRequest)) *kmsg.BrokerHeartbeatResponse {
	r := kmsg.NewPtrBrokerHeartbeatRequest()
	r.Version, r.BrokerID, r.CurrentMetadataOffset = 2, id, c.state.NextOffset-1
	if b := c.state.Image.Brokers.Get(id); b != nil {
		r.BrokerEpoch = b.Epoch
	}
	r.CordonedLogDirs = [][16]byte{}
	edit(r)
	return c.do(Heartbeat(&c.state, Call{Connection: uint64(100 + id)}, r)).(*kmsg.BrokerHeartbeatResponse)
}

func (c *cluster) createTopic(name string, partitions int32, factor int16) *kmsg.CreateTopicsResponseTopic {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version = 7
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, factor
	r.Topics = append(r.Topics, t)
	return &c.do(CreateTopics(&c.state, Call{}, r)).(*kmsg.CreateTopicsResponse).Topics[0]
}

func (c *cluster) partition(topic string, i int32) *metadata.Partition {
	return c.state.Image.Topics.ByName(topic).Partition(i)
}

// show prints records as a script expects them.
func show(records []metadata.Record, img *metadata.Image) string {
	var b strings.Builder
	name := func(id protocol.UUID) string {
		if t := img.Topics.ByID(id); t != nil {
			return t.Name
		}
		return id.String()
	}
	for _, r := range records {
		switch r := r.(type) {
		case *metadata.RegisterBrokerRecord:
			fmt.Fprintf(&b, "RegisterBroker %d epoch=%d fenced=%t leaving=%t\n", r.BrokerId, r.BrokerEpoch, r.Fenced, r.InControlledShutdown)
		case *metadata.BrokerRegistrationChangeRecord:
			fmt.Fprintf(&b, "BrokerRegistrationChange %d epoch=%d", r.BrokerId, r.BrokerEpoch)
			if r.Fenced != 0 {
				fmt.Fprintf(&b, " fenced=%d", r.Fenced)
			}
			if r.InControlledShutdown != 0 {
				fmt.Fprintf(&b, " leaving")
			}
			if len(r.LogDirs) > 0 {
				fmt.Fprintf(&b, " dirs=%d", len(r.LogDirs))
			}
			if r.CordonedLogDirs != nil {
				fmt.Fprintf(&b, " cordoned=%d", len(r.CordonedLogDirs))
			}
			b.WriteString("\n")
		case *metadata.UnregisterBrokerRecord:
			fmt.Fprintf(&b, "UnregisterBroker %d epoch=%d\n", r.BrokerId, r.BrokerEpoch)
		case *metadata.PartitionChangeRecord:
			fmt.Fprintf(&b, "PartitionChange %s-%d", name(r.TopicId), r.PartitionId)
			if r.Leader != metadata.NoLeaderChange {
				fmt.Fprintf(&b, " leader=%d", r.Leader)
			}
			for _, l := range []struct {
				name string
				ids  []int32
			}{{"isr", r.Isr}, {"elr", r.EligibleLeaderReplicas}, {"last", r.LastKnownElr}, {"replicas", r.Replicas}, {"adding", r.AddingReplicas}, {"removing", r.RemovingReplicas}} {
				if l.ids != nil {
					fmt.Fprintf(&b, " %s=%v", l.name, l.ids)
				}
			}
			if r.LeaderRecoveryState != metadata.NoRecoveryChange {
				fmt.Fprintf(&b, " recovery=%d", r.LeaderRecoveryState)
			}
			if r.Directories != nil {
				fmt.Fprintf(&b, " dirs=%d", len(r.Directories))
			}
			b.WriteString("\n")
		default:
			fmt.Fprintf(&b, "%T\n", r)
		}
	}
	return b.String()
}
