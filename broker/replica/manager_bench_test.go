package replica

import (
	"testing"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
)

// BenchmarkApplyTopic is the creation of a topic with many partitions, led here: no file is made before the first
// append.
func BenchmarkApplyTopic(b *testing.B) {
	const partitions = 10_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := newRigOn(b, vfs.NewMem(), "/d0")
		id := idOf("a")
		records := []metadata.Record{&metadata.TopicRecord{Name: "a", TopicId: id}}
		for i := range int32(partitions) {
			p := topicOf("a", id, metadata.DirectoryUnassigned, 1)[1].(*metadata.PartitionRecord)
			p.PartitionId = i
			records = append(records, p)
		}
		b.StartTimer()
		r.apply(records...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/partitions, "ns/partition")
}
