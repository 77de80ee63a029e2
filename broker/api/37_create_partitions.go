package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// CreatePartitions, v0-3. Forwarded to the active controller, which decides.
//
// Versions:  2 flexible · 3 THROTTLING_QUOTA_EXCEEDED
// Errors:    the controller's
// Needs:     ALTER on TOPIC
// Differs from Kafka: the answer waits until this broker's own image has the partitions.
var createPartitions = forwarded(0, 3, createdPartitionsShown)

func createdPartitionsShown(img *metadata.Image, req *kmsg.CreatePartitionsRequest, resp *kmsg.CreatePartitionsResponse) bool {
	if req.ValidateOnly {
		return true
	}
	failed := map[string]bool{}
	for _, t := range resp.Topics {
		failed[t.Topic] = t.ErrorCode != 0
	}
	for _, asked := range req.Topics {
		if failed[asked.Topic] {
			continue
		}
		t := img.Topics.ByName(asked.Topic)
		if t != nil && len(t.Partitions) < int(asked.Count) {
			return false // a topic that is gone again is no reason to wait
		}
	}
	return true
}
