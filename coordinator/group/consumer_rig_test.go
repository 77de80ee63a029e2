package group

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// hard is what records rebuild, for the rig's comparison.
func (g *consumerGroup) hard() string {
	var b strings.Builder
	fmt.Fprintf(&b, "consumer epoch=%d hash=%d target=%d@%d old=%v state=%s\n", g.epoch, g.metadataHash, g.targetEpoch, g.targetAt, g.oldMetadata, g.StateName())
	for _, id := range sortedKeys(g.members) {
		m := g.members[id]
		fmt.Fprintf(&b, "  member %s %d/%d state=%d instance=%s rack=%s %dms %s%s topics=%q regex=%q assignor=%s has=%v revokes=%v classic=%+v\n", id, m.epoch, m.previous, m.state,
			text(m.instance), text(m.rack), m.rebalanceMs, m.client, m.host, m.topics, m.pattern(), text(m.assignor), m.assigned, m.revoking, m.classic)
	}
	for _, id := range sortedKeys(g.target) {
		fmt.Fprintf(&b, "  target %s %v\n", id, g.target[id])
	}
	for _, p := range sortedKeys(g.resolved) {
		fmt.Fprintf(&b, "  regex %s %+v\n", p, *g.resolved[p])
	}
	fmt.Fprintf(&b, "  derived %v %v %v %v %d %v %v", g.instances, g.topics, g.patterns, g.assignors, g.classics, g.protocols, g.owners)
	return b.String()
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// consumer is a client of the consumer protocol: it knows what the last answers told it.
type consumer struct {
	r         *rig
	group, id string
	instance  *string
	topics    []string
	regex     *string
	assignor  *string
	timeoutMs int32
	epoch     int32
	version   int16
	has       map[partitionID]bool
	told      bool // an assignment was in an answer and is not taken over yet
	next      []kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic
	interval  int32
}

func (r *rig) consumer(group, id string, topics ...string) *consumer {
	return &consumer{r: r, group: group, id: id, topics: topics, timeoutMs: 300_000, version: 1, has: map[partitionID]bool{}}
}

func (c *consumer) request() *kmsg.ConsumerGroupHeartbeatRequest {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = c.version, c.group, c.id, c.epoch, c.instance
	req.RebalanceTimeoutMillis = -1
	if c.epoch == 0 {
		req.RebalanceTimeoutMillis, req.SubscribedTopicNames, req.SubscribedTopicRegex, req.ServerAssignor = c.timeoutMs, c.topics, c.regex, c.assignor
		if c.topics == nil && c.regex == nil {
			req.SubscribedTopicNames = []string{}
		}
		req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		return req
	}
	req.Topics = c.owned()
	return req
}

func (c *consumer) owned() []kmsg.ConsumerGroupHeartbeatRequestTopic {
	epochs := map[protocol.UUID]map[int32]int32{}
	for p := range c.has {
		if epochs[p.topic] == nil {
			epochs[p.topic] = map[int32]int32{}
		}
		epochs[p.topic][p.partition] = 0
	}
	list := []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, t := range holdingOf(epochs) {
		list = append(list, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: t.topic, Partitions: t.partitions})
	}
	return list
}

// beat sends a heartbeat and takes the answer in, which must be without error. What must be given up is given up at once.
func (c *consumer) beat() *kmsg.ConsumerGroupHeartbeatResponse {
	c.r.t.Helper()
	resp := c.send(c.request())
	require.Zero(c.r.t, resp.ErrorCode, "%s: %s", c.id, text(resp.ErrorMessage))
	c.take(resp)
	c.adopt()
	return resp
}

// take notes an answer; adopt does what it says.
func (c *consumer) take(resp *kmsg.ConsumerGroupHeartbeatResponse) {
	c.epoch, c.interval = resp.MemberEpoch, resp.HeartbeatIntervalMillis
	if resp.MemberID != nil {
		c.id = *resp.MemberID
	}
	if resp.Assignment != nil {
		c.told, c.next = true, resp.Assignment.Topics
	}
}

func (c *consumer) adopt() {
	if !c.told {
		return
	}
	c.told, c.has = false, map[partitionID]bool{}
	for _, t := range c.next {
		for _, p := range t.Partitions {
			c.has[partitionID{t.TopicID, p}] = true
		}
	}
}

func (c *consumer) send(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	c.r.t.Helper()
	return c.r.beat(req)
}

func (r *rig) beat(req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	r.t.Helper()
	if err := checkConsumerHeartbeat(req, []string{"uniform", "range"}); err != nil {
		return heartbeatRefused(req, err)
	}
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result {
		return s.consumerHeartbeat(t, Caller{ClientID: "client", Host: "/127.0.0.1"}, req)
	})
	require.NotNil(r.t, c.resp, "a heartbeat waits")
	return c.resp.(*kmsg.ConsumerGroupHeartbeatResponse)
}

