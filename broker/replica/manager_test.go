package replica

import (
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

// rig is a Manager of broker 1 on a real store with two directories.
type rig struct {
	t     testing.TB
	fs    vfs.FS
	m     *Manager
	store *storage.Store
	img   *metadata.Image
	alter *proposals
}

// proposals keeps what the partitions asked the controller for.
type proposals struct {
	mu      sync.Mutex
	changes []ISRChange
	refuse  bool
}

func (a *proposals) Propose(_ *Partition, c ISRChange) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse {
		return false
	}
	a.changes = append(a.changes, c)
	return true
}

func (a *proposals) last(t *testing.T) ISRChange {
	a.mu.Lock()
	defer a.mu.Unlock()
	require.NotEmpty(t, a.changes)
	return a.changes[len(a.changes)-1]
}

var dirIDs = []protocol.UUID{{0xd1}, {0xd2}}

func newRig(t testing.TB, fs vfs.FS) *rig { return newRigOn(t, fs, "/d0", "/d1") }

func newRigOn(t testing.TB, fs vfs.FS, dirs ...string) *rig {
	file, err := config.NewStatic(map[string]string{"node.id": "1", "process.roles": "broker", "controller.listener.names": "CONTROLLER",
		"controller.quorum.bootstrap.servers": "localhost:1", "listeners": "PLAINTEXT://localhost:9092", "log.dirs": strings.Join(dirs, ",")})
	require.NoError(t, err)
	for i, dir := range dirs {
		require.NoError(t, fs.MkdirAll(dir))
		require.NoError(t, storage.WriteMetaProperties(fs, dir, storage.MetaProperties{ClusterID: "c", NodeID: 1, DirectoryID: dirIDs[i]}, time.Now()))
	}
	r := &rig{t: t, fs: fs, img: metadata.Empty(), alter: &proposals{}}
	r.store, err = storage.Open(storage.Options{FS: fs, Clocks: clock.System(), Log: zerolog.Nop(), Codecs: compress.NewCodecs(), Dirs: dirs, NodeID: 1, Rand: rand.New(rand.NewPCG(1, 2))})
	require.NoError(t, err)
	r.m = NewManager(Options{NodeID: 1, Store: r.store, Clocks: clock.System(), Log: zerolog.Nop(), Config: file, Alter: r.alter})
	for id := int32(1); id <= 3; id++ {
		r.apply(&metadata.RegisterBrokerRecord{BrokerId: id, BrokerEpoch: int64(id) * 100})
	}
	return r
}

func (r *rig) apply(records ...metadata.Record) {
	r.t.Helper()
	delta := metadata.NewDelta(r.img)
	for _, rec := range records {
		require.NoError(r.t, delta.Replay(r.img.Offset+1, 1, rec))
	}
	r.img = delta.Apply()
	r.m.Apply(r.img, delta)
}

func idOf(name string) (id protocol.UUID) {
	copy(id[1:], name)
	id[0] = 7
	return id
}

func topicOf(name string, id protocol.UUID, dir protocol.UUID, replicas ...int32) []metadata.Record {
	p := &metadata.PartitionRecord{TopicId: id, Replicas: replicas, Isr: replicas, Leader: replicas[0]}
	for range replicas {
		p.Directories = append(p.Directories, dir)
	}
	return []metadata.Record{&metadata.TopicRecord{Name: name, TopicId: id}, p}
}

func (r *rig) topic(name string, replicas ...int32) *Partition {
	r.t.Helper()
	r.apply(topicOf(name, idOf(name), metadata.DirectoryUnassigned, replicas...)...)
	p, err := r.m.ByID(idOf(name), 0)
	require.NoError(r.t, err)
	return p
}

func (r *rig) config(topic, name, value string) {
	r.apply(&metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: topic, Name: name, Value: &value})
}

// change is a PartitionChangeRecord of partition 0.
func (r *rig) change(id protocol.UUID, f func(*metadata.PartitionChangeRecord)) {
	c := metadata.NewPartitionChangeRecord()
	c.PartitionId, c.TopicId = 0, id
	f(c)
	r.apply(c)
}

