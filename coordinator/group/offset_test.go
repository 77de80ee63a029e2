package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/coordinator/group/record"
	"github.com/dohle-io/dohle/protocol"
)

// commitOf is a request of a simple consumer of group g; offsets are by topic and partition.
func commitOf(version int16, group string, offsets map[string]map[int32]int64) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.Generation = version, group, -1
	for _, topic := range sortedKeys(offsets) {
		t := kmsg.OffsetCommitRequestTopic{Topic: topic, TopicID: topicID(topic)}
		for _, p := range sortedKeys(offsets[topic]) {
			part := kmsg.NewOffsetCommitRequestTopicPartition()
			part.Partition, part.Offset, part.LeaderEpoch = p, offsets[topic][p], 4
			t.Partitions = append(t.Partitions, part)
		}
		req.Topics = append(req.Topics, t)
	}
	return req
}

// commit sends a commit and returns the codes by "topic-partition".
func (r *rig) commit(req *kmsg.OffsetCommitRequest) map[string]int16 {
	r.t.Helper()
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.offsetCommit(t, req) })
	require.NotNil(r.t, c.resp)
	out := map[string]int16{}
	for _, t := range c.resp.(*kmsg.OffsetCommitResponse).Topics {
		for _, p := range t.Partitions {
			out[fmt.Sprintf("%s-%d", t.Topic, p.Partition)] = p.ErrorCode
		}
	}
	return out
}

// committed commits one offset of topic "a" partition 0 and expects success.
func (r *rig) committed(group string, value int64) {
	r.t.Helper()
	require.Equal(r.t, map[string]int16{"a-0": 0}, r.commit(commitOf(9, group, map[string]map[int32]int64{"a": {0: value}})))
}

// commitInTransaction writes the record of a transactional commit, as the transaction coordinator's request does.
func (r *rig) commitInTransaction(producer int64, group, topic string, partition int32, value int64) {
	r.t.Helper()
	r.ask(func(*State, coordinator.Turn) coordinator.Result {
		v := record.NewOffsetCommitValue()
		v.Offset, v.CommitTimestamp = value, r.now.UnixMilli()
		return coordinator.Result{Transactional: true, ProducerID: producer,
			Records: []coordinator.Record{encode(&record.OffsetCommitKey{Group: group, Topic: topic, Partition: partition}, v)}}
	})
}

// fetch asks for topics' partitions 0, or for all when none is named, and returns what came by "topic-partition".
func (r *rig) fetch(stable bool, group string, topics ...string) map[string]string {
	r.t.Helper()
	req := kmsg.NewOffsetFetchRequestGroup()
	req.Group = group
	for _, topic := range topics {
		req.Topics = append(req.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: topic, Partitions: []int32{0}})
	}
	return fetchedText(r.fetchGroup(9, stable, &req))
}

func (r *rig) fetchGroup(version int16, stable bool, req *kmsg.OffsetFetchRequestGroup) kmsg.OffsetFetchResponseGroup {
	r.t.Helper()
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result {
		return t.Answer(&kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{s.offsetFetch(version, stable, req, new(answerRoom(maxAnswer)))}})
	})
	return c.resp.(*kmsg.OffsetFetchResponse).Groups[0]
}

func fetchedText(g kmsg.OffsetFetchResponseGroup) map[string]string {
	out := map[string]string{}
	if g.ErrorCode != 0 {
		out["error"] = kerr.ErrorForCode(g.ErrorCode).Error()
	}
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			text := fmt.Sprintf("%d epoch %d %q", p.Offset, p.LeaderEpoch, *p.Metadata)
			if p.ErrorCode != 0 {
				text = kerr.TypedErrorForCode(p.ErrorCode).Message
			}
			out[fmt.Sprintf("%s-%d", t.Topic, p.Partition)] = text
		}
	}
	return out
}

