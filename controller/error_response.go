package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrorResponse answers a whole request with one error, in the places where Kafka puts it: at the top where the answer
// has a field there, else on every item. A nil message is the text that Kafka keeps for the code;
// a time-out has none.
func ErrorResponse(req kmsg.Request, code *kerr.Error, message *string) kmsg.Response {
	if message == nil && code != kerr.RequestTimedOut {
		message = &code.Description
	}
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	switch r := req.(type) {
	case *kmsg.CreateTopicsRequest:
		out := resp.(*kmsg.CreateTopicsResponse)
		for i := range r.Topics {
			t := topicAnswer(r.Topics[i].Topic)
			t.ErrorCode, t.ErrorMessage = code.Code, message
			out.Topics = append(out.Topics, t)
		}
	case *kmsg.DeleteTopicsRequest:
		out := resp.(*kmsg.DeleteTopicsResponse)
		add := func(name *string, id [16]byte) {
			t := kmsg.NewDeleteTopicsResponseTopic()
			t.Topic, t.TopicID, t.ErrorCode = name, id, code.Code
			out.Topics = append(out.Topics, t)
		}
		for i := range r.TopicNames {
			add(&r.TopicNames[i], [16]byte{})
		}
		for _, t := range r.Topics {
			add(t.Topic, t.TopicID)
		}
	case *kmsg.CreatePartitionsRequest:
		out := resp.(*kmsg.CreatePartitionsResponse)
		for i := range r.Topics {
			t := kmsg.NewCreatePartitionsResponseTopic()
			t.Topic, t.ErrorCode, t.ErrorMessage = r.Topics[i].Topic, code.Code, message
			out.Topics = append(out.Topics, t)
		}
	case *kmsg.AlterConfigsRequest:
		out := resp.(*kmsg.AlterConfigsResponse)
		for i := range r.Resources {
			a := kmsg.NewAlterConfigsResponseResource()
			a.ResourceType, a.ResourceName, a.ErrorCode, a.ErrorMessage = r.Resources[i].ResourceType, r.Resources[i].ResourceName, code.Code, message
			out.Resources = append(out.Resources, a)
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		out := resp.(*kmsg.IncrementalAlterConfigsResponse)
		for i := range r.Resources {
			a := kmsg.NewIncrementalAlterConfigsResponseResource()
			a.ResourceType, a.ResourceName, a.ErrorCode, a.ErrorMessage = r.Resources[i].ResourceType, r.Resources[i].ResourceName, code.Code, message
			out.Resources = append(out.Resources, a)
		}
	case *kmsg.ElectLeadersRequest:
		out := resp.(*kmsg.ElectLeadersResponse)
		out.ErrorCode = code.Code
		out.Topics = []kmsg.ElectLeadersResponseTopic{}
		for _, t := range r.Topics {
			a := kmsg.NewElectLeadersResponseTopic()
			a.Topic = t.Topic
			for _, p := range t.Partitions {
				b := kmsg.NewElectLeadersResponseTopicPartition()
				b.Partition, b.ErrorCode, b.ErrorMessage = p, code.Code, message
				a.Partitions = append(a.Partitions, b)
			}
			out.Topics = append(out.Topics, a)
		}
	case *kmsg.ListPartitionReassignmentsRequest:
		out := resp.(*kmsg.ListPartitionReassignmentsResponse)
		out.ErrorCode, out.ErrorMessage, out.Topics = code.Code, message, []kmsg.ListPartitionReassignmentsResponseTopic{}
	case *kmsg.AlterPartitionRequest:
		out := resp.(*kmsg.AlterPartitionResponse)
		out.ErrorCode, out.Topics = code.Code, []kmsg.AlterPartitionResponseTopic{}
	case *kmsg.UpdateFeaturesRequest:
		out := resp.(*kmsg.UpdateFeaturesResponse)
		out.ErrorCode, out.ErrorMessage, out.Results = code.Code, message, []kmsg.UpdateFeaturesResponseResult{}
	case *kmsg.BrokerRegistrationRequest:
		out := resp.(*kmsg.BrokerRegistrationResponse)
		out.ErrorCode, out.BrokerEpoch = code.Code, -1
	case *kmsg.BrokerHeartbeatRequest:
		out := resp.(*kmsg.BrokerHeartbeatResponse)
		out.ErrorCode, out.IsFenced = code.Code, true
	case *kmsg.UnregisterBrokerRequest:
		out := resp.(*kmsg.UnregisterBrokerResponse)
		out.ErrorCode, out.ErrorMessage = code.Code, message
	case *kmsg.AllocateProducerIDsRequest:
		resp.(*kmsg.AllocateProducerIDsResponse).ErrorCode = code.Code
	case *kmsg.ControllerRegistrationRequest:
		out := resp.(*kmsg.ControllerRegistrationResponse)
		out.ErrorCode, out.ErrorMessage = code.Code, message
	case *kmsg.AssignReplicasToDirsRequest:
		out := resp.(*kmsg.AssignReplicasToDirsResponse)
		out.ErrorCode, out.Directories = code.Code, []kmsg.AssignReplicasToDirsResponseDirectory{}
	}
	return resp
}