func (r *rig) append(p *Partition, acks int16) (Appended, error) {
	w := record.NewBuilder(record.NewOptions())
	w.Add(time.Now().UnixMilli(), nil, []byte("value"))
	b, err := w.Build()
	require.NoError(r.t, err)
	return p.Append(b, acks, storage.AppendOptions{Origin: record.Client})
}

func (r *rig) fetch(p *Partition, follower int32, offset int64) error {
	res, err := p.Read(&Read{Offset: offset, MaxBytes: 1 << 20, Bound: LogEnd, NeedLeader: true, LeaderEpoch: -1, LastFetchedEpoch: -1,
		ReplicaID: follower, BrokerEpoch: int64(follower) * 100, Record: true})
	res.Slice.Release()
	return err
}

func TestLookups(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1)
	r.apply(topicOf("elsewhere", idOf("elsewhere"), metadata.DirectoryUnassigned, 2)...)
	got, err := r.m.Partition(protocol.TopicPartition{Topic: "a"})
	require.NoError(t, err)
	require.Same(t, p, got)
	for want, f := range map[error]func() (*Partition, error){
		kerr.UnknownTopicOrPartition: func() (*Partition, error) { return r.m.Partition(protocol.TopicPartition{Topic: "b"}) },
		kerr.UnknownTopicID:          func() (*Partition, error) { return r.m.ByID(idOf("b"), 0) },
		kerr.NotLeaderForPartition:   func() (*Partition, error) { return r.m.Partition(protocol.TopicPartition{Topic: "elsewhere"}) },
	} {
		_, err := f()
		require.ErrorIs(t, err, want)
	}
	_, err = r.m.ByID(idOf("a"), 1)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
	_, err = r.m.ByID(idOf("a"), -1)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

func TestEpochStartIsStoredBeforeServing(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1)
	end, err := p.EndOfEpoch(0, -1, true)
	require.NoError(t, err)
	require.Equal(t, EpochEnd{0, 0}, end, "a leader without records knows its epoch (KAFKA-7415)")
	_, err = r.append(p, AcksAll)
	require.NoError(t, err)
	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Leader = 1 })
	require.EqualValues(t, 1, p.State().LeaderEpoch)
	require.EqualValues(t, 1, p.State().EpochStart)
	end, err = p.EndOfEpoch(0, -1, true)
	require.NoError(t, err)
	require.Equal(t, EpochEnd{0, 1}, end)
}

func TestRolesFollowTheImage(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	_, err := r.append(p, AcksLeader)
	require.NoError(t, err)
	term := p.State().Term

	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Leader = 2 })
	require.Equal(t, RoleFollower, p.State().Role)
	require.EqualValues(t, 2, p.State().Leader)
	require.Greater(t, p.State().Term, term)
	_, err = r.append(p, AcksLeader)
	require.ErrorIs(t, err, kerr.NotLeaderForPartition)
	require.Empty(t, p.Followers())

	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Leader = 1 })
	require.Equal(t, RoleLeader, p.State().Role)
	require.EqualValues(t, 2, p.State().LeaderEpoch)
	require.EqualValues(t, -1, p.Followers()[0].LogEnd)

	// An older state that comes late is ignored: the answer to AlterPartition may have been first.
	p.becomeFollower(registration{leader: 2, leaderEpoch: 1, partitionEpoch: 0})
	require.Equal(t, RoleLeader, p.State().Role)
}

func TestDeletedTopicIsGone(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1)
	_, err := r.append(p, AcksAll)
	require.NoError(t, err)
	r.apply(&metadata.RemoveTopicRecord{TopicId: p.TopicID()})
	_, err = r.append(p, AcksAll)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
	_, ok := r.store.Log(p.TopicPartition())
	require.False(t, ok)
	_, err = r.m.Partition(p.TopicPartition())
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}

func TestRecreatedTopicStartsEmpty(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1)
	_, err := r.append(p, AcksAll)
	require.NoError(t, err)
	other := idOf("other")
	r.apply(append([]metadata.Record{&metadata.RemoveTopicRecord{TopicId: p.TopicID()}}, topicOf("a", other, metadata.DirectoryUnassigned, 1)...)...)
	q, err := r.m.Partition(p.TopicPartition())
	require.NoError(t, err)
	require.NotSame(t, p, q)
	require.Equal(t, other, q.TopicID())
	require.Zero(t, q.Log().LogEndOffset())
	_, err = r.append(p, AcksAll)
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition, "the old replica never serves again")
	_, err = r.m.ByID(p.TopicID(), 0)
	require.ErrorIs(t, err, kerr.UnknownTopicID)
}