func TestSimpleConsumersCommitMakesAGroup(t *testing.T) {
	r := newRig(t, nil)
	assert.Equal(t, map[string]int16{"a-0": 0, "a-3": 0, "b-1": 0}, r.commit(commitOf(9, "g", map[string]map[int32]int64{"a": {0: 5, 3: 8}, "b": {1: 2}})))
	assert.Equal(t, map[string]string{"a-0": `5 epoch 4 ""`, "a-3": `8 epoch 4 ""`, "b-1": `2 epoch 4 ""`}, r.fetch(true, "g"))
	g := r.state.groups["g"]
	require.NotNil(t, g)
	assert.Equal(t, []any{"g", KindClassic, "Empty", "", true}, []any{g.ID(), g.Kind(), g.StateName(), g.ProtocolType(), g.Empty()})
	r.restart()
	assert.Equal(t, map[string]string{"a-0": `5 epoch 4 ""`, "c-0": `-1 epoch -1 ""`}, r.fetch(false, "g", "a", "c"))
	assert.Equal(t, map[string]string{"a-0": `-1 epoch -1 ""`}, r.fetch(true, "unknown", "a"), "a group that does not exist has no offsets, and that is no error")
	assert.Empty(t, r.fetch(true, "unknown"))
	r.committed("", 3)
	assert.Equal(t, map[string]string{"a-0": `3 epoch 4 ""`}, r.fetch(false, ""), "the empty group id is allowed")
}

// G5: whoever names a generation must be a member of a group that exists.
func TestMembersCommitOfAnUnknownGroup(t *testing.T) {
	r := newRig(t, nil)
	for version, code := range map[int16]int16{8: kerr.IllegalGeneration.Code, 9: kerr.GroupIDNotFound.Code, 10: kerr.GroupIDNotFound.Code} {
		req := commitOf(version, "g", map[string]map[int32]int64{"a": {0: 5}})
		req.Generation, req.MemberID = 1, "m"
		assert.Equal(t, map[string]int16{"a-0": code}, r.commit(req), "v%d", version)
	}
	assert.Empty(t, r.log)
	r.committed("g", 1)
	req := commitOf(9, "g", map[string]map[int32]int64{"a": {0: 5}})
	req.Generation, req.MemberID = 1, "m"
	assert.Equal(t, map[string]int16{"a-0": kerr.UnknownMemberID.Code}, r.commit(req))
}

func TestMetadataIsBoundedInJavasCharacters(t *testing.T) {
	r := newRig(t, map[string]string{"offset.metadata.max.bytes": "4"})
	req := commitOf(9, "g", map[string]map[int32]int64{"a": {0: 0, 1: 1, 2: 2, 3: 3}})
	texts := []string{"abcd", "abcde", "éééé", "😀😀😀"}
	for i := range texts {
		req.Topics[0].Partitions[i].Metadata = &texts[i]
	}
	tooLarge := kerr.OffsetMetadataTooLarge.Code
	assert.Equal(t, map[string]int16{"a-0": 0, "a-1": tooLarge, "a-2": 0, "a-3": tooLarge}, r.commit(req))
	assert.Equal(t, map[string]string{"a-0": `0 epoch 4 "abcd"`, "a-2": `2 epoch 4 "éééé"`}, r.fetch(false, "g"))
}

// G11, and what Kafka's tools read: the versions of the value.
func TestCommitIsWrittenAsKafkaWritesIt(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 7)
	rec, err := record.Decode(r.log[0].record.Key, r.log[0].record.Value)
	require.NoError(t, err)
	assert.Equal(t, int16(4), rec.Version)
	assert.Equal(t, &record.OffsetCommitKey{Group: "g", Topic: "a"}, rec.Key)
	assert.Equal(t, &record.OffsetCommitValue{Offset: 7, LeaderEpoch: 4, CommitTimestamp: r.now.UnixMilli(), ExpireTimestamp: -1, TopicId: topicID("a")}, rec.Value)
	req := commitOf(4, "g", map[string]map[int32]int64{"a": {1: 7}})
	req.RetentionTimeMillis = 60_000
	r.commit(req)
	rec, err = record.Decode(r.log[1].record.Key, r.log[1].record.Value)
	require.NoError(t, err)
	assert.Equal(t, int16(1), rec.Version)
	assert.Equal(t, r.now.UnixMilli()+60_000, rec.Value.(*record.OffsetCommitValue).ExpireTimestamp)
}

func TestRefusedCommitChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 7)
	r.refuse = kerr.CoordinatorNotAvailable
	req := commitOf(9, "g", map[string]map[int32]int64{"a": {0: 9}})
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.offsetCommit(t, req) })
	assert.Nil(t, c.resp, "the framework answers by the request's refusal")
	assert.Equal(t, map[string]string{"a-0": `7 epoch 4 ""`}, r.fetch(true, "g"))
	assert.Equal(t, map[string]int16{"a-0": 15}, codesOf(commitAnswer(req, 15)))
}

func codesOf(resp *kmsg.OffsetCommitResponse) map[string]int16 {
	out := map[string]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out[fmt.Sprintf("%s-%d", t.Topic, p.Partition)] = p.ErrorCode
		}
	}
	return out
}

// G15: an offset that was committed under another topic id is none.
func TestFetchByAnotherTopicIDFindsNothing(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 7)
	for id, want := range map[protocol.UUID]int64{topicID("a"): 7, topicID("other"): -1, {}: 7} {
		req := kmsg.NewOffsetFetchRequestGroup()
		req.Group, req.Topics = "g", []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", TopicID: id, Partitions: []int32{0}}}
		got := r.fetchGroup(10, true, &req)
		assert.Equal(t, want, got.Topics[0].Partitions[0].Offset)
		assert.Equal(t, id, protocol.UUID(got.Topics[0].TopicID))
	}
}

func TestFetchErrorsOfV1StandOnPartitions(t *testing.T) {
	req := kmsg.NewOffsetFetchRequestGroup()
	req.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", Partitions: []int32{0, 1}}}
	v1, v2 := fetchError(1, &req, 16), fetchError(2, &req, 16)
	assert.Equal(t, []any{int16(0), int16(16), int64(-1)}, []any{v1.ErrorCode, v1.Topics[0].Partitions[1].ErrorCode, v1.Topics[0].Partitions[1].Offset})
	assert.Equal(t, int16(16), v2.ErrorCode)
	assert.Empty(t, v2.Topics)
}

func TestPendingTransactionalOffsets(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 1)
	r.commitInTransaction(50, "g", "a", 0, 10)
	r.commitInTransaction(50, "h", "b", 0, 11)
	assert.Equal(t, map[string]string{"a-0": "UNSTABLE_OFFSET_COMMIT"}, r.fetch(true, "g", "a"))
	assert.Equal(t, map[string]string{"a-0": "UNSTABLE_OFFSET_COMMIT"}, r.fetch(true, "g"))
	assert.Equal(t, map[string]string{"a-0": `1 epoch 4 ""`}, r.fetch(false, "g", "a"))
	assert.Equal(t, map[string]string{"b-0": "UNSTABLE_OFFSET_COMMIT"}, r.fetch(true, "h", "b"))
	assert.Empty(t, r.fetch(true, "h"), "all topics are those with a committed offset")
	r.restart()
	assert.Equal(t, map[string]string{"a-0": "UNSTABLE_OFFSET_COMMIT"}, r.fetch(true, "g", "a"))
	r.endTransaction(50, true)
	assert.Equal(t, map[string]string{"a-0": `10 epoch -1 ""`}, r.fetch(true, "g"))
	assert.Equal(t, map[string]string{"b-0": `11 epoch -1 ""`}, r.fetch(true, "h"))

	r.commitInTransaction(51, "g", "a", 0, 20)
	r.commitInTransaction(52, "g", "a", 0, 30)
	r.endTransaction(51, false)
	assert.Equal(t, map[string]string{"a-0": "UNSTABLE_OFFSET_COMMIT"}, r.fetch(true, "g", "a"), "another transaction is open")
	r.endTransaction(52, false)
	assert.Equal(t, map[string]string{"a-0": `10 epoch -1 ""`}, r.fetch(true, "g", "a"))
	r.endTransaction(99, true) // nothing of it is here

	r.commitInTransaction(53, "g", "a", 0, 40)
	r.committed("g", 41)
	r.endTransaction(53, true)
	assert.Equal(t, map[string]string{"a-0": `41 epoch 4 ""`}, r.fetch(true, "g", "a"), "what was written later counts")
}

