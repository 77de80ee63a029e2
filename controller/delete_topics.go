package controller

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// DeleteTopics decides about the end of topics, by name or by id (key 20, KIP-516). Kafka answers in random order, so
// that positions do not tell a missing topic from a hidden one; so does this.
func DeleteTopics(s *State, call Call, req *kmsg.DeleteTopicsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.DeleteTopicsResponse)
	d := Decision{Reply: resp}
	answer := func(name *string, id protocol.UUID, err *refusal) {
		t := kmsg.NewDeleteTopicsResponseTopic()
		t.Topic, t.TopicID = name, id
		err.on(&t.ErrorCode, &t.ErrorMessage)
		resp.Topics = append(resp.Topics, t)
	}
	if !config.DeleteTopicEnable.Get(s.Config) {
		err := plain(kerr.TopicDeletionDisabled)
		if req.Version < 3 {
			err = refuse(kerr.InvalidRequest, "This version does not support topic deletion.")
		}
		for _, name := range req.TopicNames {
			answer(&name, protocol.UUID{}, err)
		}
		for _, t := range req.Topics {
			answer(t.Topic, t.TopicID, err)
		}
		return d
	}

	names, ids := map[string]int{}, map[protocol.UUID]int{}
	for _, name := range req.TopicNames {
		names[name]++
	}
	for _, t := range req.Topics {
		id := protocol.UUID(t.TopicID)
		switch {
		case t.Topic == nil && id.IsZero():
			answer(nil, id, refuse(kerr.InvalidRequest, "Neither topic name nor id were specified."))
		case t.Topic == nil:
			ids[id]++
		case !id.IsZero():
			answer(t.Topic, id, refuse(kerr.InvalidRequest, "You may not specify both topic name and topic id."))
		default:
			names[*t.Topic]++
		}
	}
	anywhere := call.may(resourceCluster, clusterName, mayDelete)
	may := func(name string, operation int8) bool { return anywhere || call.may(resourceTopic, name, operation) }

	doomed := map[protocol.UUID]string{}
	for id, n := range ids {
		if n > 1 {
			answer(nil, id, refuse(kerr.InvalidRequest, "Duplicate topic id."))
			continue
		}
		t := s.Image.Topics.ByID(id)
		switch {
		case t == nil:
			answer(nil, id, plain(kerr.UnknownTopicID))
		case may(t.Name, mayDelete):
			doomed[id] = t.Name
		case may(t.Name, mayDescribe):
			answer(&t.Name, id, plain(kerr.TopicAuthorizationFailed))
		default:
			answer(nil, id, plain(kerr.TopicAuthorizationFailed))
		}
	}
	for name, n := range names {
		if n > 1 {
			answer(&name, protocol.UUID{}, refuse(kerr.InvalidRequest, "Duplicate topic name."))
			continue
		}
		t := s.Image.Topics.ByName(name)
		switch {
		case !may(name, mayDescribe):
			answer(&name, protocol.UUID{}, plain(kerr.TopicAuthorizationFailed))
		case t == nil:
			answer(&name, protocol.UUID{}, plain(kerr.UnknownTopicOrPartition))
		case !may(name, mayDelete):
			answer(&name, protocol.UUID{}, plain(kerr.TopicAuthorizationFailed))
		case ids[t.ID] > 0:
			delete(doomed, t.ID)
			answer(&name, t.ID, refuse(kerr.InvalidRequest, "The provided topic name maps to an ID that was already supplied."))
		default:
			doomed[t.ID] = name
		}
	}
	for id, name := range doomed {
		d.Records = append(d.Records, &metadata.RemoveTopicRecord{TopicId: id})
		answer(&name, id, nil)
	}
	// Map order must not get out: sort, then shuffle with the seed that was handed in.
	slices.SortFunc(d.Records, func(a, b metadata.Record) int {
		return a.(*metadata.RemoveTopicRecord).TopicId.Compare(b.(*metadata.RemoveTopicRecord).TopicId)
	})
	slices.SortFunc(resp.Topics, func(a, b kmsg.DeleteTopicsResponseTopic) int {
		return cmp.Or(strings.Compare(deref(a.Topic), deref(b.Topic)), protocol.UUID(a.TopicID).Compare(b.TopicID))
	})
	s.Rand.Shuffle(len(resp.Topics), func(i, j int) { resp.Topics[i], resp.Topics[j] = resp.Topics[j], resp.Topics[i] })
	return d
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
