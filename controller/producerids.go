package controller

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// producerIDBlock is how many producer ids a broker gets at once.
const producerIDBlock = 1000

// AllocateProducerIDs hands the next block to a broker (key 67, KIP-730).
func AllocateProducerIDs(s *State, req *kmsg.AllocateProducerIDsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.AllocateProducerIDsResponse)
	d := Decision{Reply: resp}
	if _, err := s.checkBrokerEpoch(req.BrokerID, req.BrokerEpoch); err != nil {
		resp.ErrorCode = err.code.Code
		return d
	}
	first := s.Image.ProducerIDs.Next
	if first > math.MaxInt64-producerIDBlock {
		resp.ErrorCode = kerr.UnknownServerError.Code
		return d
	}
	resp.ProducerIDStart, resp.ProducerIDLen = first, producerIDBlock
	d.Records = []metadata.Record{&metadata.ProducerIdsRecord{BrokerId: req.BrokerID, BrokerEpoch: req.BrokerEpoch, NextProducerId: first + producerIDBlock}}
	return d
}
