package controller

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/cost"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

func (c *cluster) assigned(name string, replicas ...int32) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, newTopic(name, -1, -1, withReplicas(0, replicas...)))
	require.Zero(c.t, c.do(CreateTopics(&c.state, Call{}, req)).(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode)
}

func TestAlterPartitionIsFencedBothWays(t *testing.T) {
	c := newCluster(t).brokers(1, 2, 3)
	c.register(4, 4, 104, "") // fenced
	c.assigned("t", 1, 2, 3, 4)
	topic := c.state.Image.Topics.ByName("t")
	epoch := func(id int32) int64 { return c.state.Image.Brokers.Get(id).Epoch }
	for name, test := range map[string]struct {
		edit func(r *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition)
		top  *kerr.Error
		part *kerr.Error
	}{
		"stale broker epoch": {func(r *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) { r.BrokerEpoch-- }, kerr.StaleBrokerEpoch, nil},
		"unknown topic": {func(r *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) {
			r.Topics[0].TopicID = uid(99)
		}, nil, kerr.UnknownTopicID},
		"unknown partition":     {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { p.Partition = 9 }, nil, kerr.UnknownTopicOrPartition},
		"newer leader epoch":    {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { p.LeaderEpoch++ }, nil, kerr.NotController},
		"newer partition epoch": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { p.PartitionEpoch++ }, nil, kerr.NotController},
		"older leader epoch":    {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { p.LeaderEpoch-- }, nil, kerr.FencedLeaderEpoch},
		"older partition epoch": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) { p.PartitionEpoch-- }, nil, kerr.InvalidUpdateVersion},
		"not the leader": {func(r *kmsg.AlterPartitionRequest, _ *kmsg.AlterPartitionRequestTopicPartition) {
			r.BrokerID, r.BrokerEpoch = 2, epoch(2)
		}, nil, kerr.InvalidRequest},
		"without itself": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR[0].BrokerID = 3
		}, nil, kerr.InvalidRequest},
		"not a replica": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR[1].BrokerID = 7
		}, nil, kerr.InvalidRequest},
		"twice the same": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR[1] = p.NewEpochISR[0]
		}, nil, kerr.InvalidRequest},
		"a fenced one": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR[1] = kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: 4, BrokerEpoch: -1}
		}, nil, kerr.IneligibleReplica},
		"an old incarnation": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.NewEpochISR[1].BrokerEpoch--
		}, nil, kerr.IneligibleReplica},
		"recovering alone is not where it was": {func(_ *kmsg.AlterPartitionRequest, p *kmsg.AlterPartitionRequestTopicPartition) {
			p.LeaderRecoveryState, p.NewEpochISR = 1, p.NewEpochISR[:1]
		}, nil, kerr.InvalidRequest},
		"accepted": {func(*kmsg.AlterPartitionRequest, *kmsg.AlterPartitionRequestTopicPartition) {}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := kmsg.NewPtrAlterPartitionRequest()
			r.Version, r.BrokerID, r.BrokerEpoch = 3, 1, epoch(1)
			p := kmsg.NewAlterPartitionRequestTopicPartition()
			p.LeaderEpoch, p.PartitionEpoch = topic.Partitions[0].LeaderEpoch, topic.Partitions[0].PartitionEpoch
			p.NewEpochISR = []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 1, BrokerEpoch: epoch(1)}, {BrokerID: 2, BrokerEpoch: epoch(2)}}
			r.Topics = []kmsg.AlterPartitionRequestTopic{{TopicID: topic.ID, Partitions: []kmsg.AlterPartitionRequestTopicPartition{p}}}
			test.edit(r, &r.Topics[0].Partitions[0])
			d := AlterPartition(&c.state, r)
			resp := d.Reply.(*kmsg.AlterPartitionResponse)
			if test.top != nil {
				require.Equal(t, test.top.Code, resp.ErrorCode)
				return
			}
			out := resp.Topics[0].Partitions[0]
			if test.part != nil {
				require.Equal(t, test.part.Code, out.ErrorCode)
				require.Empty(t, d.Records)
				return
			}
			require.Zero(t, out.ErrorCode)
			require.Equal(t, []int32{1, 2}, out.ISR)
			require.Equal(t, topic.Partitions[0].PartitionEpoch+1, out.PartitionEpoch)
			require.Equal(t, topic.Partitions[0].LeaderEpoch, out.LeaderEpoch)
			require.Len(t, d.Records, 1)
		})
	}
}

