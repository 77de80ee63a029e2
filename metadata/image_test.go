package metadata

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol"
)

func id(n byte) (u protocol.UUID) {
	u[0], u[15] = n, 0xff
	return u
}

func ptr[T any](v T) *T { return &v }

// full is a list of records that fills every field of every aspect.
func full() []Record {
	return []Record{
		&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: int16(LatestLevel)},
		&FeatureLevelRecord{Name: FeatureELRVersion, FeatureLevel: 1},
		&FeatureLevelRecord{Name: FeatureKRaftVersion, FeatureLevel: 1}, // ignored
		&RegisterBrokerRecord{BrokerId: 1, BrokerEpoch: 7, IncarnationId: id(1), Fenced: true, Rack: ptr("r1"), IsMigratingZkBroker: true,
			LogDirs: []protocol.UUID{id(3), id(2)}, EndPoints: []RegisterBrokerRecordBrokerEndpoint{{Name: "A", Host: "h", Port: 9092, SecurityProtocol: 1}},
			Features: []RegisterBrokerRecordBrokerFeature{{Name: "x", MinSupportedVersion: 1, MaxSupportedVersion: 2}}},
		&BrokerRegistrationChangeRecord{BrokerId: 1, BrokerEpoch: 7, Fenced: -1, InControlledShutdown: 1, CordonedLogDirs: []protocol.UUID{id(2)}},
		&RegisterControllerRecord{ControllerId: 9, IncarnationId: id(4), ZkMigrationReady: true,
			EndPoints: []RegisterControllerRecordControllerEndpoint{{Name: "C", Host: "h", Port: 9093}},
			Features:  []RegisterControllerRecordControllerFeature{{Name: "y", MaxSupportedVersion: 3}}},
		&TopicRecord{Name: "orders", TopicId: id(5)},
		&PartitionRecord{PartitionId: 1, TopicId: id(5), Replicas: []int32{1, 2}, Isr: []int32{1}, RemovingReplicas: []int32{2}, AddingReplicas: []int32{1},
			Leader: 1, LeaderRecoveryState: 1, LeaderEpoch: 3, PartitionEpoch: 4, Directories: []protocol.UUID{id(2), DirectoryUnassigned},
			EligibleLeaderReplicas: []int32{2}, LastKnownElr: []int32{1}},
		&PartitionRecord{PartitionId: 0, TopicId: id(5), Replicas: []int32{1}, Isr: []int32{1}, Leader: 1, Directories: []protocol.UUID{id(2)}},
		&ConfigRecord{ResourceType: ConfigTopic, ResourceName: "orders", Name: "retention.ms", Value: ptr("1")},
		&ConfigRecord{ResourceType: ConfigBroker, Name: "min.insync.replicas", Value: ptr("1")},
		&ClientQuotaRecord{Entity: []ClientQuotaRecordEntityData{{EntityType: QuotaUser, EntityName: ptr("u")}, {EntityType: QuotaClientID}}, Key: "producer_byte_rate", Value: 5},
		&ClientQuotaRecord{Entity: []ClientQuotaRecordEntityData{{EntityType: QuotaIP, EntityName: ptr("::1")}}, Key: "connection_creation_rate", Value: 6},
		&ProducerIdsRecord{BrokerId: 1, BrokerEpoch: 7, NextProducerId: 3000},
		&AccessControlEntryRecord{Id: id(6), ResourceType: 2, ResourceName: "orders", PatternType: 3, Principal: "User:bob", Host: "*", Operation: 3, PermissionType: 3},
		&UserScramCredentialRecord{Name: "bob", Mechanism: ScramSHA512, Salt: []byte{1}, StoredKey: []byte{2}, ServerKey: []byte{3}, Iterations: 4096},
		&DelegationTokenRecord{TokenId: "t", Owner: "User:o", Requester: "User:r", Renewers: []string{"User:n"}, IssueTimestamp: 1, MaxTimestamp: 3, ExpirationTimestamp: 2},
	}
}

func imageOf(t testing.TB, records ...Record) *Image {
	d := NewDelta(Empty())
	for i, r := range records {
		require.NoError(t, d.Replay(int64(i), 1, r))
	}
	return d.Apply()
}

