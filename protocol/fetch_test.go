package protocol

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordSizes lists the records of a response in wire order, as EncodeFetchHead wants their sizes.
func recordSizes(resp *kmsg.FetchResponse) (sizes []int, records [][]byte) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			records = append(records, p.RecordBatches)
			if p.RecordBatches == nil {
				sizes = append(sizes, -1)
			} else {
				sizes = append(sizes, len(p.RecordBatches))
			}
		}
	}
	return sizes, records
}

// splice puts records in at the cuts, as the server does on the socket.
func splice(head []byte, cuts []int, records [][]byte) []byte {
	var out []byte
	at := 0
	for k, cut := range cuts {
		out = append(append(out, head[at:cut]...), records[k]...)
		at = cut
	}
	return append(out, head[at:]...)
}

func TestSplicedFetchEqualsKmsgsEncoding(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for version := int16(4); version <= 18; version++ {
		for range rounds(300) {
			resp := kmsg.NewPtrFetchResponse()
			randomMessage(rng, reflect.ValueOf(resp).Elem())
			resp.Version = version
			if version < 16 {
				resp.Brokers = nil // kmsg writes them in earlier versions too, Kafka does not
			}
			for i := range resp.Topics {
				for j := range resp.Topics[i].Partitions {
					p := &resp.Topics[i].Partitions[j]
					if rng.IntN(3) == 0 {
						p.Default()
						p.UnknownTags = kmsg.Tags{}
					}
					switch rng.IntN(4) {
					case 0:
						p.RecordBatches = nil
					case 1:
						p.RecordBatches = make([]byte, rng.IntN(70000))
					}
					if rng.IntN(3) == 0 {
						p.AbortedTransactions = nil
					}
				}
			}
			sizes, records := recordSizes(resp)
			want := AppendResponse(nil, 77, resp)
			head, cuts := EncodeFetchHead(nil, 77, resp, sizes)
			if got := splice(head, cuts, records); !bytes.Equal(want, got) {
				t.Fatalf("version %d: %d bytes differ from kmsg's %d", version, len(got), len(want))
			}
		}
	}
}

func TestFetchHeadWithoutPartitions(t *testing.T) {
	for version := int16(4); version <= 18; version++ {
		resp := kmsg.NewPtrFetchResponse()
		resp.Version, resp.ErrorCode, resp.SessionID = version, 71, 5
		head, cuts := EncodeFetchHead(nil, 1, resp, nil)
		require.Equal(t, AppendResponse(nil, 1, resp), head)
		require.Empty(t, cuts)
	}
}

func TestCutsCountFromTheStartOfTheBuffer(t *testing.T) {
	resp := fetchResponse(1, 2, 10)
	sizes, records := recordSizes(resp)
	head, cuts := EncodeFetchHead([]byte("before"), 1, resp, sizes)
	require.Equal(t, append([]byte("before"), AppendResponse(nil, 1, resp)...), splice(head, cuts, records))
}

// fetchResponse is a version 17 answer of some partitions with so many bytes of records each.
func fetchResponse(topics, partitions, size int) *kmsg.FetchResponse {
	resp := kmsg.NewPtrFetchResponse()
	resp.Version = 17
	for i := range topics {
		topic := kmsg.NewFetchResponseTopic()
		topic.TopicID = [16]byte{byte(i)}
		for j := range partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition = int32(j)
			p.RecordBatches = make([]byte, size)
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func TestFetchHeadAllocatesNothingBeyondItsBuffers(t *testing.T) {
	resp := fetchResponse(2, 5, 100)
	resp.Topics[0].Partitions[1].DivergingEpoch.Epoch = 3
	resp.Topics[0].Partitions[1].CurrentLeader.LeaderID = 3
	resp.Brokers = []kmsg.FetchResponseBroker{{NodeID: 1, Host: "h", Port: 9}}
	sizes, _ := recordSizes(resp)
	dst, cuts := make([]byte, 0, 4096), make([]int, 0, 16)
	require.Zero(t, int64(testing.AllocsPerRun(100, func() { AppendFetchHead(dst, cuts, 1, resp, sizes) })))
}
