package api

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// errorResponse is the answer that fails a whole request: the code at the top where the answer has one, and
// on every item that the request named, as Kafka's getErrorResponse does it.
func errorResponse(req kmsg.Request, err error) kmsg.Response {
	resp := req.ResponseKind()
	code, message := protocol.CodeOf(err), protocol.MessageOf(err)
	switch q := req.(type) {
	case *kmsg.CreateTopicsRequest:
		r := resp.(*kmsg.CreateTopicsResponse)
		for _, t := range q.Topics {
			item := kmsg.NewCreateTopicsResponseTopic()
			item.Topic, item.ErrorCode, item.ErrorMessage = t.Topic, code, message
			item.Configs = []kmsg.CreateTopicsResponseTopicConfig{} // nullable, and Java throws on null
			r.Topics = append(r.Topics, item)
		}
	case *kmsg.DeleteTopicsRequest:
		r := resp.(*kmsg.DeleteTopicsResponse)
		for i := range q.TopicNames {
			item := kmsg.NewDeleteTopicsResponseTopic()
			item.Topic, item.ErrorCode, item.ErrorMessage = &q.TopicNames[i], code, message
			r.Topics = append(r.Topics, item)
		}
		for _, t := range q.Topics {
			item := kmsg.NewDeleteTopicsResponseTopic()
			item.Topic, item.TopicID, item.ErrorCode, item.ErrorMessage = t.Topic, t.TopicID, code, message
			r.Topics = append(r.Topics, item)
		}
	case *kmsg.CreatePartitionsRequest:
		r := resp.(*kmsg.CreatePartitionsResponse)
		for _, t := range q.Topics {
			item := kmsg.NewCreatePartitionsResponseTopic()
			item.Topic, item.ErrorCode, item.ErrorMessage = t.Topic, code, message
			r.Topics = append(r.Topics, item)
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		r := resp.(*kmsg.IncrementalAlterConfigsResponse)
		for _, t := range q.Resources {
			item := kmsg.NewIncrementalAlterConfigsResponseResource()
			item.ResourceType, item.ResourceName, item.ErrorCode, item.ErrorMessage = t.ResourceType, t.ResourceName, code, message
			r.Resources = append(r.Resources, item)
		}
	case *kmsg.AlterConfigsRequest:
		r := resp.(*kmsg.AlterConfigsResponse)
		for _, t := range q.Resources {
			item := kmsg.NewAlterConfigsResponseResource()
			item.ResourceType, item.ResourceName, item.ErrorCode, item.ErrorMessage = t.ResourceType, t.ResourceName, code, message
			r.Resources = append(r.Resources, item)
		}
	case *kmsg.DescribeConfigsRequest:
		r := resp.(*kmsg.DescribeConfigsResponse)
		for _, t := range q.Resources {
			item := kmsg.NewDescribeConfigsResponseResource()
			item.ResourceType, item.ResourceName, item.ErrorCode, item.ErrorMessage = t.ResourceType, t.ResourceName, code, message
			r.Resources = append(r.Resources, item)
		}
	case *kmsg.DescribeTopicPartitionsRequest:
		r := resp.(*kmsg.DescribeTopicPartitionsResponse)
		for i := range q.Topics {
			item := kmsg.NewDescribeTopicPartitionsResponseTopic()
			item.Topic, item.ErrorCode = &q.Topics[i].Topic, code
			r.Topics = append(r.Topics, item)
		}
	case *kmsg.ElectLeadersRequest:
		r := resp.(*kmsg.ElectLeadersResponse)
		r.ErrorCode = code
		for _, t := range q.Topics {
			item := kmsg.NewElectLeadersResponseTopic()
			item.Topic = t.Topic
			for _, p := range t.Partitions {
				part := kmsg.NewElectLeadersResponseTopicPartition()
				part.Partition, part.ErrorCode, part.ErrorMessage = p, code, message
				item.Partitions = append(item.Partitions, part)
			}
			r.Topics = append(r.Topics, item)
		}
	default:
		setTopError(resp, code, message)
	}
	return resp
}

// setTopError fills ErrorCode and ErrorMessage, which almost every other answer has at its top.
func setTopError(resp kmsg.Response, code int16, message *string) {
	v := reflect.ValueOf(resp).Elem()
	if f := v.FieldByName("ErrorCode"); f.IsValid() && f.Kind() == reflect.Int16 {
		f.SetInt(int64(code))
	}
	if f := v.FieldByName("ErrorMessage"); f.IsValid() && f.Type() == reflect.TypeFor[*string]() {
		f.Set(reflect.ValueOf(message))
	}
}
