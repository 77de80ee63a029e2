package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// DescribeQuorum, v0-2. A broker forwards it; on a controller listener the quorum answers.
//
// Versions:  1 fetch and catch-up times (KIP-836) · 2 endpoints, directory ids, error text (KIP-853)
// Errors:    NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION
// Needs:     DESCRIBE on CLUSTER
// Differs from Kafka: nothing known.
var describeQuorum = forwarded[kmsg.DescribeQuorumRequest, *kmsg.DescribeQuorumRequest, *kmsg.DescribeQuorumResponse](0, 2, nil).
	onControllerListener(describeQuorumHere)

func describeQuorumHere(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
	answer := quorumRequest(d, c, req)
	if resp, ok := answer.Response().(*kmsg.DescribeQuorumResponse); ok {
		orEmpty(&resp.ErrorMessage) // Kafka: empty, not null
		for i := range resp.Topics {
			for j := range resp.Topics[i].Partitions {
				orEmpty(&resp.Topics[i].Partitions[j].ErrorMessage)
			}
		}
	}
	return answer
}

func orEmpty(text **string) {
	if *text == nil {
		*text = new(string)
	}
}
