package group

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// memLog is a coordinator.Log in memory with one replica. It keeps batches, or drops what it is given.
type memLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end     int64
	size    int64
	drop    bool
	gate    chan struct{} // reads wait for it
}

func (l *memLog) Append(b []byte) (base, end int64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.drop {
		b = append([]byte(nil), b...)
	}
	batch, _, err := record.Next(b)
	if err != nil {
		return 0, 0, err
	}
	batch.SetBaseOffset(l.end)
	base, l.end = l.end, batch.NextOffset()
	if !l.drop {
		l.batches = append(l.batches, batch)
		l.size += int64(len(batch))
	}
	return base, l.end, nil
}

func (l *memLog) MaxBatch() int { return 1 << 20 }
func (l *memLog) Start() int64  { return 0 }
func (l *memLog) End() int64    { l.mu.Lock(); defer l.mu.Unlock(); return l.end }
func (l *memLog) Bytes() int64  { l.mu.Lock(); defer l.mu.Unlock(); return l.size }
func (l *memLog) Await(int64)   {}
func (l *memLog) HighWatermark() int64 {
	return l.End()
}

func (l *memLog) Read(offset int64, buf []byte) ([]byte, error) {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	first, last := 0, len(l.batches)
	for first < last {
		if m := (first + last) / 2; l.batches[m].NextOffset() <= offset {
			first = m + 1
		} else {
			last = m
		}
	}
	out := buf[:0]
	for _, b := range l.batches[first:] {
		if len(out) > 0 && len(out)+len(b) > cap(buf) {
			break
		}
		out = append(out, b...)
	}
	return out, nil
}

// newCoordinator leads the partitions of logs; it runs until the test ends.
func newCoordinator(t testing.TB, logs ...coordinator.Log) *Coordinator {
	t.Helper()
	file, err := config.NewStatic(map[string]string{"process.roles": "broker,controller", "node.id": "1", "controller.listener.names": "CONTROLLER",
		"listeners": "PLAINTEXT://:9092,CONTROLLER://:9093", "controller.quorum.bootstrap.servers": "localhost:9093", "offsets.topic.num.partitions": fmt.Sprint(max(1, len(logs)))})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	c := New(Options{Clocks: clock.System(), Environment: Environment{NodeID: 1, Config: file, UUID: func() protocol.UUID { return protocol.RandomUUID(rng) }, Log: zerolog.Nop()}})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Add(1)
	go func() { defer running.Done(); _ = c.Run(ctx) }()
	t.Cleanup(func() { cancel(); running.Wait() })
	for i, log := range logs {
		c.Lead(int32(i), 1, log)
	}
	return c
}

func logsInMemory(n int) (logs []coordinator.Log) {
	for range n {
		logs = append(logs, &memLog{})
	}
	return logs
}

func names(resp *kmsg.ListGroupsResponse) (list []string) {
	for _, g := range resp.Groups {
		list = append(list, fmt.Sprintf("%s %s %s", g.Group, g.GroupState, g.GroupType))
	}
	return list
}

func TestListGroupsOfAllPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := &memLog{gate: make(chan struct{})}
		_, _, err := gate.Append(batchOf(t, "waiting", 1))
		require.NoError(t, err)
		c := newCoordinator(t, append(logsInMemory(3), gate)...)
		ctx := context.Background()
		list := func(states, types []string) *kmsg.ListGroupsResponse {
			req := kmsg.NewPtrListGroupsRequest()
			req.Version, req.StatesFilter, req.TypesFilter = 5, states, types
			return c.ListGroups(ctx, Caller{}, req)
		}
		synctest.Wait()
		resp := list(nil, nil)
		assert.Equal(t, kerr.CoordinatorLoadInProgress.Code, resp.ErrorCode, "one partition is loading")
		close(gate.gate)
		synctest.Wait()
		for _, g := range []string{"a", "b", "c"} {
			assert.Equal(t, map[string]int16{"a-0": 0}, codesOf(c.OffsetCommit(ctx, Caller{}, commitOf(9, g, map[string]map[int32]int64{"a": {0: 1}}))))
		}
		assert.ElementsMatch(t, []string{"a Empty classic", "b Empty classic", "c Empty classic", "waiting Empty classic"}, names(list(nil, nil)))
		assert.Len(t, list([]string{"stable", " eMPty "}, []string{"CLASSIC"}).Groups, 4)
		assert.Empty(t, list([]string{"Stable"}, nil).Groups)
		assert.Empty(t, list(nil, []string{"consumer"}).Groups)
		assert.Empty(t, list(nil, []string{"no such type"}).Groups)
		c.Resign(2, 5)
		assert.Len(t, list(nil, nil).Groups, 4-len(inPartition(c, 2, "a", "b", "c")), "a partition that is not led has no groups")
	})
}

func inPartition(c *Coordinator, partition int32, groups ...string) (in []string) {
	for _, g := range groups {
		if c.PartitionFor(g) == partition {
			in = append(in, g)
		}
	}
	return in
}

func batchOf(t testing.TB, group string, n int) []byte {
	t.Helper()
	b := record.NewBuilder(record.NewOptions())
	w := offsetWriter{group: group}
	for i := range n {
		w.add("topic", int32(i), offsetValue(int64(i)))
	}
	for _, rec := range w.records {
		b.Add(1_700_000_000_000, rec.Key, rec.Value)
	}
	out, err := b.Append(nil)
	require.NoError(t, err)
	return out
}

func TestDeleteGroupsAnswersInTheOrderAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoordinator(t, logsInMemory(3)...)
		synctest.Wait()
		ctx := context.Background()
		var asked []string
		for i := range 40 {
			asked = append(asked, fmt.Sprint("group-", i))
			if i%2 == 0 {
				many := map[int32]int64{}
				for p := range int32(500) {
					many[p] = 1
				}
				require.Len(t, codesOf(c.OffsetCommit(ctx, Caller{}, commitOf(9, asked[i], map[string]map[int32]int64{"a": many}))), 500)
			}
		}
		req := kmsg.NewPtrDeleteGroupsRequest()
		req.Version, req.Groups = 3, append(asked, asked[0])
		resp := c.DeleteGroups(ctx, Caller{}, req)
		require.Len(t, resp.Groups, 40, "a group that is named twice is deleted once")
		for i, g := range resp.Groups {
			want := int16(0)
			if i%2 == 1 {
				want = kerr.GroupIDNotFound.Code
			}
			assert.Equal(t, []any{asked[i], want}, []any{g.Group, g.ErrorCode})
		}
		fetch := kmsg.NewPtrOffsetFetchRequest()
		fetch.Version = 8
		for _, g := range asked {
			one := kmsg.NewOffsetFetchRequestGroup()
			one.Group = g
			fetch.Groups = append(fetch.Groups, one)
		}
		for _, g := range c.OffsetFetch(ctx, Caller{}, fetch).Groups {
			assert.Empty(t, g.Topics)
		}
		c.Resign(0, 9)
		resp = c.DeleteGroups(ctx, Caller{}, req)
		for _, g := range resp.Groups {
			want := kerr.GroupIDNotFound.Code
			if c.PartitionFor(g.Group) == 0 {
				want = kerr.NotCoordinator.Code
			}
			assert.Equal(t, want, g.ErrorCode, g.Group)
		}
	})
}

func TestDeleteOfAGroupWithMembersIsRefused(t *testing.T) {
	r := newRig(t, nil)
	r.committed("g", 1)
	r.state.groups["g"] = stubGroup{Group: &classicGroup{id: "g"}, checkDelete: kerr.NonEmptyGroup}
	_, err := r.state.deletion("g")
	assert.Equal(t, kerr.NonEmptyGroup, err)
}

