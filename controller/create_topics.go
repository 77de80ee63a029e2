package controller

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// Rights that decisions ask for, Kafka's numbers.
const (
	resourceTopic   int8 = 2
	resourceCluster int8 = 4

	mayCreate          int8 = 5
	mayDelete          int8 = 6
	mayAlter           int8 = 7
	mayDescribe        int8 = 8
	mayAlterConfigs    int8 = 11
	mayDescribeConfigs int8 = 10

	clusterName = "kafka-cluster"
)

func (c Call) may(resource int8, name string, operation int8) bool {
	return c.Allowed == nil || c.Allowed(resource, name, operation)
}

// CreateTopics decides about new topics (key 19). Every topic succeeds or fails by itself; what succeeds is one batch.
// Order of checks, codes and texts are Kafka's. Topics named twice in a request fail both times, reported once.
func CreateTopics(s *State, call Call, req *kmsg.CreateTopicsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	var d Decision
	d.Reply = resp

	count := map[string]int{}
	for i := range req.Topics {
		count[req.Topics[i].Topic]++
	}
	anywhere := call.may(resourceCluster, clusterName, mayCreate)
	authorized := func(name string) bool {
		return name != metadataTopic && (anywhere || call.may(resourceTopic, name, mayCreate))
	}

	total := 0
	for i := range req.Topics {
		t := &req.Topics[i]
		if count[t.Topic] > 1 || !authorized(t.Topic) {
			continue
		}
		switch {
		case len(t.ReplicaAssignment) > 0:
			total += len(t.ReplicaAssignment)
		case t.NumPartitions == -1:
			total += int(config.NumPartitions.Get(s.Config))
		case t.NumPartitions > 0:
			total += int(t.NumPartitions)
		}
	}
	var excess *refusal
	if total > maxPartitionsPerRequest {
		excess = refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}

	collisions := map[string]string(nil) // built when a name asks for it
	for i := range req.Topics {
		t := &req.Topics[i]
		if excess == nil && (count[t.Topic] > 1 || !authorized(t.Topic)) {
			continue
		}
		out := topicAnswer(t.Topic)
		err := excess
		if err == nil {
			err = s.checkNewTopicName(t.Topic, &collisions)
		}
		if err == nil {
			var records []metadata.Record
			if records, err = s.createTopic(call, t, &out); err == nil {
				d.Records = append(d.Records, records...)
			}
		}
		if err != nil {
			out = topicAnswer(t.Topic)
			err.on(&out.ErrorCode, &out.ErrorMessage)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if excess == nil {
		for i := range req.Topics {
			name := req.Topics[i].Topic
			var err *refusal
			switch {
			case count[name] > 1:
				err = refuse(kerr.InvalidRequest, "Duplicate topic name.")
				count[name] = -1
			case count[name] < 0:
				continue
			case name == metadataTopic:
				err = refuse(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", metadataTopic)
			case !authorized(name):
				err = refuse(kerr.TopicAuthorizationFailed, "Authorization failed.")
			default:
				continue
			}
			out := topicAnswer(name)
			err.on(&out.ErrorCode, &out.ErrorMessage)
			resp.Topics = append(resp.Topics, out)
		}
	}
	if req.ValidateOnly {
		d.onlyChecked()
	}
	return d
}

func topicAnswer(name string) kmsg.CreateTopicsResponseTopic {
	t := kmsg.NewCreateTopicsResponseTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	t.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	return t
}

func (s *State) checkNewTopicName(name string, collisions *map[string]string) *refusal {
	err := checkTopicName(name)
	if canCollide(name) {
		if *collisions == nil {
			*collisions = map[string]string{}
			for t := range s.Image.Topics.All() {
				if key := collisionKey(t.Name); canCollide(t.Name) && ((*collisions)[key] == "" || t.Name < (*collisions)[key]) {
					(*collisions)[key] = t.Name
				}
			}
		}
		if other := (*collisions)[collisionKey(name)]; other != "" {
			err = refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
		}
	}
	if s.Image.Topics.ByName(name) != nil {
		err = refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	return err
}

func (s *State) createTopic(call Call, t *kmsg.CreateTopicsRequestTopic, out *kmsg.CreateTopicsResponseTopic) ([]metadata.Record, *refusal) {
	configs, err := s.newTopicConfigs(t)
	if err != nil {
		return nil, err
	}
	partitions, err := s.newTopicPartitions(t)
	if err != nil {
		return nil, err
	}
	id := protocol.RandomUUID(s.Rand)
	out.TopicID = id
	if call.may(resourceTopic, t.Topic, mayDescribeConfigs) {
		out.NumPartitions, out.ReplicationFactor = int32(len(partitions)), int16(len(partitions[0].Replicas))
		out.Configs = s.effectiveConfigs(configs)
	} else {
		out.ConfigErrorCode = kerr.TopicAuthorizationFailed.Code
	}
	records := []metadata.Record{&metadata.TopicRecord{Name: t.Topic, TopicId: id}}
	clear := false
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		value := configs[name]
		records = append(records, &metadata.ConfigRecord{ResourceType: metadata.ConfigTopic, ResourceName: t.Topic, Name: name, Value: &value})
		clear = clear || name == config.MinInsyncReplicas.Name()
	}
	if clear && s.Image.Features.ELREnabled() {
		records = append(records, &metadata.ClearElrRecord{TopicName: t.Topic})
	}
	for i, p := range partitions {
		records = append(records, s.partitionRecord(id, int32(i), p))
	}
	return records, nil
}

func (s *State) newTopicConfigs(t *kmsg.CreateTopicsRequestTopic) (map[string]string, *refusal) {
	if len(t.Configs) == 0 {
		return nil, nil
	}
	configs := make(map[string]string, len(t.Configs))
	var null []string
	for _, c := range t.Configs {
		if c.Value == nil {
			null = append(null, c.Name)
		} else {
			configs[c.Name] = *c.Value
		}
	}
	if len(null) > 0 {
		return nil, refuse(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(null, ","))
	}
	for _, value := range configs {
		if len(value) > maxConfigValue {
			return nil, errConfigTooLong
		}
	}
	if err := config.ValidateTopicConfigs(s.BrokerView(), nil, configs); err != nil {
		return nil, refusalOf(err)
	}
	return configs, nil
}

// refusalOf turns an error of another room into an answer: Kafka's code and the error's text.
func refusalOf(err error) *refusal {
	if err == nil {
		return nil
	}
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	code := kerr.UnknownServerError
	var k *kerr.Error
	if errors.As(err, &k) {
		code = k
	}
	return &refusal{code, err.Error()}
}

func (s *State) newTopicPartitions(t *kmsg.CreateTopicsRequestTopic) ([]*metadata.Partition, *refusal) {
	switch {
	case len(t.ReplicaAssignment) > 0:
		return s.assignedPartitions(t)
	case t.ReplicationFactor < -1 || t.ReplicationFactor == 0:
		return nil, refuse(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	case t.NumPartitions < -1 || t.NumPartitions == 0:
		return nil, refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	n, factor := int(t.NumPartitions), int(t.ReplicationFactor)
	if n == -1 {
		n = int(config.NumPartitions.Get(s.Config))
	}
	if factor == -1 {
		factor = int(config.DefaultReplicationFactor.Get(s.Config))
	}
	sets, err := newPlacer(s.Rand, s.Image.Brokers).place(n, factor)
	if err != nil {
		return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): %s", factor, err)
	}
	partitions := make([]*metadata.Partition, n)
	for i, replicas := range sets {
		if partitions[i] = s.newPartition(replicas); partitions[i] == nil {
			return nil, refuse(kerr.InvalidReplicationFactor,
				"Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", factor)
		}
	}
	return partitions, nil
}

func (s *State) assignedPartitions(t *kmsg.CreateTopicsRequestTopic) ([]*metadata.Partition, *refusal) {
	if t.ReplicationFactor != -1 {
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if t.NumPartitions != -1 {
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	byIndex := map[int32]*metadata.Partition{}
	factor := -1
	for _, a := range t.ReplicaAssignment {
		if byIndex[a.Partition] != nil {
			return nil, refuse(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if err := s.checkAssignment(a.Replicas, factor); err != nil {
			return nil, err
		}
		factor = len(a.Replicas)
		p := s.newPartition(a.Replicas)
		if p == nil {
			return nil, refuse(kerr.InvalidReplicaAssignment,
				"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", a.Partition)
		}
		byIndex[a.Partition] = p
	}
	partitions := make([]*metadata.Partition, len(byIndex))
	for i := range partitions {
		if partitions[i] = byIndex[int32(i)]; partitions[i] == nil {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
	}
	return partitions, nil
}

// checkAssignment looks at one hand-made list of replicas. factor is how many there must be, -1 if that is open.
func (s *State) checkAssignment(replicas []int32, factor int) *refusal {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	ids := slices.Sorted(slices.Values(replicas))
	for i, id := range ids {
		if s.Image.Brokers.Get(id) == nil {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, but no such broker is registered.", id)
		}
		if i > 0 && ids[i-1] == id {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if factor >= 0 && len(ids) != factor {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), "+
			"but this is not consistent with previous partitions, which have %d replica(s).", len(ids), factor)
	}
	return nil
}

// newPartition starts a partition on replicas; nil when none of them is active.
func (s *State) newPartition(replicas []int32) *metadata.Partition {
	p := &metadata.Partition{Replicas: replicas}
	for _, r := range replicas {
		p.Directories = append(p.Directories, s.defaultDir(r))
		if s.active(r) {
			p.ISR = append(p.ISR, r)
		}
	}
	if len(p.ISR) == 0 {
		return nil
	}
	p.Leader = p.ISR[0]
	return p
}

func (s *State) partitionRecord(id protocol.UUID, index int32, p *metadata.Partition) *metadata.PartitionRecord {
	r := &metadata.PartitionRecord{PartitionId: index, TopicId: id, Replicas: p.Replicas, Isr: p.ISR, Leader: p.Leader,
		LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch}
	if s.Image.Level().DirectoryAssignmentSupported() {
		r.Directories = p.Directories
	}
	return r
}

// effectiveConfigs are a new topic's configs as the answer lists them, by name.
func (s *State) effectiveConfigs(topic map[string]string) []kmsg.CreateTopicsResponseTopicConfig {
	layers := config.Layers{Static: s.Config, Default: s.Image.Configs.Broker(""), Broker: s.ownConfigs()}
	entries := config.DescribeTopic(layers, topic)
	out := make([]kmsg.CreateTopicsResponseTopicConfig, 0, len(entries))
	for _, e := range entries {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.ReadOnly, c.Source, c.IsSensitive = e.Name, e.Value, e.ReadOnly, int8(e.Source), e.Sensitive
		if e.Sensitive {
			c.Value = nil
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b kmsg.CreateTopicsResponseTopicConfig) int { return strings.Compare(a.Name, b.Name) })
	return out
}