func TestReassignedReplicaIsDeleted(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) {
		c.Replicas, c.Isr, c.Leader, c.Directories = []int32{2}, []int32{2}, 2, []protocol.UUID{metadata.DirectoryUnassigned}
	})
	_, err := r.append(p, AcksAll)
	require.ErrorIs(t, err, kerr.NotLeaderForPartition)
	_, ok := r.store.Log(p.TopicPartition())
	require.False(t, ok)
}

func TestAssignedDirectoryIsUsed(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	for i, dir := range dirIDs {
		name := string(rune('a' + i))
		r.apply(topicOf(name, idOf(name), dir, 1)...)
		p, err := r.m.ByID(idOf(name), 0)
		require.NoError(t, err)
		require.Equal(t, dir, p.Log().Dir().ID())
	}
	// A directory that is not ours: the replica is not made again elsewhere (KAFKA-13127).
	r.apply(topicOf("lost", idOf("lost"), protocol.UUID{0xdd}, 1)...)
	p, err := r.m.ByID(idOf("lost"), 0)
	require.NoError(t, err)
	_, err = r.append(p, AcksAll)
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	require.Nil(t, p.Log())
	require.EqualValues(t, -1, p.LogStart())
}

func TestConfigChangesReachTheLog(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	require.EqualValues(t, 1<<20+12, p.Log().Config().MaxMessageBytes)
	r.config("a", "max.message.bytes", "100")
	require.EqualValues(t, 100, p.Log().Config().MaxMessageBytes)
	r.config("a", "cleanup.policy", "compact")
	_, err := p.DeleteRecords(0)
	require.ErrorIs(t, err, kerr.PolicyViolation)
	r.config("a", "cleanup.policy", "compact,delete")
	_, err = p.DeleteRecords(0)
	require.NoError(t, err)

	size := "2000"
	r.apply(&metadata.ConfigRecord{ResourceType: metadata.ConfigBroker, ResourceName: "", Name: "message.max.bytes", Value: &size})
	require.EqualValues(t, 100, p.Log().Config().MaxMessageBytes, "the topic's own value stands")
	q := r.topic("b", 1)
	require.EqualValues(t, 2000, q.Log().Config().MaxMessageBytes)
	r.apply(&metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: "a", Name: "max.message.bytes"})
	require.EqualValues(t, 2000, p.Log().Config().MaxMessageBytes)
}

func TestHighWatermarkNeedsTheMinimum(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2, 3)
	r.config("a", "min.insync.replicas", "2")
	a, err := r.append(p, AcksAll)
	require.NoError(t, err)
	require.NoError(t, r.fetch(p, 2, 1))
	require.Zero(t, p.Offset(HighWatermark), "broker 3 is in the ISR")
	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Isr = []int32{1} })
	require.Zero(t, p.Offset(HighWatermark), "alone below the minimum it stands still")
	done, err := p.Acked(a)
	require.False(t, done)
	require.NoError(t, err)
	_, err = r.append(p, AcksAll)
	require.ErrorIs(t, err, kerr.NotEnoughReplicas)
	r.config("a", "min.insync.replicas", "1")
	require.EqualValues(t, 1, p.Offset(HighWatermark), "a lowered minimum lets it move without traffic")
	done, err = p.Acked(a)
	require.True(t, done)
	require.NoError(t, err)
}

