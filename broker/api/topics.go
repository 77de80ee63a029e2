package api

import (
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// maxTopicName is the longest topic name in bytes.
const maxTopicName = 249

// validTopic checks a topic name by Kafka's rule; the error is INVALID_TOPIC_EXCEPTION with its sentence.
func validTopic(name string) error {
	reason := ""
	switch {
	case name == "":
		reason = "the empty string is not allowed"
	case name == "." || name == "..":
		reason = fmt.Sprintf("'%s' is not allowed", name)
	case len(name) > maxTopicName:
		reason = fmt.Sprintf("the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	default:
		for i := range len(name) {
			switch c := name[i]; {
			case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			default:
				reason = fmt.Sprintf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
			}
		}
	}
	if reason == "" {
		return nil
	}
	return protocol.Errorf(kerr.InvalidTopicException, "Topic name is invalid: %s", reason)
}

// Bit fields of what a caller may do, by AclOperation number. Without an authorizer that is everything that
// exists for the kind of resource.
const (
	// READ 3, WRITE 4, CREATE 5, DELETE 6, ALTER 7, DESCRIBE 8, DESCRIBE_CONFIGS 10, ALTER_CONFIGS 11
	topicOperations int32 = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	// CREATE 5, ALTER 7, DESCRIBE 8, CLUSTER_ACTION 9, DESCRIBE_CONFIGS 10, ALTER_CONFIGS 11, IDEMPOTENT_WRITE 12
	clusterOperations int32 = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// aliveOn keeps the brokers that are registered, not fenced, and listen on listener.
func aliveOn(img *metadata.Image, ids []int32, listener string) []int32 {
	alive := make([]int32, 0, len(ids))
	for _, id := range ids {
		if b := img.Brokers.Get(id); b != nil && !b.Fenced {
			if _, ok := b.Endpoint(listener); ok {
				alive = append(alive, id)
			}
		}
	}
	return alive
}

// offlineReplicas are those on brokers that are gone, fenced or not on listener, or in a dead directory.
func offlineReplicas(img *metadata.Image, p *metadata.Partition, listener string) []int32 {
	var offline []int32
	for i, id := range p.Replicas {
		b := img.Brokers.Get(id)
		if b != nil && !b.Fenced && b.HasOnlineDir(p.Directories[i]) {
			if _, ok := b.Endpoint(listener); ok {
				continue
			}
		}
		offline = append(offline, id)
	}
	return offline
}

// leaderOn reports whether the partition's leader can be named to a client of listener. Kafka looks for a
// registration with that listener here, fenced or not.
func leaderOn(img *metadata.Image, p *metadata.Partition, listener string) (registered, reachable bool) {
	b := img.Brokers.Get(p.Leader)
	if b == nil {
		return false, false
	}
	_, ok := b.Endpoint(listener)
	return true, ok
}

// controllerForClients is the broker that clients are told to send admin requests to: any live one will do,
// since all forward them. This node comes first, so that a client stays where it is.
func (h *Handlers) controllerForClients(img *metadata.Image) int32 {
	if b := img.Brokers.Get(h.NodeID); b != nil && !b.Fenced {
		return h.NodeID
	}
	for b := range img.Brokers.All() {
		if !b.Fenced {
			return b.ID
		}
	}
	return -1
}

func itoa(n int32) string { return strconv.Itoa(int(n)) }