func TestTombstoneRemovesPendingOffsetsToo(t *testing.T) {
	r := newRig(t, nil)
	r.commitInTransaction(50, "g", "a", 0, 10)
	r.commitInTransaction(50, "g", "b", 0, 10)
	assert.Equal(t, int16(0), r.deleteOffsets("g", "a", 0))
	r.endTransaction(50, true)
	assert.Equal(t, map[string]string{"b-0": `10 epoch -1 ""`}, r.fetch(true, "g"))
}

// deleteOffsets asks OffsetDelete for one partition, and returns its code or the request's.
func (r *rig) deleteOffsets(group, topic string, partition int32) int16 {
	r.t.Helper()
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group, req.Topics = group, []kmsg.OffsetDeleteRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: partition}}}}
	c := r.ask(func(s *State, t coordinator.Turn) coordinator.Result { return s.deleteOffsets(t, req) })
	resp := c.resp.(*kmsg.OffsetDeleteResponse)
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

func TestOffsetDelete(t *testing.T) {
	r := newRig(t, nil)
	assert.Equal(t, kerr.GroupIDNotFound.Code, r.deleteOffsets("g", "a", 0))
	r.commit(commitOf(9, "g", map[string]map[int32]int64{"a": {0: 1, 1: 2}}))
	r.state.groups["s"] = stubGroup{Group: &classicGroup{id: "s"}, subscribed: "a", checkOffsets: nil}
	r.state.groups["busy"] = stubGroup{Group: &classicGroup{id: "busy"}, checkOffsets: kerr.NonEmptyGroup}
	assert.Zero(t, r.deleteOffsets("g", "a", 0))
	written := len(r.log)
	assert.Zero(t, r.deleteOffsets("g", "a", 5), "no offset, no error")
	assert.Equal(t, written, len(r.log), "and no record")
	assert.Equal(t, kerr.GroupSubscribedToTopic.Code, r.deleteOffsets("s", "a", 0))
	assert.Equal(t, kerr.NonEmptyGroup.Code, r.deleteOffsets("busy", "a", 0))
	assert.Equal(t, map[string]string{"a-1": `2 epoch 4 ""`}, r.fetch(true, "g"))
	assert.NotNil(t, r.state.groups["g"], "the group stays until it expires")
}

// stubGroup is a group of any state.
type stubGroup struct {
	Group
	state, subscribed         string
	kind                      Kind
	members                   bool
	from                      int64
	never                     bool
	checkOffsets, checkDelete error
}

func (g stubGroup) Kind() Kind                       { return max(g.kind, KindClassic) }
func (g stubGroup) StateName() string                { return g.state }
func (g stubGroup) Empty() bool                      { return !g.members }
func (g stubGroup) SubscribedTo(topic string) bool   { return topic == g.subscribed }
func (g stubGroup) CheckOffsetDelete() error         { return g.checkOffsets }
func (g stubGroup) CheckDelete() error               { return g.checkDelete }
func (g stubGroup) ExpireFrom(*offset) (int64, bool) { return g.from, !g.never }

// G6: the retention counts from the moment that the group says, is 7 days by default, and survives a load.
func TestOffsetsOfASimpleGroupExpire(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 1)
	r.advance(6 * 24 * time.Hour)
	r.commit(commitOf(9, "g", map[string]map[int32]int64{"b": {0: 2}}))
	r.restart()
	r.advance(24*time.Hour - time.Minute)
	assert.Len(t, r.fetch(true, "g"), 2)
	r.advance(11 * time.Minute)
	assert.Equal(t, map[string]string{"b-0": `2 epoch 4 ""`}, r.fetch(true, "g"), "each commit has its own time")
	r.advance(6 * 24 * time.Hour)
	assert.Empty(t, r.fetch(true, "g"))
	assert.Nil(t, r.logOf("g"), "tombstones for all that was written")
}

