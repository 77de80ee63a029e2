package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// CreatePartitions decides about more partitions for topics that exist (key 37, KIP-195).
func CreatePartitions(s *State, call Call, req *kmsg.CreatePartitionsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.CreatePartitionsResponse)
	d := Decision{Reply: resp}
	answer := func(name string, err *refusal) {
		t := kmsg.NewCreatePartitionsResponseTopic()
		t.Topic = name
		err.on(&t.ErrorCode, &t.ErrorMessage)
		resp.Topics = append(resp.Topics, t)
	}
	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	reported := map[string]bool{}
	var accepted []*kmsg.CreatePartitionsRequestTopic
	for i := range req.Topics {
		t := &req.Topics[i]
		switch {
		case count[t.Topic] > 1:
			if !reported[t.Topic] {
				reported[t.Topic] = true
				answer(t.Topic, refuse(kerr.InvalidRequest, "Duplicate topic name."))
			}
		case !call.may(resourceTopic, t.Topic, mayAlter):
			answer(t.Topic, &refusal{code: kerr.TopicAuthorizationFailed}) // Kafka sends no text here
		default:
			accepted = append(accepted, t)
		}
	}
	if s.additional(accepted) > maxRecordsPerRequest {
		text := "Excessively large number of additional partitions per request."
		return Decision{Reply: ErrorResponse(req, kerr.PolicyViolation, &text)}
	}
	for _, t := range accepted {
		records, err := s.createPartitions(t)
		if err == nil {
			d.Records = append(d.Records, records...)
		}
		answer(t.Topic, err)
	}
	if req.ValidateOnly {
		d.onlyChecked()
	}
	return d
}

// additional is how many partitions a request would add. Too many of them fail it as a whole.
func (s *State) additional(asked []*kmsg.CreatePartitionsRequestTopic) int {
	sum := 0
	for _, t := range asked {
		if topic := s.Image.Topics.ByName(t.Topic); topic != nil {
			sum += max(int(t.Count)-len(topic.Partitions), 0)
		}
	}
	return sum
}

func (s *State) createPartitions(t *kmsg.CreatePartitionsRequestTopic) ([]metadata.Record, *refusal) {
	topic := s.Image.Topics.ByName(t.Topic)
	if topic == nil {
		return nil, &refusal{code: kerr.UnknownTopicOrPartition}
	}
	have := len(topic.Partitions)
	switch {
	case int(t.Count) == have:
		return nil, refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case int(t.Count) < have:
		return nil, refuse(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)
	}
	add := int(t.Count) - have
	if t.Assignment != nil && len(t.Assignment) != add {
		return nil, refuse(kerr.InvalidReplicaAssignment,
			"Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", add, len(t.Assignment))
	}
	factor := len(topic.Partitions[0].Replicas)
	var sets [][]int32
	if t.Assignment != nil {
		for i, a := range t.Assignment {
			if err := s.checkAssignment(a.Replicas, factor); err != nil {
				return nil, err
			}
			if s.newPartition(a.Replicas) == nil {
				return nil, refuse(kerr.InvalidReplicaAssignment,
					"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", have+i)
			}
			sets = append(sets, a.Replicas)
		}
	} else {
		var err error
		if sets, err = newPlacer(s.Rand, s.Image.Brokers).place(add, factor); err != nil {
			return nil, refuse(kerr.InvalidReplicationFactor, "%s", err)
		}
	}
	records := make([]metadata.Record, 0, add)
	for i, replicas := range sets {
		p := s.newPartition(replicas)
		if p == nil {
			return nil, refuse(kerr.InvalidReplicationFactor,
				"Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", factor)
		}
		records = append(records, s.partitionRecord(topic.ID, int32(have+i), p))
	}
	return records, nil
}