func TestDescribeGroupsOfOtherKindsAndNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoordinator(t, logsInMemory(2)...)
		synctest.Wait()
		describe := func(version int16, groups ...string) []kmsg.DescribeGroupsResponseGroup {
			req := kmsg.NewPtrDescribeGroupsRequest()
			req.Version, req.Groups = version, groups
			return c.DescribeGroups(context.Background(), Caller{}, req).Groups
		}
		got := describe(5, "a", "b", "c")
		require.Len(t, got, 3)
		assert.Equal(t, []any{"b", "Dead", int16(0), int32(-2147483648)}, []any{got[1].Group, got[1].State, got[1].ErrorCode, got[1].AuthorizedOperations})
		got = describe(6, "a")
		assert.Equal(t, []any{"Dead", kerr.GroupIDNotFound.Code, "Group a not found."}, []any{got[0].State, got[0].ErrorCode, *got[0].ErrorMessage})
		c.Resign(0, 1)
		c.Resign(1, 1)
		got = describe(6, "a", "b")
		assert.Equal(t, []any{"b", kerr.NotCoordinator.Code, ""}, []any{got[1].Group, got[1].ErrorCode, got[1].State})
	})
}

// Offsets, groups and timers of 100,000 groups stay within some hundred bytes each.
func TestHundredThousandGroupsAreSmall(t *testing.T) {
	state := NewState(newRig(t, nil).env, 0, metadata.Empty())
	before := heap()
	for i := range 100_000 {
		state.storeOffset(fmt.Sprintf("hostile-group-%06d", i), "topic", offset{Offset: 1}, coordinator.Position{ProducerID: -1})
	}
	perGroup := (heap() - before) / 100_000
	t.Logf("%d bytes per group", perGroup)
	assert.Less(t, perGroup, int64(1200))
	runtime.KeepAlive(state)
}

