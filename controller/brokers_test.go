package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The scripts in testdata/brokers tell stories of brokers that come and go. Verbs:
//
//	cluster [elr=off]                     a new controller on an empty log
//	wait ms=N                             time passes
//	register id=N incarnation=N conn=N [previous=N]
//	beat id=N [fence] [stop] [behind] [epoch=N] [conn=N] [offline]
//	closed conn=N                         a connection is reset
//	expire                                sessions that ran out
//	failover                              another controller takes over
//	topic name=X partitions=N factor=N
//	assigned name=X replicas=1,2,3        a topic of one partition
//	isr topic=X leader=N isr=1,2          AlterPartition by the leader
//	min topic=X value=N
//	unclean topic=X                       unclean.leader.election.enable=true
//	unregister id=N
//	state                                 brokers and partitions
func TestBrokerStories(t *testing.T) {
	datadriven.Walk(t, "testdata/brokers", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				c = newCluster(t)
				if d.HasArg("elr") {
					r := kmsg.NewPtrUpdateFeaturesRequest()
					r.Version = 1
					r.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "eligible.leader.replicas.version", MaxVersionLevel: 0, UpgradeType: 2}}
					c.do(UpdateFeatures(&c.state, r))
				}
				return ""
			}
			return c.story(t, d)
		})
	})
}

func (c *cluster) story(t *testing.T, d *datadriven.TestData) string {
	num := func(name string, or int) int {
		if d.HasArg(name) {
			d.ScanArgs(t, name, &or)
		}
		return or
	}
	str := func(name string) (s string) {
		d.ScanArgs(t, name, &s)
		return s
	}
	code := func(n int16) string {
		if n == 0 {
			return "ok"
		}
		return kerr.ErrorForCode(n).(*kerr.Error).Message
	}
	c.last = nil
	out := ""
	switch d.Cmd {
	case "wait":
		c.state.Now = c.state.Now.Add(time.Duration(num("ms", 0)) * time.Millisecond)
		return ""
	case "register":
		id := int32(num("id", 0))
		r := registration(id, num("incarnation", int(id)))
		r.PreviousBrokerEpoch = int64(num("previous", -1))
		resp := c.do(RegisterBroker(&c.state, Call{Connection: uint64(num("conn", 0))}, r)).(*kmsg.BrokerRegistrationResponse)
		out = fmt.Sprintf("%s epoch=%d\n", code(resp.ErrorCode), resp.BrokerEpoch)
	case "beat":
		id := int32(num("id", 0))
		r := kmsg.NewPtrBrokerHeartbeatRequest()
		r.Version, r.BrokerID, r.CurrentMetadataOffset, r.WantFence, r.WantShutdown = 1, id, c.state.NextOffset-1, d.HasArg("fence"), d.HasArg("stop")
		if b := c.state.Image.Brokers.Get(id); b != nil {
			r.BrokerEpoch = b.Epoch
		}
		r.BrokerEpoch = int64(num("epoch", int(r.BrokerEpoch)))
		if d.HasArg("behind") {
			r.CurrentMetadataOffset = 0
		}
		if d.HasArg("offline") {
			r.OfflineLogDirs = [][16]byte{uid(200 + int(id))}
		}
		resp := c.do(Heartbeat(&c.state, Call{Connection: uint64(num("conn", 100+int(id)))}, r)).(*kmsg.BrokerHeartbeatResponse)
		out = fmt.Sprintf("%s caught-up=%t fenced=%t stop=%t\n", code(resp.ErrorCode), resp.IsCaughtUp, resp.IsFenced, resp.ShouldShutdown)
	case "closed":
		for _, id := range c.state.Sessions.onConnection(uint64(num("conn", 0))) {
			c.do(ExpireSession(&c.state, id))
			out += show(c.last, c.state.Image)
		}
		return out
	case "expire":
		for _, id := range c.state.Sessions.expired(c.state.Now) {
			c.do(ExpireSession(&c.state, id))
			out += show(c.last, c.state.Image)
		}
		return out
	case "failover":
		c.state.Sessions = NewSessions(9*time.Second, c.state.Image, c.state.Now)
		return ""
	case "topic":
		resp := c.createTopic(str("name"), int32(num("partitions", 1)), int16(num("factor", 1)))
		return code(resp.ErrorCode) + "\n"
	case "assigned":
		r := kmsg.NewPtrCreateTopicsRequest()
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = str("name"), -1, -1
		topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Replicas: ids(str("replicas"))}}
		r.Topics = append(r.Topics, topic)
		return code(c.do(CreateTopics(&c.state, Call{}, r)).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode) + "\n"
	case "isr":
		resp := c.alterISR(str("topic"), int32(num("leader", 0)), ids(str("isr")))
		out = code(resp) + "\n"
	case "min", "unclean":
		r := kmsg.NewPtrIncrementalAlterConfigsRequest()
		name, value := "min.insync.replicas", fmt.Sprint(num("value", 1))
		if d.Cmd == "unclean" {
			name, value = "unclean.leader.election.enable", "true"
		}
		r.Resources = []kmsg.IncrementalAlterConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: str("topic"),
			Configs: []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: name, Value: &value}}}}
		resp := c.do(IncrementalAlterConfigs(&c.state, Call{}, r)).(*kmsg.IncrementalAlterConfigsResponse)
		return code(resp.Resources[0].ErrorCode) + "\n"
	case "unregister":
		r := kmsg.NewPtrUnregisterBrokerRequest()
		r.BrokerID = int32(num("id", 0))
		resp := c.do(UnregisterBroker(&c.state, r)).(*kmsg.UnregisterBrokerResponse)
		out = code(resp.ErrorCode) + "\n"
	case "state":
		for b := range c.state.Image.Brokers.All() {
			out += fmt.Sprintf("broker %d epoch=%d fenced=%t leaving=%t\n", b.ID, b.Epoch, b.Fenced, b.InControlledShutdown)
		}
		for _, t := range c.state.Image.Topics.Sorted() {
			for i, p := range t.Partitions {
				out += fmt.Sprintf("%s-%d leader=%d/%d replicas=%v isr=%v elr=%v last=%v recovery=%d\n", t.Name, i, p.Leader, p.LeaderEpoch, p.Replicas, p.ISR, p.ELR, p.LastKnownELR, p.LeaderRecoveryState)
			}
		}
		return out
	default:
		t.Fatalf("unknown verb %s", d.Cmd)
	}
	return out + show(c.last, c.state.Image)
}

