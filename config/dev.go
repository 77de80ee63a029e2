package config

import (
	"maps"
	"strconv"
)

// devValues are the development profile: waiting times of groups, and one partition per internal topic.
// It never changes validation, error codes, names or formats.
var devValues = map[string]string{
	"group.initial.rebalance.delay.ms":             "0",
	"group.streams.initial.rebalance.delay.ms":     "0",
	"group.consumer.assignment.interval.ms":        "0",
	"group.share.assignment.interval.ms":           "0",
	"group.streams.assignment.interval.ms":         "0",
	"offsets.topic.num.partitions":                 "1",
	"transaction.state.log.num.partitions":         "1",
	"share.coordinator.state.topic.num.partitions": "1",
}

// DevProfile is the development profile for a cluster of so many nodes, to be the Base of Sources: every explicit setting
// wins over it, and DescribeConfigs shows it as STATIC_BROKER_CONFIG. Internal topics get min(3, nodes) replicas and one less in sync, at least 1.
func DevProfile(nodes int) map[string]string {
	out := maps.Clone(devValues)
	replicas := max(1, min(3, nodes))
	inSync := strconv.Itoa(max(1, replicas-1))
	out["offsets.topic.replication.factor"] = strconv.Itoa(replicas)
	for _, topic := range []string{"transaction.state.log", "share.coordinator.state.topic"} {
		out[topic+".replication.factor"] = strconv.Itoa(replicas)
		out[topic+".min.isr"] = inSync
	}
	return out
}