func TestFollowerIsProposedWhenItHasCaughtUp(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Isr = []int32{1} })
	for range 3 {
		_, err := r.append(p, AcksAll)
		require.NoError(t, err)
	}
	require.NoError(t, r.fetch(p, 2, 1))
	require.Empty(t, r.alter.changes, "below the high watermark")
	require.NoError(t, r.fetch(p, 2, 3))
	change := r.alter.last(t)
	require.Equal(t, []ISRMember{{1, -1}, {2, 200}}, change.ISR)
	require.EqualValues(t, 1, change.PartitionEpoch)
	require.True(t, p.State().Pending)
	require.Equal(t, []int32{1}, p.State().ISR)
	require.Equal(t, []int32{1, 2}, p.State().MaximalISR)

	// Meanwhile it counts for the high watermark, though it is not committed.
	_, err := r.append(p, AcksAll)
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Offset(HighWatermark))

	p.Altered(change, AlterOutcome{Err: kerr.InvalidUpdateVersion})
	require.False(t, p.State().Pending)
	require.Equal(t, []int32{1}, p.State().MaximalISR)
	require.NoError(t, r.fetch(p, 2, 4))
	change = r.alter.last(t)
	p.Altered(change, AlterOutcome{Leader: 1, PartitionEpoch: 2, ISR: []int32{1, 2}})
	require.Equal(t, []int32{1, 2}, p.State().ISR)
	require.EqualValues(t, 2, p.State().PartitionEpoch)
	p.Altered(change, AlterOutcome{Err: errors.New("late")})
	require.Equal(t, []int32{1, 2}, p.State().ISR, "an outcome that is not waited for changes nothing")
}

func TestIneligibleFollowersAreNotProposed(t *testing.T) {
	cases := map[string]metadata.Record{
		"fenced":        &metadata.FenceBrokerRecord{Id: 2, Epoch: 200},
		"shutting down": &metadata.BrokerRegistrationChangeRecord{BrokerId: 2, BrokerEpoch: 200, InControlledShutdown: 1},
		"unregistered":  &metadata.UnregisterBrokerRecord{BrokerId: 2, BrokerEpoch: 200},
	}
	for name, rec := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, vfs.NewMem())
			p := r.topic("a", 1, 2)
			r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Isr = []int32{1} })
			r.apply(rec)
			require.NoError(t, r.fetch(p, 2, 0))
			require.Empty(t, r.alter.changes)
		})
	}
}

func TestLaggingFollowerIsTakenOut(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	a, err := r.append(p, AcksAll)
	require.NoError(t, err)
	p.MaybeShrink()
	require.Empty(t, r.alter.changes, "it has the lag time from the start of the epoch")
	now := p.env.now
	p.env.now = func() int64 { return now() + p.env.maxLag + 1 }
	r.alter.refuse = true
	r.m.ShrinkISRs()
	require.False(t, p.State().Pending, "a proposal that nobody takes leaves nothing behind")
	r.alter.refuse = false
	r.m.ShrinkISRs()
	change := r.alter.last(t)
	require.Equal(t, []ISRMember{{1, -1}}, change.ISR)
	require.Equal(t, []int32{1, 2}, p.State().MaximalISR, "it counts until the controller agrees")
	require.Zero(t, p.Offset(HighWatermark))
	p.Altered(change, AlterOutcome{Leader: 1, PartitionEpoch: 1, ISR: []int32{1}})
	done, err := p.Acked(a)
	require.True(t, done, "the shrink alone completes acks=all (KAFKA-13091)")
	require.NoError(t, err)
}

func TestRestartKeepsOffsets(t *testing.T) {
	fs := vfs.NewMem()
	r := newRig(t, fs)
	p := r.topic("a", 1)
	for range 3 {
		_, err := r.append(p, AcksAll)
		require.NoError(t, err)
	}
	image := r.img
	require.NoError(t, r.store.Close())

	again := newRig(t, fs)
	delta := metadata.NewDelta(again.img)
	for rec := range image.Records(image.Level()) {
		switch rec.(type) {
		case *metadata.TopicRecord, *metadata.PartitionRecord:
			require.NoError(t, delta.Replay(again.img.Offset+1, 1, rec))
		}
	}
	again.img = delta.Apply()
	again.m.Apply(again.img, delta)
	q, err := again.m.Partition(p.TopicPartition())
	require.NoError(t, err)
	require.EqualValues(t, 3, q.Log().LogEndOffset())
	require.EqualValues(t, 3, q.Log().HighWatermark())
	a, err := again.append(q, AcksAll)
	require.NoError(t, err)
	require.EqualValues(t, 3, a.FirstOffset)
}