func ids(s string) (list []int32) {
	for _, part := range strings.Split(s, "/") {
		var n int32
		fmt.Sscan(part, &n)
		list = append(list, n)
	}
	return list
}

func (c *cluster) alterISR(topic string, leader int32, isr []int32) int16 {
	t := c.state.Image.Topics.ByName(topic)
	r := kmsg.NewPtrAlterPartitionRequest()
	r.Version, r.BrokerID = 3, leader
	if b := c.state.Image.Brokers.Get(leader); b != nil {
		r.BrokerEpoch = b.Epoch
	}
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.LeaderEpoch, p.PartitionEpoch = t.Partitions[0].LeaderEpoch, t.Partitions[0].PartitionEpoch
	for _, id := range isr {
		b := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		b.BrokerID, b.BrokerEpoch = id, -1
		p.NewEpochISR = append(p.NewEpochISR, b)
	}
	r.Topics = []kmsg.AlterPartitionRequestTopic{{TopicID: t.ID, Partitions: []kmsg.AlterPartitionRequestTopicPartition{p}}}
	return c.do(AlterPartition(&c.state, r)).(*kmsg.AlterPartitionResponse).Topics[0].Partitions[0].ErrorCode
}

func TestRegistrationIsRefusedAsInKafka(t *testing.T) {
	c := newCluster(t).brokers(1)
	for name, test := range map[string]struct {
		edit func(*kmsg.BrokerRegistrationRequest)
		want *kerr.Error
	}{
		"another cluster":            {func(r *kmsg.BrokerRegistrationRequest) { r.ClusterID = "x" }, kerr.InconsistentClusterID},
		"a broker of ZooKeeper":      {func(r *kmsg.BrokerRegistrationRequest) { r.IsMigratingZkBroker = true }, kerr.BrokerIDNotRegistered},
		"no directories":             {func(r *kmsg.BrokerRegistrationRequest) { r.LogDirs = nil }, kerr.InvalidRegistration},
		"a reserved directory":       {func(r *kmsg.BrokerRegistrationRequest) { r.LogDirs = [][16]byte{{15: 7}} }, kerr.InvalidRegistration},
		"a directory twice":          {func(r *kmsg.BrokerRegistrationRequest) { r.LogDirs = [][16]byte{uid(1), uid(1)} }, kerr.InvalidRegistration},
		"another broker's directory": {func(r *kmsg.BrokerRegistrationRequest) { r.LogDirs = [][16]byte{uid(201)} }, kerr.InvalidRegistration},
		"no metadata.version":        {func(r *kmsg.BrokerRegistrationRequest) { r.Features = nil }, kerr.UnsupportedVersion},
		"too old for the level": {func(r *kmsg.BrokerRegistrationRequest) {
			for i := range r.Features {
				if r.Features[i].Name == "metadata.version" {
					r.Features[i].MaxSupportedVersion = 30
				}
			}
		}, kerr.UnsupportedVersion},
		"unknown protocol": {func(r *kmsg.BrokerRegistrationRequest) { r.Listeners[0].SecurityProtocol = 9 }, kerr.UnknownServerError},
	} {
		r := registration(2, 2)
		test.edit(r)
		d := RegisterBroker(&c.state, Call{}, r)
		require.Empty(t, d.Records, name)
		resp := d.Reply.(*kmsg.BrokerRegistrationResponse)
		if name == "no metadata.version" {
			require.Contains(t, []int16{kerr.InvalidRegistration.Code, kerr.UnsupportedVersion.Code}, resp.ErrorCode)
			continue
		}
		require.Equal(t, test.want.Code, resp.ErrorCode, name)
		require.Equal(t, int64(-1), resp.BrokerEpoch, name)
	}
}

func TestProducerIDBlocks(t *testing.T) {
	c := newCluster(t).brokers(1)
	ask := func(epoch int64) *kmsg.AllocateProducerIDsResponse {
		r := kmsg.NewPtrAllocateProducerIDsRequest()
		r.BrokerID, r.BrokerEpoch = 1, epoch
		return c.do(AllocateProducerIDs(&c.state, r)).(*kmsg.AllocateProducerIDsResponse)
	}
	epoch := c.state.Image.Brokers.Get(1).Epoch
	for i := range int64(3) {
		resp := ask(epoch)
		require.Equal(t, i*1000, resp.ProducerIDStart)
		require.Equal(t, int32(1000), resp.ProducerIDLen)
	}
	require.Equal(t, kerr.StaleBrokerEpoch.Code, ask(epoch-1).ErrorCode)
	require.Equal(t, int64(3000), c.state.Image.ProducerIDs.Next)
}
