package broker

import (
	"bytes"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// rig is a loader whose publisher notes what it is told, and what readers saw at that moment.
type rig struct {
	*loader
	published []int64 // offsets of images
	behind    []int64 // what api.Images held meanwhile
	deltas    []*metadata.Delta
	failed    []error
}

func newRig() *rig {
	r := &rig{}
	images := api.NewImages()
	r.loader = newLoader(images, nil, func(img *metadata.Image, d *metadata.Delta) {
		r.published, r.behind, r.deltas = append(r.published, img.Offset), append(r.behind, images.Image().Offset), append(r.deltas, d)
	}, func(err error) { r.failed = append(r.failed, err) })
	return r
}

func entry(offset int64, epoch int32, r metadata.Record) quorum.Entry {
	return quorum.Entry{Offset: offset, Epoch: epoch, AppendTime: 1000 + offset, Value: metadata.AppendRecord(nil, r, 0), EndOfBatch: true}
}

func topic(name string, id byte) *metadata.TopicRecord {
	return &metadata.TopicRecord{Name: name, TopicId: protocol.UUID{id}}
}

func level() *metadata.FeatureLevelRecord {
	r := metadata.NewFeatureLevelRecord()
	r.Name, r.FeatureLevel = metadata.FeatureMetadataVersion, 30
	return r
}

func TestTheRoomsHearOfAnImageBeforeReadersSeeIt(t *testing.T) {
	r := newRig()
	r.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, topic("a", 1))})
	r.Committed([]quorum.Entry{entry(2, 2, topic("b", 2))})
	r.LeaderChanged(1, 2)
	img := r.images.Image()
	require.NotNil(t, img.Topics.ByName("a"))
	require.NotNil(t, img.Topics.ByName("b"))
	require.EqualValues(t, 2, img.Offset)
	require.EqualValues(t, 2, img.Epoch)
	require.EqualValues(t, 1002, img.AppendTime)
	require.Equal(t, []int64{-1, 1}, r.behind)
	require.Equal(t, []int64{1, 2}, r.published)
	require.Empty(t, r.failed)
}

func TestRecordsOfATransactionShowTogether(t *testing.T) {
	r := newRig()
	r.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, &metadata.BeginTransactionRecord{}), entry(2, 1, topic("a", 1))})
	require.Nil(t, r.images.Image().Topics.ByName("a"))
	r.Committed([]quorum.Entry{entry(3, 1, topic("b", 2)), entry(4, 1, &metadata.EndTransactionRecord{})})
	require.NotNil(t, r.images.Image().Topics.ByName("a"))
	require.NotNil(t, r.images.Image().Topics.ByName("b"))
	r.Committed([]quorum.Entry{entry(5, 1, &metadata.BeginTransactionRecord{}), entry(6, 1, topic("c", 3)), entry(7, 1, &metadata.AbortTransactionRecord{})})
	require.Nil(t, r.images.Image().Topics.ByName("c"))
	require.Empty(t, r.failed)
}

func snapshotOf(img *metadata.Image, end int64) quorum.Snapshot {
	var values [][]byte
	_ = img.WriteSnapshot(func(v []byte) error { values = append(values, bytes.Clone(v)); return nil })
	return quorum.Snapshot{ID: quorum.SnapshotID{EndOffset: end, Epoch: 3}, AppendTime: 9, Values: func(yield func([]byte, error) bool) {
		for _, v := range values {
			if !yield(v, nil) {
				return
			}
		}
	}}
}

func TestASnapshotReplacesWhatWasKnown(t *testing.T) {
	other := newRig()
	other.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, topic("b", 2))})
	r := newRig()
	r.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, topic("a", 1))})
	r.LoadSnapshot(snapshotOf(other.images.Image(), 41))
	require.Empty(t, r.failed)
	img := r.images.Image()
	require.Nil(t, img.Topics.ByName("a"))
	require.NotNil(t, img.Topics.ByName("b"))
	require.EqualValues(t, 40, img.Offset)
	require.EqualValues(t, 3, img.Epoch)
	require.NotNil(t, r.deltas[len(r.deltas)-1], "the rooms are told what the snapshot changed")
	r.Committed([]quorum.Entry{entry(41, 3, topic("c", 3))})
	require.NotNil(t, r.images.Image().Topics.ByName("c"))
}

func TestWhatCannotBeAppliedEndsTheNodeAndLeavesTheLastImage(t *testing.T) {
	for name, harm := range map[string]func(*rig){
		"a record": func(r *rig) {
			r.Committed([]quorum.Entry{{Offset: 2, Epoch: 1, Value: []byte{1, 99, 0}, EndOfBatch: true}})
		},
		"a change of nothing": func(r *rig) {
			r.Committed([]quorum.Entry{entry(2, 1, &metadata.RemoveTopicRecord{TopicId: protocol.UUID{77}})})
		},
		"a snapshot": func(r *rig) {
			damaged := iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) { yield(nil, errors.New("damaged")) })
			r.LoadSnapshot(quorum.Snapshot{ID: quorum.SnapshotID{EndOffset: 9, Epoch: 1}, Values: damaged})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			r.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, topic("a", 1))})
			harm(r)
			require.Len(t, r.failed, 1)
			t.Log(r.failed[0])
			r.Committed([]quorum.Entry{entry(3, 1, topic("b", 2))})
			require.Len(t, r.failed, 1, "said once")
			require.EqualValues(t, 1, r.images.Image().Offset)
			require.Equal(t, []int64{1}, r.published)
		})
	}
}

func TestRoomsHearNothingOfThePastAndAllOfThePresent(t *testing.T) {
	r := newRig()
	r.current = func(img *metadata.Image) bool { return img.Brokers.Get(1) != nil }
	r.Committed([]quorum.Entry{entry(0, 1, level()), entry(1, 1, topic("a", 1)), entry(2, 1, topic("kept", 2))})
	r.LoadSnapshot(snapshotOf(r.images.Image(), 3))
	r.Committed([]quorum.Entry{entry(3, 1, &metadata.RemoveTopicRecord{TopicId: protocol.UUID{1}}), entry(4, 1, topic("a", 3))})
	require.Empty(t, r.published)
	require.EqualValues(t, 4, r.images.Image().Offset, "the heartbeats say how far the image is")
	r.Committed([]quorum.Entry{entry(5, 1, &metadata.RegisterBrokerRecord{BrokerId: 1})})
	require.Equal(t, []int64{5}, r.published)
	var names []string
	for _, c := range r.deltas[0].Topics().Changes() {
		require.Nil(t, c.Before)
		names = append(names, c.Name()+c.ID.String())
	}
	require.Equal(t, []string{"a" + protocol.UUID{3}.String(), "kept" + protocol.UUID{2}.String()}, names)
	require.False(t, r.deltas[0].Brokers().Empty())
	r.Committed([]quorum.Entry{entry(6, 1, topic("b", 4))})
	require.Len(t, r.deltas[1].Topics().Changes(), 1)
}
