package api

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/record"
)

// disks are the two file systems that both paths are measured on.
func disks(b *testing.B, run func(b *testing.B, r *dataRig)) {
	b.Run("mem", func(b *testing.B) { run(b, newDataRig(b, vfs.NewMem(), "/data", nil)) })
	b.Run("os", func(b *testing.B) { run(b, newDataRig(b, vfs.OS, b.TempDir(), nil)) })
}

// payload is one batch of n bytes of values that don't compress, in records of 1 KiB.
func payload(n int) []byte {
	r := rand.New(rand.NewPCG(1, 1))
	w := record.NewBuilder(record.NewOptions())
	for done := 0; done < n; done += 1024 {
		value := make([]byte, min(1024, n))
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		w.Add(time.Now().UnixMilli(), []byte("key"), value)
	}
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return b
}

// BenchmarkProduce is the handler with the log behind it, without the wire: one batch to one partition.
func BenchmarkProduce(b *testing.B) {
	for _, size := range []int{100, 16 << 10, 512 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			disks(b, func(b *testing.B, r *dataRig) {
				r.topic("a", 1)
				r.config("a", "retention.bytes", "1")
				req := produceRequest(12, -1, "a", map[int32][]byte{0: payload(size)})
				c := r.ctx()
				records := record.Batch(req.Topics[0].Partitions[0].Records)
				b.SetBytes(int64(len(records)))
				b.ReportAllocs()
				for b.Loop() {
					records.SetBaseOffset(0) // the append before put its own in
					c.Now = time.Now()
					if out := r.h.produce(c, req).Response().(*kmsg.ProduceResponse); out.Topics[0].Partitions[0].ErrorCode != 0 {
						b.Fatal(out.Topics[0].Partitions[0].ErrorCode)
					}
				}
			})
		})
	}
}

// send reads a spliced answer as the server does, into a buffer that it would write to the socket.
func send(b *testing.B, answer server.Answer, buf []byte) (n int64) {
	head, _, bodies := answer.Splice()
	n = int64(len(head))
	for _, body := range bodies {
		if body == nil {
			continue
		}
		for at := 0; at < body.Len(); at += len(buf) {
			got, err := body.ReadAt(buf[:min(len(buf), body.Len()-at)], int64(at))
			if err != nil && err != io.EOF {
				b.Fatal(err)
			}
			n += int64(got)
		}
		body.Release()
	}
	return n
}

// BenchmarkFetch is the handler and the reading of its answer: without a session, 1 MiB of one partition.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			disks(b, func(b *testing.B, r *dataRig) {
				r.topic("a", 1)
				records := payload(64 << 10)
				for range 64 {
					if out := r.produce(12, 1, "a", 0, append([]byte(nil), records...)); out.ErrorCode != 0 {
						b.Fatal(out.ErrorCode)
					}
				}
				req := fetchRequest(12, fetchAsk{topic: "a", max: int32(size)})
				c, buf := r.ctx(), make([]byte, 1<<20)
				b.SetBytes(send(b, r.h.fetch(c, req), buf))
				b.ReportAllocs()
				for b.Loop() {
					send(b, r.h.fetch(c, req), buf)
				}
			})
		})
	}
}

// BenchmarkFetchSessionIdle is a poll of a session in which nothing is new.
func BenchmarkFetchSessionIdle(b *testing.B) {
	for _, partitions := range []int32{1, 100, 1000} {
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			r := memRig(b)
			r.topic("a", partitions)
			var asks []fetchAsk
			for i := range partitions {
				asks = append(asks, fetchAsk{topic: "a", index: i})
			}
			first := fetchRequest(13, asks...)
			first.SessionEpoch = 0
			req := fetchRequest(13)
			req.SessionID = r.fetch(first).SessionID
			c := r.ctx()
			b.ReportAllocs()
			for b.Loop() {
				req.SessionEpoch = nextEpoch(req.SessionEpoch)
				if req.SessionEpoch <= 0 {
					req.SessionEpoch = 1
				}
				r.h.fetch(c, req)
			}
		})
	}
}
