package controller

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// maxConfigValue is the longest value of a config, in bytes (a string of the records' first encoding).
const maxConfigValue = 32767

var errConfigTooLong = refuse(kerr.InvalidConfig,
	"The configuration value cannot be added because it exceeds the maximum value size of %d bytes.", maxConfigValue)

// Rights on resources other than topics and the cluster, Kafka's number.
const resourceGroup int8 = 3

// A configChange is what a request asks of one resource: values by key, nil to remove.
type configChange struct {
	resource metadata.ConfigResource
	keys     []string // in the order of the request
	values   map[string]*string
	implicit []string // keys that go because a legacy request does not name them
}

func (s *State) ownConfigs() map[string]string {
	return s.Image.Configs.Broker(strconv.Itoa(int(s.NodeID)))
}

// IncrementalAlterConfigs decides about configs, key by key (key 44, KIP-339). Each resource succeeds or fails by
// itself. Loggers of a broker are no business of the controller and refused.
func IncrementalAlterConfigs(s *State, call Call, req *kmsg.IncrementalAlterConfigsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	resp.Resources = []kmsg.IncrementalAlterConfigsResponseResource{}
	d := Decision{Reply: resp}
	answer := func(r metadata.ConfigResource, err *refusal) {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = kmsg.ConfigResourceType(r.Type), r.Name
		err.on(&out.ErrorCode, &out.ErrorMessage)
		resp.Resources = append(resp.Resources, out)
	}
	count := map[metadata.ConfigResource]int{}
	for i := range req.Resources {
		count[metadata.ConfigResource{Type: int8(req.Resources[i].ResourceType), Name: req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		r := &req.Resources[i]
		res := metadata.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}
		err := s.mayAlterConfigs(call, res, count)
		if count[res] > 1 {
			count[res] = -1
		} else if count[res] < 0 {
			continue // reported once
		}
		if err == nil {
			var c configChange
			if c, err = s.incremental(res, r.Configs); err == nil {
				var records []metadata.Record
				if records, err = s.changeConfigs(c); err == nil {
					d.Records = append(d.Records, records...)
				}
			}
		}
		answer(res, err)
	}
	d.Records = s.clearELRs(d.Records)
	if req.ValidateOnly {
		d.onlyChecked()
	}
	return d
}

// AlterConfigs is the older call (key 33): the request's configs replace all that the resource had.
func AlterConfigs(s *State, call Call, req *kmsg.AlterConfigsRequest) Decision {
	resp := req.ResponseKind().(*kmsg.AlterConfigsResponse)
	resp.Resources = []kmsg.AlterConfigsResponseResource{}
	d := Decision{Reply: resp}
	count := map[metadata.ConfigResource]int{}
	for i := range req.Resources {
		count[metadata.ConfigResource{Type: int8(req.Resources[i].ResourceType), Name: req.Resources[i].ResourceName}]++
	}
	for i := range req.Resources {
		r := &req.Resources[i]
		res := metadata.ConfigResource{Type: int8(r.ResourceType), Name: r.ResourceName}
		err := s.mayAlterConfigs(call, res, count)
		if count[res] > 1 {
			count[res] = -1
		} else if count[res] < 0 {
			continue
		}
		if err == nil {
			c := configChange{resource: res, values: map[string]*string{}}
			for _, k := range r.Configs {
				if _, twice := c.values[k.Name]; !twice {
					c.keys = append(c.keys, k.Name)
				}
				c.values[k.Name] = k.Value
			}
			for name := range s.Image.Configs.Of(res.Type, res.Name) {
				if _, kept := c.values[name]; !kept {
					c.implicit = append(c.implicit, name)
				}
			}
			slices.Sort(c.implicit)
			var records []metadata.Record
			if records, err = s.changeConfigs(c); err == nil {
				d.Records = append(d.Records, records...)
			}
		}
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = r.ResourceType, r.ResourceName
		err.on(&out.ErrorCode, &out.ErrorMessage)
		resp.Resources = append(resp.Resources, out)
	}
	d.Records = s.clearELRs(d.Records)
	if req.ValidateOnly {
		d.onlyChecked()
	}
	return d
}

func (s *State) mayAlterConfigs(call Call, res metadata.ConfigResource, count map[metadata.ConfigResource]int) *refusal {
	switch res.Type {
	case metadata.ConfigTopic, metadata.ConfigBroker, metadata.ConfigBrokerLogger, metadata.ConfigClientMetrics, metadata.ConfigGroup:
	default:
		return refuse(kerr.UnsupportedVersion, "Unknown resource type %d.", res.Type)
	}
	if count[res] > 1 {
		return refuse(kerr.InvalidRequest, "Duplicate resource.")
	}
	switch res.Type {
	case metadata.ConfigBroker, metadata.ConfigClientMetrics:
		if !call.may(resourceCluster, clusterName, mayAlterConfigs) {
			return plain(kerr.ClusterAuthorizationFailed)
		}
	case metadata.ConfigTopic:
		if !call.may(resourceTopic, res.Name, mayAlterConfigs) {
			return plain(kerr.TopicAuthorizationFailed)
		}
	case metadata.ConfigGroup:
		if !call.may(resourceGroup, res.Name, mayAlterConfigs) {
			return plain(kerr.GroupAuthorizationFailed)
		}
	default:
		return refuse(kerr.InvalidRequest, "Unexpected resource type BROKER_LOGGER.")
	}
	return nil
}

// incremental resolves SET, DELETE, APPEND and SUBTRACT into values.
func (s *State) incremental(res metadata.ConfigResource, ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) (configChange, *refusal) {
	c := configChange{resource: res, values: map[string]*string{}}
	have := s.Image.Configs.Of(res.Type, res.Name)
	for _, op := range ops {
		if _, twice := c.values[op.Name]; !twice {
			c.keys = append(c.keys, op.Name)
		}
		switch op.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			c.values[op.Name] = op.Value
		case kmsg.IncrementalAlterConfigOpDelete:
			c.values[op.Name] = nil
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			edit, verb := (*config.Row).Subtracted, "SUBTRACT"
			if op.Op == kmsg.IncrementalAlterConfigOpAppend {
				edit, verb = (*config.Row).Appended, "APPEND"
			}
			row := config.RowOf(config.Resource(res.Type), op.Name)
			if row == nil || row.Type != config.List {
				return c, refuse(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", verb, op.Name)
			}
			if op.Value == nil { // a broker does not let it pass (A19)
				return c, refuse(kerr.InvalidRequest, "Null value not supported for : %s", op.Name)
			}
			value := edit(row, have, *op.Value)
			c.values[op.Name] = &value
		default:
			return c, refuse(kerr.InvalidRequest, "Unknown operation %d.", op.Op)
		}
	}
	return c, nil
}

// changeConfigs validates the resource as it would be and writes the differences. A broker's configs are written even
// when equal: that makes brokers look again (KAFKA-14136).
func (s *State) changeConfigs(c configChange) ([]metadata.Record, *refusal) {
	have := s.Image.Configs.Of(c.resource.Type, c.resource.Name)
	var records []metadata.Record
	after := map[string]string{}
	for k, v := range have {
		after[k] = v
	}
	for i, name := range slices.Concat(c.keys, c.implicit) {
		value := c.values[name]
		old, ok := have[name]
		if same := ok && value != nil && old == *value || !ok && value == nil; same && c.resource.Type != metadata.ConfigBroker && i < len(c.keys) {
			continue
		}
		if err := s.forbidden(c.resource, name, value); err != nil {
			return nil, err
		}
		if value == nil {
			delete(after, name)
		} else {
			after[name] = *value
		}
		records = append(records, &metadata.ConfigRecord{ResourceType: c.resource.Type, ResourceName: c.resource.Name, Name: name, Value: value})
	}
	if err := s.validateConfigs(c.resource, have, after); err != nil {
		return nil, refusalOf(err)
	}
	return records, nil
}

func (s *State) forbidden(res metadata.ConfigResource, name string, value *string) *refusal {
	if res.Type == metadata.ConfigBroker && name == config.MinInsyncReplicas.Name() && s.Image.Features.ELREnabled() {
		if res.Name != "" {
			return refuse(kerr.InvalidConfig, "Broker-level %s cannot be altered while ELR is enabled.", name)
		}
		if value == nil {
			return refuse(kerr.InvalidConfig, "Cluster-level %s cannot be removed while ELR is enabled.", name)
		}
	}
	if res.Type == metadata.ConfigBroker && name == "cordoned.log.dirs" && !s.Image.Level().CordonedLogDirsSupported() {
		return refuse(kerr.InvalidConfig, "The %s configuration value cannot be set because it requires metadata.version >= %s", name, metadata.Level4_3_IV0)
	}
	if value != nil && len(*value) > maxConfigValue {
		return errConfigTooLong
	}
	return nil
}

func (s *State) validateConfigs(res metadata.ConfigResource, before, after map[string]string) error {
	switch res.Type {
	case metadata.ConfigTopic:
		if res.Name == "" {
			return refuse(kerr.InvalidRequest, "Default topic resources are not allowed.")
		}
		if err := checkTopicName(res.Name); err != nil {
			return err
		}
		if err := config.ValidateTopicConfigs(s.BrokerView(), before, after); err != nil {
			return err
		}
		if s.Image.Topics.ByName(res.Name) == nil {
			return refuse(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", res.Name)
		}
	case metadata.ConfigBroker:
		return s.validateBroker(res.Name)
	case metadata.ConfigGroup:
		if res.Name == "" {
			return refuse(kerr.InvalidRequest, "Default group resources are not allowed.")
		}
		return config.ValidateGroupConfigs(s.BrokerView(), after)
	case metadata.ConfigClientMetrics:
		if res.Name == "" {
			return refuse(kerr.InvalidRequest, "Subscription name can't be empty")
		}
		return config.ValidateClientMetrics(res.Name, after)
	}
	return nil
}

// validateBroker: the controller checks that the broker is there; values are checked by the broker before it forwards.
func (s *State) validateBroker(name string) error {
	if name == "" {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return refuse(kerr.InvalidRequest, "Unable to parse broker name as a base 10 number.")
	}
	if id < 0 {
		return refuse(kerr.InvalidRequest, "Invalid negative broker ID.")
	}
	if s.Image.Brokers.Get(int32(id)) == nil && s.Image.Controllers.Get(int32(id)) == nil {
		return refuse(kerr.BrokerIDNotRegistered, "No node with id %d found.", id)
	}
	return nil
}

// clearELRs: when min.insync.replicas changes, who is eligible was decided by another rule.
func (s *State) clearELRs(records []metadata.Record) []metadata.Record {
	if !s.Image.Features.ELREnabled() {
		return records
	}
	for _, r := range slices.Clone(records) {
		if c, ok := r.(*metadata.ConfigRecord); ok && c.Name == config.MinInsyncReplicas.Name() {
			clear := &metadata.ClearElrRecord{}
			if c.ResourceType == metadata.ConfigTopic {
				clear.TopicName = c.ResourceName
			}
			records = append(records, clear)
		}
	}
	return records
}
