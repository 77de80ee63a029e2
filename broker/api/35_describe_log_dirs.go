package api

import (
	"cmp"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// DescribeLogDirs, v1-5. The log directories of this broker and what lies in them.
//
// Versions:  2 flexible · 3 top-level error · 4 total and usable bytes · 5 cordoned flag (KIP-1066)
// Errors:    KAFKA_STORAGE_ERROR on a directory that is offline
// Needs:     DESCRIBE on CLUSTER
// Differs from Kafka: topics and partitions come sorted; a replica whose files are not made yet has size 0,
// as in Kafka, where the files are there.
var describeLogDirs = define(1, 5, OnBroker, (*Handlers).describeLogDirs)

func (h *Handlers) describeLogDirs(_ *server.Ctx, req *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	var wanted map[protocol.TopicPartition]bool // nil = all
	if req.Topics != nil {
		wanted = map[protocol.TopicPartition]bool{}
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				wanted[protocol.TopicPartition{Topic: t.Topic, Partition: p}] = true
			}
		}
	}
	type hosted struct {
		tp  protocol.TopicPartition
		log *storage.Log
	}
	byDir := map[*storage.Dir][]hosted{}
	for tp, log := range h.Store.All() {
		if wanted == nil || wanted[tp] {
			byDir[log.Dir()] = append(byDir[log.Dir()], hosted{tp, log})
		}
	}
	img := h.Images.Image()
	cordoned := config.CordonedLogDirs.Get(h.layers(img).View())
	for _, dir := range h.Store.Dirs() {
		out := kmsg.NewDescribeLogDirsResponseDir()
		out.Dir = dir.Path()
		if !dir.Online() {
			out.ErrorCode = kerr.KafkaStorageError.Code
			resp.Dirs = append(resp.Dirs, out)
			continue
		}
		total, usable := dir.Usage()
		out.TotalBytes, out.UsableBytes = space(total), space(usable)
		out.IsCordoned = img.Level() >= metadata.Level4_3_IV0 && (slices.Contains(cordoned, dir.Path()) || slices.Contains(cordoned, "*"))
		logs := byDir[dir]
		slices.SortFunc(logs, func(a, b hosted) int {
			return cmp.Or(cmp.Compare(a.tp.Topic, b.tp.Topic), cmp.Compare(a.tp.Partition, b.tp.Partition))
		})
		for _, l := range logs {
			if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != l.tp.Topic {
				t := kmsg.NewDescribeLogDirsResponseDirTopic()
				t.Topic = l.tp.Topic
				out.Topics = append(out.Topics, t)
			}
			p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			p.Partition, p.Size, p.OffsetLag = l.tp.Partition, l.log.Size(), h.offsetLag(l.tp, l.log)
			t := &out.Topics[len(out.Topics)-1]
			t.Partitions = append(t.Partitions, p)
		}
		resp.Dirs = append(resp.Dirs, out)
	}
	return resp
}

// offsetLag is how far the log is behind the high watermark, -1 when the replica is not in service.
func (h *Handlers) offsetLag(tp protocol.TopicPartition, log *storage.Log) int64 {
	if _, err := h.Data.Replicas.Partition(tp); err != nil {
		return -1
	}
	return max(log.HighWatermark()-log.LogEndOffset(), 0)
}

// space: a size that a file system could not put into 63 bits counts as the largest.
func space(n int64) int64 {
	if n < -1 {
		return math.MaxInt64
	}
	return n
}