func TestStraysAreSetAsideByTheirTopicID(t *testing.T) {
	fs := vfs.NewMem()
	r := newRig(t, fs)
	for _, name := range []string{"kept", "deleted", "recreated"} {
		_, err := r.append(r.topic(name, 1), AcksAll)
		require.NoError(t, err)
	}
	require.NoError(t, r.store.Close())

	again := newRig(t, fs) // the image that it catches up with
	again.apply(topicOf("kept", idOf("kept"), metadata.DirectoryUnassigned, 1)...)
	again.apply(topicOf("recreated", idOf("anew"), metadata.DirectoryUnassigned, 2)...)
	again.m.SetAsideStrays()
	var left []string
	for tp := range again.store.All() {
		left = append(left, tp.Topic)
	}
	require.Equal(t, []string{"kept"}, left)

	// An operator finds their records, and the next start is not bothered by them, nor is a topic of one of the names.
	require.NoError(t, again.store.Close())
	last := newRig(t, fs)
	last.apply(topicOf("kept", idOf("kept"), metadata.DirectoryUnassigned, 1)...)
	last.apply(topicOf("deleted", idOf("again"), metadata.DirectoryUnassigned, 1)...)
	last.m.SetAsideStrays()
	last.store.RemoveDue()
	p, err := last.m.Partition(protocol.TopicPartition{Topic: "deleted"})
	require.NoError(t, err)
	a, err := last.append(p, AcksAll)
	require.NoError(t, err)
	require.Zero(t, a.FirstOffset)
	require.Equal(t, map[string]bool{"deleted": true, "recreated": true}, strays(t, fs, last.store))
}

// strays are the topics of which records were set aside.
func strays(t *testing.T, fs vfs.FS, s *storage.Store) map[string]bool {
	found := map[string]bool{}
	for _, d := range s.Dirs() {
		entries, err := fs.ReadDir(d.Path())
		require.NoError(t, err)
		for _, e := range entries {
			if topic, rest, ok := strings.Cut(e.Name(), "-0."); ok && strings.HasSuffix(rest, "-stray") {
				info, err := fs.Stat(path.Join(d.Path(), e.Name(), "00000000000000000000.log"))
				require.NoError(t, err)
				found[topic] = info.Size() > 0
			}
		}
	}
	return found
}

func TestOfflineDirectoryIsAStorageError(t *testing.T) {
	mem := vfs.NewMem()
	fault := vfs.NewFault(mem)
	r := newRig(t, fault)
	r.apply(topicOf("a", idOf("a"), dirIDs[0], 1)...)
	r.apply(topicOf("b", idOf("b"), dirIDs[1], 1)...)
	a, _ := r.m.ByID(idOf("a"), 0)
	b, _ := r.m.ByID(idOf("b"), 0)
	for _, p := range []*Partition{a, b} {
		_, err := r.append(p, AcksAll)
		require.NoError(t, err)
	}
	fault.Fail(vfs.Rule{Kinds: vfs.KindWrite, Pattern: "*.log", Nth: 1, Err: syscall.EIO})
	_, err := r.append(a, AcksAll)
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	<-r.store.OfflineDirs()
	r.m.DirsChanged()
	require.Equal(t, RoleGone, a.State().Role)
	_, err = a.Read(&Read{LeaderEpoch: -1, LastFetchedEpoch: -1, ReplicaID: -1})
	require.ErrorIs(t, err, kerr.KafkaStorageError)
	_, err = r.append(b, AcksAll)
	require.NoError(t, err, "the other directory works on")
}

func TestAppendsDoNotWaitForReadersOfState(t *testing.T) {
	r := newRig(t, vfs.NewMem())
	p := r.topic("a", 1, 2)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				if _, err := r.append(p, AcksLeader); err != nil && !errors.Is(err, kerr.NotLeaderForPartition) {
					t.Error(err)
				}
			}
		}()
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for range 50 {
			_ = r.fetch(p, 2, p.Offset(LogEnd))
		}
	}()
	for i := range int32(10) {
		r.change(p.TopicID(), func(c *metadata.PartitionChangeRecord) { c.Leader = 1 + i%2 })
	}
	wg.Wait()
	require.LessOrEqual(t, p.Offset(HighWatermark), p.Offset(LogEnd))
}