func TestPreferredElections(t *testing.T) {
	c := newCluster(t).brokers(1, 2)
	c.assigned("a", 1, 2)
	c.assigned("b", 2, 1)
	c.do(ExpireSession(&c.state, 1))
	require.Equal(t, int32(2), c.partition("a", 0).Leader)
	c.register(1, 11, 101, "")
	c.beat(1, func(*kmsg.BrokerHeartbeatRequest) {})
	d, more := PreferredElections(&c.state)
	require.Empty(t, d.Records, "broker 1 is not in the ISR: only ISR members are preferred leaders (M5)")
	require.False(t, more)
	require.Zero(t, c.alterISR("a", 2, []int32{2, 1}))

	elect := func(kind int8, topics []kmsg.ElectLeadersRequestTopic) *kmsg.ElectLeadersResponse {
		r := kmsg.NewPtrElectLeadersRequest()
		r.Version, r.ElectionType, r.Topics = 2, kind, topics
		return c.do(ElectLeaders(&c.state, r)).(*kmsg.ElectLeadersResponse)
	}
	resp := elect(1, []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: []int32{0, 5}}, {Topic: "nope", Partitions: []int32{0}}})
	require.Equal(t, kerr.ElectionNotNeeded.Code, resp.Topics[0].Partitions[0].ErrorCode)
	require.Equal(t, "No such partition as a-5", *resp.Topics[0].Partitions[1].ErrorMessage)
	require.Equal(t, "No such topic as nope", *resp.Topics[1].Partitions[0].ErrorMessage)
	resp = elect(0, nil)
	require.Len(t, resp.Topics, 2)
	require.Zero(t, resp.Topics[0].Partitions[0].ErrorCode)
	require.Empty(t, resp.Topics[1].Partitions, "those that lead already are not listed when all were asked for")
	require.Equal(t, int32(1), c.partition("a", 0).Leader)
	require.Equal(t, kerr.InvalidRequest.Code, elect(7, nil).ErrorCode)
	require.Equal(t, kerr.InvalidRequest.Code, elect(7, []kmsg.ElectLeadersRequestTopic{{Topic: "a"}}).ErrorCode)
	require.Zero(t, elect(7, []kmsg.ElectLeadersRequestTopic{}).ErrorCode, "nothing is asked, nothing is wrong")
}

// A partition reassigned from [1 2 3] to [4]: it ends when 4 is in sync, and the leader epoch rises.
func TestReassignmentEndsWhenTheTargetIsInSync(t *testing.T) {
	c := newCluster(t).brokers(1, 2, 3, 4)
	c.assigned("t", 1, 2, 3)
	topic := c.state.Image.Topics.ByName("t")
	r := metadata.NewPartitionChangeRecord()
	r.PartitionId, r.TopicId, r.Replicas, r.AddingReplicas, r.RemovingReplicas = 0, topic.ID, []int32{4, 1, 2, 3}, []int32{4}, []int32{1, 2, 3}
	r.Directories = []protocol.UUID{uid(204), uid(201), uid(202), uid(203)}
	c.write(r)
	list := ListPartitionReassignments(c.state.Image, kmsg.NewPtrListPartitionReassignmentsRequest())
	require.Len(t, list.Topics, 1)
	require.Equal(t, []int32{4}, list.Topics[0].Partitions[0].AddingReplicas)
	require.Equal(t, kerr.NewLeaderElected.Code, c.alterISR("t", 1, []int32{1, 2, 3, 4}))
	p := c.partition("t", 0)
	require.Equal(t, []int32{4}, p.Replicas)
	require.Equal(t, []int32{4}, p.ISR)
	require.Equal(t, int32(4), p.Leader)
	require.Equal(t, []protocol.UUID{uid(204)}, p.Directories)
	require.False(t, p.Reassigning())
	require.Empty(t, ListPartitionReassignments(c.state.Image, kmsg.NewPtrListPartitionReassignmentsRequest()).Topics)
}

