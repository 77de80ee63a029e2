package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// CreateTopics, v2-7. Forwarded to the active controller, which decides.
//
// Versions:  4 -1 for partitions and replication factor · 5 configs in the answer, flexible · 6
// THROTTLING_QUOTA_EXCEEDED · 7 topic id in the answer
// Errors:    the controller's
// Needs:     CREATE on CLUSTER or TOPIC
// Differs from Kafka: the answer waits until this broker's own image has the topic.
var createTopics = forwarded(2, 7, createdTopicsShown)

func createdTopicsShown(img *metadata.Image, req *kmsg.CreateTopicsRequest, resp *kmsg.CreateTopicsResponse) bool {
	if req.ValidateOnly {
		return true
	}
	for _, made := range resp.Topics {
		if made.ErrorCode != 0 {
			continue
		}
		t := img.Topics.ByName(made.Topic)
		if t == nil || resp.Version >= 7 && t.ID != protocol.UUID(made.TopicID) {
			return false
		}
	}
	return true
}