func TestStoredOffsetsAreSmall(t *testing.T) {
	state := NewState(newRig(t, nil).env, 0, metadata.Empty())
	before := heap()
	for i := range 200_000 {
		state.storeOffset("group", "topic", offset{Partition: int32(i), Offset: 1}, coordinator.Position{ProducerID: -1})
	}
	perOffset := (heap() - before) / 200_000
	t.Logf("%d bytes per offset", perOffset)
	assert.Less(t, perOffset, int64(130))
	runtime.KeepAlive(state)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkOffsetCommit is the whole path but for the socket and the disk: 8 clients, each committing 5 partitions of its
// own group at a time.
func BenchmarkOffsetCommit(b *testing.B) {
	logs := make([]coordinator.Log, 8)
	for i := range logs {
		logs[i] = &memLog{drop: true}
	}
	c := newCoordinator(b, logs...)
	awaitLoaded(b, c)
	var client atomic.Int32
	b.SetParallelism(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		group := fmt.Sprint("group-", client.Add(1))
		req := commitOf(9, group, map[string]map[int32]int64{"some-topic-name": {0: 1, 1: 2, 2: 3, 3: 4, 4: 5}})
		for pb.Next() {
			if resp := c.OffsetCommit(context.Background(), Caller{}, req); resp.Topics[0].Partitions[0].ErrorCode != 0 {
				b.Error(resp)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

func awaitLoaded(t testing.TB, c *Coordinator) {
	t.Helper()
	req := kmsg.NewPtrListGroupsRequest()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if c.ListGroups(context.Background(), Caller{}, req).ErrorCode == 0 {
			return
		}
		require.True(t, time.Now().Before(until), "not loaded")
	}
}

// BenchmarkLoadOffsets loads a million offsets, of 10,000 groups with 100 partitions each, 5 to a batch.
func BenchmarkLoadOffsets(b *testing.B) {
	log := &memLog{}
	for i := range 10_000 {
		w := offsetWriter{group: fmt.Sprintf("some-group-name-%05d", i)}
		for p := range int32(100) {
			w.add("some-topic-name", p, offsetValue(int64(p)))
		}
		for first := 0; first < len(w.records); first += 5 {
			batch := record.NewBuilder(record.NewOptions())
			for _, rec := range w.records[first : first+5] {
				batch.Add(1_700_000_000_000, rec.Key, rec.Value)
			}
			out, err := batch.Append(nil)
			require.NoError(b, err)
			_, _, err = log.Append(out)
			require.NoError(b, err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(log.size)
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		c := newCoordinator(b)
		c.partitions.Store(1)
		b.StartTimer()
		c.Lead(0, 1, log)
		awaitLoaded(b, c)
	}
	b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func TestSnapshotTellsWhatAGroupWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCoordinator(t, logsInMemory(1)...)
		synctest.Wait()
		_, ok := c.Snapshot("g")
		assert.False(t, ok)
		ctx := context.Background()
		id := c.JoinGroup(ctx, Caller{ClientID: "app"}, joinRequest("")).MemberID
		joined := make(chan *kmsg.JoinGroupResponse, 1)
		go func() { joined <- c.JoinGroup(ctx, Caller{ClientID: "app"}, joinRequest(id)) }()
		synctest.Wait()
		snap, ok := c.Snapshot("g")
		require.True(t, ok)
		assert.Equal(t, []any{KindClassic, "PreparingRebalance", []string{id}}, []any{snap.Kind, snap.State, snap.Members})
		require.NotEmpty(t, snap.Deadlines)
		assert.Equal(t, Deadline{What: "members must have joined", At: time.Now().Add(3 * time.Second)}, snap.Deadlines[0])
		generation := (<-joined).Generation
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group, sync.MemberID, sync.Generation = 4, "g", id, generation
		require.Zero(t, c.SyncGroup(ctx, Caller{}, sync).ErrorCode)
		snap, _ = c.Snapshot("g")
		assert.Equal(t, "Stable", snap.State)
		assert.Equal(t, []string{id}, c.ExpireMembers("g"))
		snap, _ = c.Snapshot("g")
		assert.Equal(t, "Empty", snap.State)
		assert.Empty(t, snap.Members)
		assert.Empty(t, snap.Deadlines)
		assert.Empty(t, c.ExpireMembers("g", id), "nobody is there any more")

		beat := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		beat.Version, beat.Group, beat.MemberID, beat.RebalanceTimeoutMillis = 1, "h", "member", 1000
		beat.SubscribedTopicNames, beat.Topics = []string{"a"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		require.Zero(t, c.ConsumerGroupHeartbeat(ctx, Caller{}, beat).ErrorCode)
		snap, _ = c.Snapshot("h")
		assert.Equal(t, []any{KindConsumer, []string{"member"}}, []any{snap.Kind, snap.Members})
		assert.Equal(t, []string{"member"}, c.ExpireMembers("h"))
		snap, _ = c.Snapshot("h")
		assert.Empty(t, snap.Members)
		assert.Empty(t, snap.Deadlines)
	})
}

// Partitions that are added to __consumer_offsets while the broker runs do not move groups away from where their offsets are
// before the next start.
func TestPartitionsAreCountedOnce(t *testing.T) {
	r := newRig(t, nil)
	c := New(Options{Clocks: clock.System(), Environment: *r.env})
	counts := func(n int) {
		seen := map[int32]bool{}
		for i := range 1000 {
			seen[c.PartitionFor(fmt.Sprint("g", i))] = true
		}
		require.Len(t, seen, n)
	}
	counts(50)
	r.topics(map[string]int32{TopicName: 4})
	c.Publish(r.image, metadata.NewDelta(r.image))
	counts(4)
	r.topics(map[string]int32{TopicName: 7})
	c.Publish(r.image, metadata.NewDelta(r.image))
	counts(4)
	c = New(Options{Clocks: clock.System(), Environment: *r.env})
	c.Publish(r.image, metadata.NewDelta(r.image))
	counts(7)
}
