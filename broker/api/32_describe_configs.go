package api

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// DescribeConfigs, v1-4. Values with their sources, of topics, this node, its loggers, groups and
// client-metrics subscriptions.
//
// Versions:  1 synonyms and source · 3 type and documentation · 4 flexible
// Errors:    UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION, INVALID_REQUEST (another node's id, an
// empty name, an unknown type of resource: the whole request then)
// Needs:     DESCRIBE_CONFIGS on TOPIC, GROUP or CLUSTER
// Differs from Kafka: entries come sorted; documentation is Dohle's own words, null for keys without effect.
var describeConfigs = define(1, 4, Everywhere, (*Handlers).describeConfigs)

func (h *Handlers) describeConfigs(_ *server.Ctx, req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	for _, r := range req.Resources {
		switch int8(r.ResourceType) {
		case metadata.ConfigTopic, metadata.ConfigBroker, metadata.ConfigBrokerLogger, metadata.ConfigClientMetrics, metadata.ConfigGroup:
		default:
			return errorResponse(req, kerr.InvalidRequest).(*kmsg.DescribeConfigsResponse)
		}
	}
	img := h.Images.Image()
	layers := h.layers(img)
	resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, r := range req.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName, out.ErrorMessage = r.ResourceType, r.ResourceName, new(string) // Kafka: empty, not null
		entries, err := h.configEntries(img, layers, int8(r.ResourceType), r.ResourceName)
		switch {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			out.ErrorCode = kerr.UnknownTopicOrPartition.Code // Kafka gives no text here
		case err != nil:
			out.ErrorCode, out.ErrorMessage = protocol.CodeOf(err), protocol.MessageOf(err)
		}
		for _, e := range entries {
			if len(r.ConfigNames) == 0 || slices.Contains(r.ConfigNames, e.Name) {
				out.Configs = append(out.Configs, configEntry(e, req))
			}
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

// configEntries are the entries of one resource.
func (h *Handlers) configEntries(img *metadata.Image, layers config.Layers, kind int8, name string) ([]config.Entry, error) {
	switch kind {
	case metadata.ConfigTopic:
		if err := validTopic(name); err != nil {
			return nil, err
		}
		if img.Topics.ByName(name) == nil {
			return nil, kerr.UnknownTopicOrPartition
		}
		return config.DescribeTopic(layers, img.Configs.Topic(name)), nil
	case metadata.ConfigBroker:
		if name == "" {
			return config.DescribeBrokerDefaults(layers), nil
		}
		if err := h.ownID(name, " or empty string, but received "); err != nil {
			return nil, err
		}
		return config.DescribeBroker(layers), nil
	case metadata.ConfigBrokerLogger:
		if name == "" {
			return nil, protocol.Errorf(kerr.InvalidRequest, "Broker id must not be empty")
		}
		if err := h.ownID(name, " but received "); err != nil {
			return nil, err
		}
		return h.loggerEntries(), nil
	case metadata.ConfigClientMetrics:
		if name == "" {
			return nil, protocol.Errorf(kerr.InvalidRequest, "Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(img.Configs.Of(kind, name)), nil
	default:
		if name == "" {
			return nil, protocol.Errorf(kerr.InvalidRequest, "Group name must not be empty")
		}
		return config.DescribeGroup(layers, img.Configs.Group(name)), nil
	}
}

// ownID refuses names that are not this node's id.
func (h *Handlers) ownID(name, but string) error {
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return protocol.Errorf(kerr.InvalidRequest, "Broker id must be an integer, but it is: %s", name)
	}
	if int32(id) != h.NodeID {
		return protocol.Errorf(kerr.InvalidRequest, "Unexpected broker id, expected %d%s%s", h.NodeID, but, name)
	}
	return nil
}

// loggerEntries lists the loggers with their levels. Dohle has one, which Kafka's tools know as root.
func (h *Handlers) loggerEntries() []config.Entry {
	levels := map[string]string{"root": logLevel(h.logger().GetLevel().String())}
	var out []config.Entry
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		level := levels[name]
		out = append(out, config.Entry{Name: name, Value: &level, Source: config.SourceLogger})
	}
	return out
}

// logLevel is Kafka's word for a zerolog level.
func logLevel(level string) string {
	switch level {
	case "trace":
		return "TRACE"
	case "debug":
		return "DEBUG"
	case "warn":
		return "WARN"
	case "error":
		return "ERROR"
	case "fatal", "panic":
		return "FATAL"
	case "disabled":
		return "OFF"
	}
	return "INFO"
}

// configEntry puts an entry on the wire; synonyms and documentation only when asked for.
func configEntry(e config.Entry, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	out := kmsg.NewDescribeConfigsResponseResourceConfig()
	out.Name, out.Value, out.ReadOnly, out.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	out.Source, out.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	if req.IncludeSynonyms {
		for _, s := range e.Synonyms {
			syn := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			syn.Name, syn.Value, syn.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			out.ConfigSynonyms = append(out.ConfigSynonyms, syn)
		}
	}
	if req.IncludeDocumentation && e.Doc != "" {
		out.Documentation = &e.Doc
	}
	return out
}
