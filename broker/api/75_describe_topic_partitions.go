package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// DescribeTopicPartitions, v0. Partitions in pages, with eligible leader replicas (KIP-966).
//
// A page holds at most the smaller of the request's limit and max.request.partition.size.limit, at least one
// partition. Topics come by name; the cursor names where the next page begins.
//
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION; INVALID_REQUEST for the whole request when
// the cursor's topic is not among those asked or its partition is negative
// Needs:     DESCRIBE on TOPIC
// Differs from Kafka: nothing known.
var describeTopicPartitions = define(0, 0, OnBroker, (*Handlers).describeTopicPartitions)

func (h *Handlers) describeTopicPartitions(c *server.Ctx, req *kmsg.DescribeTopicPartitionsRequest) *kmsg.DescribeTopicPartitionsResponse {
	img := h.Images.Image()
	from, first := "", int32(0)
	if req.Cursor != nil {
		from, first = req.Cursor.Topic, req.Cursor.Partition
	}
	all := len(req.Topics) == 0
	var names []string
	if all {
		for _, t := range img.Topics.Sorted() {
			names = append(names, t.Name)
		}
	} else {
		for _, t := range req.Topics {
			names = append(names, t.Topic)
		}
		slices.Sort(names)
		names = slices.Compact(names)
	}
	start, found := slices.BinarySearch(names, from)
	names = names[start:]
	if req.Cursor != nil && (first < 0 || !all && !found) {
		text := "DescribeTopicPartitionsRequest cursor partition must be valid"
		if first >= 0 {
			text = "DescribeTopicPartitionsRequest topic list should contain the cursor topic: " + from
		}
		return errorResponse(req, protocol.Errorf(kerr.InvalidRequest, "%s", text)).(*kmsg.DescribeTopicPartitionsResponse)
	}
	limit := min(config.MaxRequestPartitionSizeLimit.Get(h.layers(img).View()), req.ResponsePartitionLimit)
	page := topicPage{img: img, listener: c.Listener, left: int(max(limit, 1)), skipUnknown: all}
	resp := req.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	for _, name := range names {
		at := int32(0)
		if name == from {
			at = first
		}
		if resp.NextCursor = page.add(name, at); resp.NextCursor != nil {
			break
		}
	}
	resp.Topics = page.topics
	return resp
}

// topicPage collects topics until it is full.
type topicPage struct {
	img         *metadata.Image
	listener    string
	left        int // partitions
	skipUnknown bool
	topics      []kmsg.DescribeTopicPartitionsResponseTopic
}

// add puts a topic's partitions from start on into the page; a cursor says that the page is full and where
// to go on.
func (g *topicPage) add(name string, start int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	if g.left == 0 {
		return nextCursor(name, 0)
	}
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.IsInternal, out.AuthorizedOperations = &name, internalTopics[name], topicOperations
	t := g.img.Topics.ByName(name)
	if t == nil {
		if g.skipUnknown {
			return nil
		}
		out.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if err := validTopic(name); err != nil {
			out.ErrorCode = protocol.CodeOf(err)
		}
		g.topics = append(g.topics, out)
		return nil
	}
	out.TopicID = t.ID
	end := min(int64(len(t.Partitions)), int64(start)+int64(g.left))
	for i := int64(start); i < end; i++ {
		if p := t.Partitions[i]; p != nil {
			out.Partitions = append(out.Partitions, g.partition(int32(i), p))
		}
	}
	g.topics = append(g.topics, out)
	if end < int64(len(t.Partitions)) {
		return nextCursor(name, int32(end))
	}
	g.left -= len(out.Partitions)
	return nil
}

func (g *topicPage) partition(index int32, p *metadata.Partition) kmsg.DescribeTopicPartitionsResponseTopicPartition {
	out := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
	out.Partition, out.LeaderID, out.LeaderEpoch = index, -1, p.LeaderEpoch
	if _, reachable := leaderOn(g.img, p, g.listener); reachable {
		out.LeaderID = p.Leader
	}
	out.Replicas, out.ISR = p.Replicas, p.ISR
	out.OfflineReplicas = offlineReplicas(g.img, p, g.listener)
	// Nullable on the wire, never null from Kafka: Java's admin client throws on null.
	out.EligibleLeaderReplicas, out.LastKnownELR = notNull(p.ELR), notNull(p.LastKnownELR)
	return out
}

func nextCursor(topic string, partition int32) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, partition
	return &c
}

func notNull(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
