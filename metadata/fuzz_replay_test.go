package metadata

import (
	"testing"

	"github.com/dohle-io/dohle/internal/cost"
)

// FuzzReplay replays whatever parses onto a full image: an error or a new image, never a panic, and a result that
// survives a snapshot.
func FuzzReplay(f *testing.F) {
	base := imageOf(f, full()...)
	for _, r := range full() {
		f.Add(AppendRecord(nil, r, LatestLevel.RecordVersion(r)))
	}
	f.Add(AppendRecord(nil, &PartitionChangeRecord{TopicId: id(5), Replicas: []int32{1, 2, 3}, Leader: 2}, 2))
	f.Add(AppendRecord(nil, &ClearElrRecord{}, 0))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, _, err := ParseRecord(value)
		if err != nil {
			return
		}
		cost.Bounded(t, len(value), 64<<20, func() { // partition indexes up to maxPartition, and shards of the image
			if d := NewDelta(base); d.Replay(100, 1, r) == nil {
				d.Apply()
			}
		})
		d := NewDelta(base)
		if d.Replay(100, 1, r) != nil {
			return
		}
		img := d.Apply()
		if err := img.WriteSnapshot(func([]byte) error { return nil }); err != nil {
			t.Fatal(err)
		}
		for _, topic := range img.Topics.Sorted() {
			for i, p := range topic.Partitions {
				if p != nil && len(p.Directories) != len(p.Replicas) {
					t.Fatalf("%s-%d: %d directories for %d replicas", topic.Name, i, len(p.Directories), len(p.Replicas))
				}
			}
		}
		d.Topics().Changes()
	})
}