func TestAssignReplicasToDirs(t *testing.T) {
	c := newCluster(t)
	req := registration(1, 1)
	req.LogDirs = [][16]byte{uid(201), uid(210)}
	c.do(RegisterBroker(&c.state, Call{Connection: 101}, req))
	c.beat(1, func(*kmsg.BrokerHeartbeatRequest) {})
	c.createTopic("t", 2, 1)
	require.Equal(t, metadata.DirectoryUnassigned, c.partition("t", 0).Directories[0])
	topic := c.state.Image.Topics.ByName("t")
	assign := func(dir, topic protocol.UUID, index int32, epoch int64) (top, part int16) {
		r := kmsg.NewPtrAssignReplicasToDirsRequest()
		r.BrokerID, r.BrokerEpoch = 1, epoch
		r.Directories = []kmsg.AssignReplicasToDirsRequestDirectory{{ID: dir, Topics: []kmsg.AssignReplicasToDirsRequestDirectoryTopic{{TopicID: topic,
			Partitions: []kmsg.AssignReplicasToDirsRequestDirectoryTopicPartition{{Partition: index}}}}}}
		resp := c.do(AssignReplicasToDirs(&c.state, r)).(*kmsg.AssignReplicasToDirsResponse)
		if resp.ErrorCode != 0 {
			return resp.ErrorCode, 0
		}
		return 0, resp.Directories[0].Topics[0].Partitions[0].ErrorCode
	}
	epoch := c.state.Image.Brokers.Get(1).Epoch
	_, part := assign(uid(210), topic.ID, 0, epoch)
	require.Zero(t, part)
	require.Equal(t, uid(210), c.partition("t", 0).Directories[0])
	require.Equal(t, int32(0), c.partition("t", 0).LeaderEpoch)
	top, _ := assign(uid(210), topic.ID, 0, epoch+1)
	require.Equal(t, kerr.StaleBrokerEpoch.Code, top)
	_, part = assign(uid(210), uid(99), 0, epoch)
	require.Equal(t, kerr.UnknownTopicID.Code, part)
	_, part = assign(uid(210), topic.ID, 9, epoch)
	require.Equal(t, kerr.UnknownTopicOrPartition.Code, part)
	_, part = assign(metadata.DirectoryLost, topic.ID, 1, epoch)
	require.Zero(t, part)
	require.Equal(t, int32(-1), c.partition("t", 1).Leader, "a replica in a lost directory leads no more")
}

func TestDescribeCluster(t *testing.T) {
	c := newCluster(t)
	r := kmsg.NewPtrControllerRegistrationRequest()
	r.ControllerID, r.IncarnationID = 1, uid(1)
	r.Listeners = []kmsg.ControllerRegistrationRequestListener{{Name: "CONTROLLER", Host: "h", Port: 9093}}
	c.do(RegisterController(&c.state, r))
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 2, 2
	resp := DescribeCluster(c.state.Image, "c", 1, "CONTROLLER", req)
	require.Equal(t, int32(1), resp.ControllerID)
	require.Equal(t, "h", resp.Brokers[0].Host)
	require.Equal(t, int32(-1), DescribeCluster(c.state.Image, "c", 2, "CONTROLLER", req).ControllerID, "one that is not registered is not named")
	req.EndpointType = 1
	resp = DescribeCluster(c.state.Image, "c", 1, "CONTROLLER", req)
	require.Equal(t, kerr.MismatchedEndpointType.Code, resp.ErrorCode)
	req.EndpointType = 9
	require.Equal(t, kerr.UnsupportedEndpointType.Code, DescribeCluster(c.state.Image, "c", 1, "CONTROLLER", req).ErrorCode)
}

func FuzzParseVoters(f *testing.F) {
	f.Add("1@127.0.0.1:19261:JEXY6aqzQY-32P5TStzaFg,2@[::1]:8083:MvDxzVmcRsaTz33bUuRU6A")
	f.Add("1@[")
	f.Fuzz(func(t *testing.T, s string) {
		cost.Bounded(t, len(s), 64<<10, func() { _, _ = parseVoters(s, "C") })
		voters, err := parseVoters(s, "C")
		if err == nil && len(voters) == 0 {
			t.Fatal("neither voters nor an error")
		}
	})
}

func FuzzScramArguments(f *testing.F) {
	f.Add(`SCRAM-SHA-256=[name=alice,saltedpassword="YWJj",salt="c2FsdA=="]`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "password=") && !strings.Contains(s, "saltedpassword=") {
			return // slow on purpose
		}
		rng := newCluster(t).state.Rand
		cost.Bounded(t, len(s), 64<<10, func() { _, _ = scramRecord(s, rng) })
		r, err := scramRecord(s, rng)
		if (r == nil) == (err == nil) {
			t.Fatal("neither a record nor an error")
		}
	})
}

func BenchmarkFenceAmongTenThousandTopics(b *testing.B) {
	c := newCluster(b).brokers(1, 2)
	for i := range 10_000 {
		c.write(&metadata.TopicRecord{Name: fmt.Sprint("t", i), TopicId: protocol.RandomUUID(c.state.Rand)})
	}
	for _, t := range c.state.Image.Topics.Sorted() {
		c.write(&metadata.PartitionRecord{TopicId: t.ID, Replicas: []int32{1, 2}, Isr: []int32{1, 2}, Leader: 1, Directories: []protocol.UUID{uid(201), uid(202)}})
	}
	broker := c.state.Image.Brokers.Get(1)
	b.ReportAllocs()
	for b.Loop() {
		if n := len(c.state.fence(broker)); n != 10_001 {
			b.Fatal(n)
		}
	}
}