func roundTrip(t *testing.T, img *Image) *Image {
	var values [][]byte
	require.NoError(t, img.WriteSnapshot(func(v []byte) error { values = append(values, append([]byte(nil), v...)); return nil }))
	var entries []Entry
	for _, v := range values {
		entries = append(entries, Entry{Value: v})
	}
	back, _, err := LoadSnapshot(Empty(), valuesOf(entries), img.Offset, img.Epoch, img.AppendTime)
	require.NoError(t, err)
	return back
}

func TestImageSurvivesASnapshot(t *testing.T) {
	img := imageOf(t, full()...)
	require.Equal(t, text(img), text(roundTrip(t, img)))
}

func TestEveryAspectSurvivesASnapshotAlone(t *testing.T) {
	for _, r := range full() {
		switch r.(type) { // those that need another record before them
		case *PartitionRecord, *BrokerRegistrationChangeRecord:
			continue
		}
		records := []Record{&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: int16(LatestLevel)}, r}
		t.Run(fmt.Sprintf("%T", r), func(t *testing.T) {
			img := imageOf(t, records...)
			require.Equal(t, text(img), text(roundTrip(t, img)))
		})
	}
}

// Every field of the image has a writer: the full image has no zero field, and what a snapshot brings back is deeply
// equal in every one. A new field fails here until a record fills it and Records writes it.
func TestEveryFieldOfTheImageIsWritten(t *testing.T) {
	img := imageOf(t, full()...)
	back := roundTrip(t, img)
	v, w := reflect.ValueOf(*img), reflect.ValueOf(*back)
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "AppendTime" {
			continue // of the batch, not of a record
		}
		require.False(t, v.Field(i).IsZero(), "nothing in the test's records fills Image.%s", name)
		require.False(t, w.Field(i).IsZero(), "Image.%s does not survive a snapshot", name)
	}
	for _, value := range []any{*img.Brokers.Get(1), *img.Controllers.Get(9), *img.Topics.ByName("orders").Partition(1), img.ProducerIDs,
		first(img.ACLs.All()), *img.Scram.Get(ScramSHA512, "bob"), *img.Tokens.Get("t"), img.Features} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Name == "Fenced" { // unfenced by the change record
				continue
			}
			require.False(t, v.Field(i).IsZero(), "nothing in the test's records fills %s.%s", v.Type(), f.Name)
		}
	}
}

func first[T any](seq func(func(T) bool)) (out T) {
	seq(func(v T) bool { out = v; return false })
	return out
}

func TestEveryRecordTypeIsReplayed(t *testing.T) {
	loader := map[int16]bool{23: true, 24: true, 25: true} // transaction marks
	n := 0
	for key := range int16(64) {
		r := newRecord(key)
		if r == nil {
			continue
		}
		n++
		err := NewDelta(Empty()).Replay(0, 0, r)
		if loader[key] {
			require.ErrorContains(t, err, "no rule")
		} else if err != nil {
			require.NotContains(t, err.Error(), "no rule", RecordName(key))
		}
	}
	require.Equal(t, 27, n)
}

func TestRecordsThatDoNotFitAreErrors(t *testing.T) {
	base := imageOf(t, full()...)
	for _, r := range []Record{
		&TopicRecord{Name: "orders", TopicId: id(50)},
		&TopicRecord{Name: "other", TopicId: id(5)},
		&PartitionRecord{TopicId: id(50)},
		&PartitionRecord{TopicId: id(5), PartitionId: -1},
		&PartitionRecord{TopicId: id(5), PartitionId: 1 << 30},
		&PartitionRecord{TopicId: id(5), Replicas: []int32{1}, Directories: []protocol.UUID{id(1), id(2)}},
		&PartitionChangeRecord{TopicId: id(5), PartitionId: 7},
		&PartitionChangeRecord{TopicId: id(50)},
		&RemoveTopicRecord{TopicId: id(50)},
		&ClearElrRecord{TopicName: "nope"},
		&FenceBrokerRecord{Id: 1, Epoch: 6},
		&UnfenceBrokerRecord{Id: 2, Epoch: 7},
		&UnregisterBrokerRecord{BrokerId: 1, BrokerEpoch: 8},
		&BrokerRegistrationChangeRecord{BrokerId: 1, BrokerEpoch: 7, Fenced: 5},
		&BrokerRegistrationChangeRecord{BrokerId: 3, BrokerEpoch: 7},
		&RemoveAccessControlEntryRecord{Id: id(60)},
		&RemoveUserScramCredentialRecord{Name: "bob", Mechanism: ScramSHA256},
		&ClientQuotaRecord{Entity: []ClientQuotaRecordEntityData{{EntityType: "planet"}}},
		&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: 99},
		&BeginTransactionRecord{},
	} {
		require.Error(t, NewDelta(base).Replay(100, 2, r), "%T %+v", r, r)
	}
	require.Equal(t, text(imageOf(t, full()...)), text(base), "a failed replay must not touch the image below")
}

