package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/dohle-io/dohle/coordinator"
	"github.com/dohle-io/dohle/metadata"
)

// BenchmarkExpiryOfManyGroups is what the look for expired offsets costs a shard with 100,000 groups, none of it due: the
// shard answers nobody meanwhile.
func BenchmarkExpiryOfManyGroups(b *testing.B) {
	r := newCoordinator(b, logsInMemory(1)...)
	state := NewState(&r.env, 0, metadata.Empty())
	now := time.UnixMilli(1_700_000_000_000)
	for i := range 100_000 {
		state.storeOffset(fmt.Sprintf("group-%06d", i), "topic", offset{Offset: 1, ExpireTimestamp: -1, CommitTimestamp: now.UnixMilli()}, coordinator.Position{ProducerID: -1})
	}
	b.ReportAllocs()
	for b.Loop() {
		if res := state.expireOffsets(now); len(res.Records) > 0 {
			b.Fatal("nothing is due")
		}
	}
}
