package api

import (
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/coordinator/group"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// FindCoordinator, v0-6. The broker that leads the partition of an internal topic that a key belongs to.
//
// Versions:  1 kinds of keys, throttle time, message · 3 flexible · 4 many keys (KIP-699) · 6 share coordinators (KIP-932)
// Errors:    COORDINATOR_NOT_AVAILABLE, INVALID_REQUEST
// Needs:     DESCRIBE on GROUP or TRANSACTIONAL_ID, CLUSTER_ACTION on CLUSTER for share keys
// Differs from Kafka: the topic that is created on demand is waited for for a moment, where Kafka answers
// COORDINATOR_NOT_AVAILABLE first; transactional ids and share keys have no coordinator, and get that answer always.
var findCoordinator = defineTable(0, 6, OnBroker, (*Dispatcher).findCoordinator)

// Kinds of keys.
const (
	coordinatorGroup       int8 = 0
	coordinatorTransaction int8 = 1
	coordinatorShare       int8 = 2
)

// noErrorMessage is the message of an answer that is no error, v1-3: the name of the code.
const noErrorMessage = "NONE"

func (d *Dispatcher) findCoordinator(c *server.Ctx, req *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	resp := req.ResponseKind().(*kmsg.FindCoordinatorResponse)
	f := finder{d: d, c: c, img: d.h.Images.Image()}
	if req.Version < 4 {
		found := f.find(req.Version, req.CoordinatorType, req.CoordinatorKey)
		resp.NodeID, resp.Host, resp.Port, resp.ErrorCode = found.NodeID, found.Host, found.Port, found.ErrorCode
		text := noErrorMessage
		resp.ErrorMessage = &text
		if found.ErrorCode != 0 {
			resp.ErrorMessage = protocol.MessageOf(kerr.ErrorForCode(found.ErrorCode))
		}
		return resp
	}
	resp.Coordinators = make([]kmsg.FindCoordinatorResponseCoordinator, 0, len(req.CoordinatorKeys))
	for _, key := range req.CoordinatorKeys { // the message is empty: Kafka fills it only when it fails the request as a whole
		resp.Coordinators = append(resp.Coordinators, f.find(req.Version, req.CoordinatorType, key))
	}
	return resp
}

// finder answers the keys of one request; it has a topic created at most once.
type finder struct {
	d     *Dispatcher
	c     *server.Ctx
	img   *metadata.Image
	asked bool
}

func (f *finder) find(version int16, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	out := kmsg.NewFindCoordinatorResponseCoordinator()
	out.Key, out.NodeID, out.Port, out.ErrorMessage = key, -1, -1, new(string)
	switch kind {
	case coordinatorGroup:
		f.leader(group.TopicName, f.d.h.Groups.PartitionFor(key), &out)
	case coordinatorTransaction:
		out.ErrorCode = kerr.CoordinatorNotAvailable.Code
	case coordinatorShare:
		out.ErrorCode = kerr.CoordinatorNotAvailable.Code
		if version < 6 || !validShareKey(key) {
			out.ErrorCode = kerr.InvalidRequest.Code
		}
	default:
		out.ErrorCode, out.ErrorMessage = kerr.InvalidRequest.Code, protocol.MessageOf(kerr.InvalidRequest)
	}
	return out
}

// leader fills in who leads a partition of an internal topic, which is created when it does not exist.
func (f *finder) leader(topic string, partition int32, out *kmsg.FindCoordinatorResponseCoordinator) {
	out.ErrorCode = kerr.CoordinatorNotAvailable.Code
	t := f.img.Topics.ByName(topic)
	if t == nil && !f.asked {
		f.asked = true
		f.img = f.d.createAndWait(f.c, []string{topic}, f.img)
		t = f.img.Topics.ByName(topic)
	}
	if t == nil {
		return
	}
	p := t.Partition(partition)
	if p == nil {
		return
	}
	b := f.img.Brokers.Get(p.Leader)
	if b == nil || b.Fenced {
		return
	}
	if e, ok := b.Endpoint(f.c.Listener); ok {
		out.ErrorCode, out.NodeID, out.Host, out.Port = 0, b.ID, e.Host, int32(e.Port)
	}
}

// validShareKey checks "group:topic id:partition"; the group may contain colons.
func validShareKey(key string) bool {
	parts := strings.Split(key, ":")
	if len(parts) < 3 {
		return false
	}
	n := len(parts)
	if strings.TrimSpace(strings.Join(parts[:n-2], ":")) == "" {
		return false
	}
	if _, err := protocol.ParseUUID(parts[n-2]); err != nil {
		return false
	}
	_, err := strconv.ParseInt(parts[n-1], 10, 32)
	return err == nil
}