func TestOffsetsOfOldClientsHaveAnExpiryOfTheirOwn(t *testing.T) {
	r := newRig(t, nil)
	req := commitOf(2, "g", map[string]map[int32]int64{"a": {0: 5}})
	req.RetentionTimeMillis = time.Hour.Milliseconds()
	r.commit(req)
	req = commitOf(4, "h", map[string]map[int32]int64{"a": {0: 5}})
	req.RetentionTimeMillis = 30 * 24 * time.Hour.Milliseconds()
	r.commit(req)
	req = commitOf(4, "past", map[string]map[int32]int64{"a": {0: 5}})
	req.RetentionTimeMillis = -9223372036854775808 // G10
	r.commit(req)
	r.restart()
	r.advance(50 * time.Minute)
	assert.Len(t, r.fetch(true, "g"), 1)
	r.advance(20 * time.Minute)
	assert.Empty(t, r.fetch(true, "g"))
	r.advance(20 * 24 * time.Hour)
	assert.Len(t, r.fetch(true, "h"), 1, "longer than offsets.retention.minutes")
	assert.Empty(t, r.fetch(true, "past"))
}

func TestExpiryAsksTheGroup(t *testing.T) {
	r := newRig(t, map[string]string{"offsets.retention.minutes": "1", "offsets.retention.check.interval.ms": "1000"})
	long := r.now.Add(time.Hour).UnixMilli()
	for id, g := range map[string]stubGroup{
		"busy":       {members: true},
		"never":      {never: true},
		"young":      {from: long},
		"subscribed": {subscribed: "a", members: true},
		"open":       {},
	} {
		g.Group = &classicGroup{id: id}
		r.commit(commitOf(9, id, map[string]map[int32]int64{"a": {0: 1}, "b": {0: 1}}))
		r.state.groups[id] = g
	}
	r.commitInTransaction(7, "open", "a", 0, 5)
	r.advance(2 * time.Minute)
	assert.Empty(t, r.fetch(false, "busy"))
	assert.NotNil(t, r.state.groups["busy"], "a group with members stays")
	assert.Len(t, r.fetch(false, "never"), 2)
	assert.Len(t, r.fetch(false, "young"), 2)
	assert.Equal(t, map[string]string{"a-0": `1 epoch 4 ""`}, r.fetch(false, "subscribed"))
	assert.Equal(t, map[string]string{"a-0": `1 epoch 4 ""`}, r.fetch(false, "open"), "not while a transaction writes it")
	r.endTransaction(7, false)
	r.advance(2 * time.Second)
	assert.Empty(t, r.fetch(false, "open"))
}

func TestExpiryThatTheLogRefusesIsTriedAgain(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 1)
	r.advance(7*24*time.Hour - time.Minute)
	r.refuse = kerr.CoordinatorNotAvailable
	r.advance(10 * time.Minute)
	assert.Nil(t, r.refuse)
	assert.Len(t, r.fetch(true, "g"), 1)
	r.advance(10 * time.Minute)
	assert.Empty(t, r.fetch(true, "g"))
}

func TestExpiredTransactionalOffsetKeepsTheGroup(t *testing.T) {
	r := newRig(t, map[string]string{"offsets.retention.minutes": "1"})
	r.commitInTransaction(7, "g", "a", 0, 5)
	r.advance(time.Hour)
	assert.NotNil(t, r.state.groups["g"])
	r.endTransaction(7, false)
	r.advance(time.Hour)
	assert.NotNil(t, r.logOf("g"), "the aborted commit stays for compaction; its group has no other record")
	r.restart()
}

// G15: the offsets of a topic go with it, and those of a topic that was made anew under its name stay.
func TestOffsetsOfADeletedTopicAreDeleted(t *testing.T) {
	r := newRig(t, nil)
	r.topics(map[string]int32{"a": 2, "b": 1})
	for i := range 3 {
		r.commit(commitOf(9, fmt.Sprint("g", i), map[string]map[int32]int64{"a": {0: 1, 1: 2}, "b": {0: 3}}))
	}
	r.commitInTransaction(7, "h", "a", 1, 5)
	legacy := record.NewOffsetCommitValue()
	r.ask(func(*State, coordinator.Turn) coordinator.Result {
		return coordinator.Result{Records: []coordinator.Record{encode(&record.OffsetCommitKey{Group: "old", Topic: "a"}, legacy)}}
	})
	other := commitOf(9, "other", map[string]map[int32]int64{"a": {0: 1}})
	other.Topics[0].TopicID = topicID("another a")
	r.commit(other)
	r.deleteTopic("a")
	for i := range 3 {
		assert.Equal(t, map[string]string{"b-0": `3 epoch 4 ""`}, r.fetch(true, fmt.Sprint("g", i)))
	}
	assert.Empty(t, r.fetch(true, "old"), "an offset without a topic id goes by the name")
	assert.Len(t, r.fetch(true, "other"), 1)
	r.endTransaction(7, true)
	assert.Empty(t, r.fetch(true, "h"))
	written := len(r.log)
	r.deleteTopic("b")
	assert.Equal(t, written+3, len(r.log))
}

