package protocol

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func produceRequest(version int16, partitions, size int) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version = version
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "orders"
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(i), make([]byte, size)
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

func fetchRequest(partitions int) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 17
	topic := kmsg.NewFetchRequestTopic()
	topic.TopicID = [16]byte{1}
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition = int32(i)
		topic.Partitions = append(topic.Partitions, p)
	}
	req.Topics = append(req.Topics, topic)
	return req
}

func metadataRequest(topics int) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	for i := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(fmt.Sprintf("topic-%d", i))
		req.Topics = append(req.Topics, t)
	}
	return req
}

func BenchmarkWalk(b *testing.B) {
	for _, c := range []struct {
		name string
		req  kmsg.Request
	}{
		{"Produce/1x1KiB", produceRequest(11, 1, 1<<10)},
		{"Produce/50x16KiB", produceRequest(11, 50, 16<<10)},
		{"Fetch/1", fetchRequest(1)},
		{"Fetch/100", fetchRequest(100)},
		{"Metadata/100", metadataRequest(100)},
	} {
		body := c.req.AppendTo(nil)
		h := RequestHeader{Key: c.req.Key(), Version: c.req.GetVersion()}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := RequestCost(h, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeRequest(b *testing.B) {
	for _, req := range []kmsg.Request{produceRequest(11, 1, 1<<10), fetchRequest(100), metadataRequest(100)} {
		body := req.AppendTo(nil)
		h := RequestHeader{Key: req.Key(), Version: req.GetVersion()}
		for name, decode := range map[string]func(RequestHeader, []byte) (kmsg.Request, error){"walked": DecodeRequest, "checked": DecodeChecked} {
			b.Run(kmsg.NameForKey(req.Key())+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(body)))
				for b.Loop() {
					if _, err := decode(h, body); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// What the head costs against kmsg's encoder, which copies the records.
func BenchmarkFetchResponse(b *testing.B) {
	for _, c := range []struct{ partitions, size int }{{1, 64 << 10}, {100, 16 << 10}} {
		resp := fetchResponse(1, c.partitions, c.size)
		sizes, _ := recordSizes(resp)
		b.Run(fmt.Sprintf("head/%dx%dKiB", c.partitions, c.size>>10), func(b *testing.B) {
			dst, cuts := make([]byte, 0, 64<<10), make([]int, 0, c.partitions)
			b.ReportAllocs()
			b.SetBytes(int64(c.partitions * c.size))
			for b.Loop() {
				AppendFetchHead(dst, cuts, 1, resp, sizes)
			}
		})
		b.Run(fmt.Sprintf("kmsg/%dx%dKiB", c.partitions, c.size>>10), func(b *testing.B) {
			dst := make([]byte, 0, c.partitions*(c.size+1024))
			b.ReportAllocs()
			b.SetBytes(int64(c.partitions * c.size))
			for b.Loop() {
				AppendResponse(dst, 1, resp)
			}
		})
	}
}