func TestDeltaNamesWhatChangedAndLeavesTheOldImageAlone(t *testing.T) {
	before := imageOf(t, full()...)
	old := text(before)
	d := NewDelta(before)
	for i, r := range []Record{
		&PartitionChangeRecord{TopicId: id(5), PartitionId: 1, Leader: 2, LeaderRecoveryState: NoRecoveryChange, Isr: []int32{2}},
		&TopicRecord{Name: "new", TopicId: id(20)},
		&PartitionRecord{TopicId: id(20), Replicas: []int32{1}, Isr: []int32{1}, Leader: 1},
		&ConfigRecord{ResourceType: ConfigTopic, ResourceName: "orders", Name: "retention.ms"},
		&UnregisterBrokerRecord{BrokerId: 1, BrokerEpoch: 7},
	} {
		require.NoError(t, d.Replay(int64(100+i), 2, r))
	}
	after := d.Apply()
	require.Equal(t, old, text(before))
	changes := d.Topics().Changes()
	require.Len(t, changes, 2)
	require.Equal(t, "new", changes[0].Name())
	require.Nil(t, changes[0].Before)
	require.Equal(t, []int32{1}, changes[1].Partitions())
	p := after.Topics.ByName("orders").Partition(1)
	require.Equal(t, int32(4), p.LeaderEpoch)
	require.Equal(t, int32(5), p.PartitionEpoch)
	require.Nil(t, after.Configs.Topic("orders"))
	require.Equal(t, []ConfigResource{{ConfigTopic, "orders"}}, d.Configs().Changed())
	require.Nil(t, d.Brokers().Changes()[0].After)
	require.Equal(t, int64(104), after.Offset)
	require.Equal(t, int32(2), after.Epoch)
	require.Same(t, before.Topics.ByName("orders").Partition(0), after.Topics.ByName("orders").Partition(0))
}

func TestTopicDeletedAndMadeAnewInOneDelta(t *testing.T) {
	before := imageOf(t, full()...)
	d := NewDelta(before)
	require.NoError(t, d.Replay(100, 1, &RemoveTopicRecord{TopicId: id(5)}))
	require.NoError(t, d.Replay(101, 1, &TopicRecord{Name: "orders", TopicId: id(30)}))
	after := d.Apply()
	require.Equal(t, id(30), after.Topics.ByName("orders").ID)
	require.Nil(t, after.Topics.ByID(id(5)))
	require.Nil(t, after.Configs.Topic("orders"), "configs go with the topic")
	changes := d.Topics().Changes()
	require.Len(t, changes, 2)
	require.Nil(t, changes[0].After, "deletions come first")
}

func TestWholeDeltaNamesEverything(t *testing.T) {
	img := imageOf(t, full()...)
	d := NewWholeDelta(img)
	want := NewSnapshotDelta(Empty()) // the long way
	for r := range img.Records(img.Level()) {
		require.NoError(t, want.Replay(img.Offset, img.Epoch, r))
	}
	want.FinishSnapshot(img.Offset, img.Epoch, img.AppendTime)
	require.Equal(t, Empty(), d.Before())
	require.Equal(t, len(want.Topics().Changes()), len(d.Topics().Changes()))
	for i, c := range d.Topics().Changes() {
		require.Nil(t, c.Before)
		require.Same(t, img.Topics.ByID(c.ID), c.After)
		require.Equal(t, want.Topics().Changes()[i].Partitions(), c.Partitions())
	}
	require.Equal(t, want.Configs().Changed(), d.Configs().Changed())
	require.Equal(t, want.Brokers().Empty(), d.Brokers().Empty())
	require.Equal(t, want.Features().Changed, d.Features().Changed)
	got := d.Apply()
	var a, b []Record
	for r := range img.Records(img.Level()) {
		a = append(a, r)
	}
	for r := range got.Records(got.Level()) {
		b = append(b, r)
	}
	require.Equal(t, a, b)
	require.Equal(t, img.Offset, got.Offset)
}