// refused sends what must be refused, and says how.
func (c *consumer) refused(change func(*kmsg.ConsumerGroupHeartbeatRequest)) (code int16, message string) {
	c.r.t.Helper()
	req := c.request()
	if change != nil {
		change(req)
	}
	before, records := c.r.state.hard(), len(c.r.log)
	resp := c.send(req)
	require.NotZero(c.r.t, resp.ErrorCode)
	require.Equal(c.r.t, before, c.r.state.hard(), "a refusal changed something")
	require.Len(c.r.t, c.r.log, records)
	return resp.ErrorCode, text(resp.ErrorMessage)
}

func (c *consumer) leave() *kmsg.ConsumerGroupHeartbeatResponse {
	c.r.t.Helper()
	req := c.request()
	req.MemberEpoch, req.SubscribedTopicNames = epochLeave, nil
	resp := c.send(req)
	require.Zero(c.r.t, resp.ErrorCode, text(resp.ErrorMessage))
	c.has = map[partitionID]bool{}
	return resp
}

// holds lists a member's partitions as "a0 a1 b0".
func (c *consumer) holds() string {
	var list []string
	for p := range c.has {
		name, _, _ := strings.Cut(string(p.topic[:]), "\x00")
		list = append(list, fmt.Sprintf("%s%d", name, p.partition))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// settle lets members heartbeat in turn, a second apart, until nothing changes.
func (r *rig) settle848(members ...*consumer) {
	r.t.Helper()
	for range 50 {
		before := len(r.log)
		for _, m := range members {
			m.beat()
		}
		r.advance(time.Second)
		if len(r.log) == before {
			return
		}
	}
	r.t.Fatal("the group does not settle")
}

// trace lists the records written since a place in the log.
func (r *rig) trace(from int) []string {
	r.t.Helper()
	var out []string
	for _, l := range r.log[from:] {
		rec, err := record.Decode(l.record.Key, l.record.Value)
		require.NoError(r.t, err)
		out = append(out, describeRecord(rec))
	}
	return out
}

func describeRecord(rec record.Record) string {
	kind := strings.ToLower(strings.TrimPrefix(record.TypeName(rec.Type), "CONSUMER_GROUP_"))
	who := ""
	switch k := rec.Key.(type) {
	case *record.ConsumerGroupMemberMetadataKey:
		who = " " + k.MemberId
	case *record.ConsumerGroupTargetAssignmentMemberKey:
		who = " " + k.MemberId
	case *record.ConsumerGroupCurrentMemberAssignmentKey:
		who = " " + k.MemberId
	case *record.ConsumerGroupRegularExpressionKey:
		who = " " + k.RegularExpression
	}
	what := " -"
	switch v := rec.Value.(type) {
	case *record.ConsumerGroupMetadataValue:
		what = fmt.Sprintf(" epoch %d", v.Epoch)
	case *record.ConsumerGroupTargetAssignmentMetadataValue:
		what = fmt.Sprintf(" epoch %d", v.AssignmentEpoch)
	case *record.ConsumerGroupMemberMetadataValue:
		what = fmt.Sprintf(" %v", v.SubscribedTopicNames)
		if v.SubscribedTopicRegex != nil && *v.SubscribedTopicRegex != "" {
			what += " /" + *v.SubscribedTopicRegex + "/"
		}
		if v.ClassicMemberMetadata != nil {
			what += " classic"
		}
	case *record.ConsumerGroupTargetAssignmentMemberValue:
		what = ""
		for _, t := range v.TopicPartitions {
			name, _, _ := strings.Cut(string(t.TopicId[:]), "\x00")
			what += fmt.Sprintf(" %s%v", name, t.Partitions)
		}
	case *record.ConsumerGroupCurrentMemberAssignmentValue:
		what = fmt.Sprintf(" %d/%d state %d", v.MemberEpoch, v.PreviousMemberEpoch, v.State)
		for i, list := range [][]record.ConsumerGroupCurrentMemberAssignmentValueTopicPartitions{v.AssignedPartitions, v.PartitionsPendingRevocation} {
			for _, t := range list {
				name, _, _ := strings.Cut(string(t.TopicId[:]), "\x00")
				what += fmt.Sprintf("%s%s%v@%v", []string{" ", " revoke "}[i], name, t.Partitions, t.AssignmentEpochs)
			}
		}
	case *record.ConsumerGroupRegularExpressionValue:
		what = fmt.Sprintf(" %v", v.Topics)
	}
	return kind + who + what
}

func newConsumerRig(t *testing.T, properties map[string]string) *rig {
	t.Helper()
	r := newRig(t, properties)
	r.topics(map[string]int32{"a": 4})
	return r
}

func resultOf(records ...coordinator.Record) coordinator.Result {
	return coordinator.Result{Records: records}
}
