package quorum

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dohle-io/dohle/internal/vfs"
)

// BenchmarkAppend commits records of 100 bytes on a sole voter, on the machine's disk, from one caller and from many:
// those that wait together share one fsync.
func BenchmarkAppend(b *testing.B) {
	for _, disk := range []string{"memory", "disk"} {
		for _, callers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/callers=%d", disk, callers), func(b *testing.B) {
				w := newWire()
				var fs vfs.FS = vfs.NewMem()
				o := testOptions(fs, 1, w)
				if disk == "disk" {
					o.FS, o.Dir = vfs.OS, b.TempDir()
				}
				boot := Bootstrap{TimeMs: 1, KRaftVersion: 1, Voters: []Voter{{ID: 1, DirectoryID: dirOf(1), Endpoints: endpointOf(1), MaxVersion: 1}}}
				if err := WriteBootstrap(o.FS, o.Dir, boot); err != nil {
					b.Fatal(err)
				}
				n, err := Open(o)
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(b.Context())
				done := make(chan error, 1)
				go func() { done <- n.Run(ctx) }()
				for !n.shown.Load().leads {
					time.Sleep(time.Millisecond)
				}
				_, epoch, _, _ := n.Leader()
				value := make([]byte, 100)
				b.SetBytes(100)
				b.ReportAllocs()
				b.SetParallelism(callers)
				b.ResetTimer()
				work := func() bool {
					last, err := n.Append(ctx, epoch, [][]byte{value})
					if err == nil {
						err = n.WaitCommitted(ctx, last)
					}
					if err != nil {
						b.Error(err)
					}
					return err == nil
				}
				if callers == 1 {
					for b.Loop() && work() {
					}
				} else {
					var left atomic.Int64
					left.Store(int64(b.N))
					b.RunParallel(func(p *testing.PB) {
						for p.Next() && work() {
						}
					})
				}
				b.StopTimer()
				cancel()
				<-done
			})
		}
	}
}

// BenchmarkStepFetch is one parked Fetch that a proposal releases, without any disk.
func BenchmarkStepFetch(b *testing.B) {
	c := newCluster(1, 3, 0, 1)
	for _, m := range c.members {
		c.start(m)
	}
	settle(c)
	lead := c.members[0].core
	req := c.members[1].core.fetchRequest()
	now := c.members[0].now
	b.ReportAllocs()
	rng := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		lead.Step(now, Request{rng.Uint64(), req})
		lead.Step(now, Cancel{0})
		lead.parked = lead.parked[:0]
	}
}
