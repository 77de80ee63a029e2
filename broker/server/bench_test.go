package server

import (
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/protocol"
)

// benchmarkRoundTrip sends one request and reads its answer, with buffers of its own made once.
func benchmarkRoundTrip(b *testing.B, net memnet.Net, d Dispatcher, req kmsg.Request, payload int) {
	r := start(b, d, func(o *Options) { o.Net = net })
	c := r.dial()
	frame := protocol.AppendRequest(nil, "bench", 1, req)
	c.raw(frame)
	first, err := c.frame()
	if err != nil {
		b.Fatal(err)
	}
	answer := make([]byte, len(first)+4)
	b.ReportAllocs()
	if payload > 0 {
		b.SetBytes(int64(payload))
	}
	for b.Loop() {
		if _, err := c.nc.Write(frame); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c.nc, answer); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeartbeatLoopback(b *testing.B) {
	benchmarkRoundTrip(b, memnet.OS, rows{12: answering(12, 0, 4)}, heartbeat(), 0)
}

func BenchmarkHeartbeatMemnet(b *testing.B) {
	benchmarkRoundTrip(b, memnet.New(), rows{12: answering(12, 0, 4)}, heartbeat(), 0)
}

func BenchmarkProduce1MLoopback(b *testing.B) {
	benchmarkRoundTrip(b, memnet.OS, rows{0: answering(0, 3, 13)}, produce(1, 1<<20), 1<<20)
}

func BenchmarkProduce16KLoopback(b *testing.B) {
	benchmarkRoundTrip(b, memnet.OS, rows{0: answering(0, 3, 13)}, produce(1, 16<<10), 16<<10)
}

// staticBody is a slice of memory in place of a log's page cache.
type staticBody []byte

func (s staticBody) Len() int                                { return len(s) }
func (s staticBody) ReadAt(p []byte, off int64) (int, error) { return copy(p, s[off:]), nil }
func (s staticBody) Release()                                {}

func benchmarkFetch(b *testing.B, size int) {
	body := staticBody(make([]byte, size))
	bodies, sizes := []Body{body}, []int{size}
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 12
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic = "t"
	topic.Partitions = append(topic.Partitions, kmsg.NewFetchResponseTopicPartition())
	resp.Topics = append(resp.Topics, topic)
	cuts := make([]int, 0, 1)
	d := rows{1: {Key: 1, Name: "Fetch", Min: 4, Max: 18, Handle: func(c *Ctx, req kmsg.Request) Answer {
		head, at := protocol.AppendFetchHead(c.Scratch(), cuts[:0], c.Header.CorrelationID, resp, sizes)
		return Spliced(head, at, bodies)
	}}}
	benchmarkRoundTrip(b, memnet.OS, d, fetch(12), size)
}

func BenchmarkFetch1MLoopback(b *testing.B)  { benchmarkFetch(b, 1<<20) }
func BenchmarkFetch16KLoopback(b *testing.B) { benchmarkFetch(b, 16<<10) }

func heartbeat() *kmsg.HeartbeatRequest {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID = 4, "group", "member"
	return req
}
