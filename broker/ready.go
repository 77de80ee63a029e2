package broker

import (
	"fmt"
	"maps"
	"slices"
)

// Ready is what a started node tells about itself: the ready file of cmd, the handle of dohletest.
type Ready struct {
	ClusterID string `json:"cluster_id"`
	NodeID    int32  `json:"node_id"`
	PID       int    `json:"pid"`

	// Bootstrap is the advertised address of the first client listener, "" on a node that is only a controller.
	Bootstrap string `json:"bootstrap,omitempty"`

	// Listeners are the bound addresses by listener name, controller listeners included.
	Listeners map[string][]string `json:"listeners"`

	// LogDirs are the paths of the log directories.
	LogDirs []string `json:"log_dirs"`

	role string
}

// Role is what Apache Kafka puts in front of its start line: KafkaRaftServer nodeId=1.
func (r Ready) Role() string { return fmt.Sprintf("%s nodeId=%d", r.role, r.NodeID) }

// Where lists the bound listeners as NAME://host:port, in order of their names.
func (r Ready) Where() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.Listeners)) {
		for _, addr := range r.Listeners[name] {
			list = append(list, name+"://"+addr)
		}
	}
	return list
}
