package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// DeleteTopics, v1-6. Forwarded to the active controller, which decides.
//
// Versions:  4 flexible · 5 message, THROTTLING_QUOTA_EXCEEDED · 6 by topic id
// Errors:    the controller's
// Needs:     DELETE on TOPIC; DESCRIBE decides what is revealed
// Differs from Kafka: the answer waits until this broker's own image has lost the topic, so that its name
// can be used again at once.
var deleteTopics = forwarded(1, 6, deletedTopicsGone)

func deletedTopicsGone(img *metadata.Image, req *kmsg.DeleteTopicsRequest, resp *kmsg.DeleteTopicsResponse) bool {
	for _, gone := range resp.Topics {
		if gone.ErrorCode != 0 {
			continue
		}
		if id := protocol.UUID(gone.TopicID); !id.IsZero() {
			if img.Topics.ByID(id) != nil {
				return false
			}
			continue
		}
		if gone.Topic != nil && img.Topics.ByName(*gone.Topic) != nil {
			return false // v1-5 name no id: a topic created anew meanwhile costs this answer its timeout
		}
	}
	return true
}