// Many topics that go at once are looked for once in each group, whichever has more of them.
func TestOffsetsOfManyDeletedTopicsAreDeleted(t *testing.T) {
	r := newRig(t, nil)
	r.topics(map[string]int32{"a": 1, "b": 1, "c": 1, "d": 1})
	few, many := map[string]map[int32]int64{"b": {0: 1}, "d": {0: 1}}, map[string]map[int32]int64{"a": {0: 1}, "b": {0: 1}, "c": {0: 1}, "d": {0: 1}}
	r.commit(commitOf(9, "few", few))
	r.commit(commitOf(9, "many", many))
	r.commitInTransaction(7, "open", "c", 0, 5)
	r.commitInTransaction(7, "open", "d", 0, 5)
	written := len(r.log)
	r.deleteTopic("a", "b", "c")
	assert.Equal(t, written+5, len(r.log))
	for _, group := range []string{"few", "many"} {
		assert.Equal(t, map[string]string{"d-0": `1 epoch 4 ""`}, r.fetch(true, group))
	}
	r.endTransaction(7, true)
	assert.Len(t, r.fetch(true, "open"), 1)
}

func TestLegacyCommitIsRead(t *testing.T) {
	r := newRig(t, nil)
	key := &record.LegacyOffsetCommitKey{Group: "g", Topic: "a"}
	write := func(v record.Value) {
		r.ask(func(*State, coordinator.Turn) coordinator.Result {
			return coordinator.Result{Records: []coordinator.Record{encode(key, v)}}
		})
	}
	write(&record.LegacyOffsetCommitValue{Offset: 9, Metadata: "m"})
	assert.Equal(t, map[string]string{"a-0": `9 epoch -1 "m"`}, r.fetch(true, "g"))
	write(nil)
	assert.Empty(t, r.fetch(true, "g"))
}

// Commits in any order end up by partition, and leave nothing behind when they are removed.
func TestOffsetStoreKeepsPartitionsInOrder(t *testing.T) {
	s := offsetStore{}
	for i := range int32(100) {
		s.put("g", "a", offset{Partition: i * 37 % 100, Offset: int64(i)})
	}
	for i := range int32(100) {
		require.Equal(t, i, s["g"]["a"].list[i].Partition)
		require.Equal(t, int64(i*73%100), s.get("g", "a", i).Offset)
	}
	s.put("g", "a", offset{Partition: 5, Offset: 1234})
	require.Equal(t, int64(1234), s.get("g", "a", 5).Offset)
	for i := range int32(100) {
		s.remove("g", "a", 99-i)
	}
	s.remove("g", "a", 0)
	require.Empty(t, s)
}

// logOf is what compaction would leave of a group's records.
func (r *rig) logOf(group string) map[string][]byte {
	left := map[string][]byte{}
	for _, l := range r.log {
		if l.marker || !strings.Contains(string(l.record.Key), group) {
			continue
		}
		if l.record.Value == nil {
			delete(left, string(l.record.Key))
			continue
		}
		left[string(l.record.Key)] = l.record.Value
	}
	if len(left) == 0 {
		return nil
	}
	return left
}

func offsetValue(n int64) *record.OffsetCommitValue {
	return &record.OffsetCommitValue{Offset: n, LeaderEpoch: 4, CommitTimestamp: 1_700_000_000_000, ExpireTimestamp: -1, TopicId: topicID("topic")}
}