func TestSnapshotDeltaNamesOnlyDifferences(t *testing.T) {
	before := imageOf(t, append(full(), &TopicRecord{Name: "gone", TopicId: id(40)})...)
	after := imageOf(t, append(full(), &TopicRecord{Name: "new", TopicId: id(41)},
		&PartitionChangeRecord{TopicId: id(5), PartitionId: 0, Leader: NoLeader, LeaderRecoveryState: NoRecoveryChange})...)
	var entries []Entry
	require.NoError(t, after.WriteSnapshot(func(v []byte) error {
		entries = append(entries, Entry{Value: append([]byte(nil), v...)})
		return nil
	}))
	img, d, err := LoadSnapshot(before, valuesOf(entries), 500, 3, 77)
	require.NoError(t, err)
	require.Equal(t, text(after), text(img))
	require.Equal(t, int64(77), img.AppendTime)
	var names []string
	for _, c := range d.Topics().Changes() {
		names = append(names, c.Name())
		if c.Name() == "orders" {
			require.Equal(t, []int32{0}, c.Partitions())
		}
	}
	require.Equal(t, []string{"gone", "new", "orders"}, names)
	require.True(t, d.Brokers().Empty())
	require.True(t, d.ACLs().Empty())
	require.True(t, d.Configs().Empty())
	require.Same(t, before.Brokers.Get(1), img.Brokers.Get(1), "equal values keep their address")
}

func TestClearELR(t *testing.T) {
	img := imageOf(t, append(full(), &ClearElrRecord{})...)
	p := img.Topics.ByName("orders").Partition(1)
	require.Empty(t, p.ELR)
	require.Empty(t, p.LastKnownELR)
	require.Equal(t, int32(5), p.PartitionEpoch)
	require.Equal(t, int32(0), img.Topics.ByName("orders").Partition(0).PartitionEpoch)
}

func TestRecordsFromOldLevelsGetMigratingDirectories(t *testing.T) {
	img := imageOf(t, &TopicRecord{Name: "a", TopicId: id(1)}, &PartitionRecord{TopicId: id(1), Replicas: []int32{1, 2}})
	require.Equal(t, []protocol.UUID{DirectoryMigrating, DirectoryMigrating}, img.Topics.ByName("a").Partition(0).Directories)
}

func TestSnapshotAtALowerLevelLeavesOutWhatItDoesNotKnow(t *testing.T) {
	img := imageOf(t, full()...)
	for r := range img.Records(Level3_3_IV3) {
		switch r := r.(type) {
		case *UserScramCredentialRecord, *DelegationTokenRecord, *RegisterControllerRecord:
			t.Errorf("%T at 3.3", r)
		case *RegisterBrokerRecord:
			require.Empty(t, r.LogDirs)
			require.Nil(t, r.CordonedLogDirs)
			require.Equal(t, int16(1), Level3_3_IV3.RecordVersion(r))
		case *PartitionRecord:
			require.Nil(t, r.EligibleLeaderReplicas)
			require.Equal(t, int16(0), Level3_3_IV3.RecordVersion(r))
		}
	}
}

func BenchmarkOneChangeAmongTenThousandTopics(b *testing.B) {
	records := []Record{&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: int16(LatestLevel)}}
	rng := rand.New(rand.NewPCG(1, 2))
	var ids []protocol.UUID
	for i := range 10_000 {
		ids = append(ids, protocol.RandomUUID(rng))
		records = append(records, &TopicRecord{Name: fmt.Sprint("topic-", i), TopicId: ids[i]},
			&PartitionRecord{TopicId: ids[i], Replicas: []int32{1}, Isr: []int32{1}, Leader: 1})
	}
	img := imageOf(b, records...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		d := NewDelta(img)
		if err := d.Replay(1, 1, &PartitionChangeRecord{TopicId: ids[i%len(ids)], Leader: 1, LeaderRecoveryState: NoRecoveryChange}); err != nil {
			b.Fatal(err)
		}
		d.Apply()
	}
}
