package api

import (
	"maps"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// checkConfigAsks says for each resource why it is not forwarded; nil where it is.
func (h *Handlers) checkConfigAsks(asks []configAsk) []error {
	verdicts := make([]error, len(asks))
	count := map[metadata.ConfigResource]int{}
	for _, a := range asks {
		count[a.resource()]++
	}
	img := h.Images.Image()
	for i, a := range asks {
		if count[a.resource()] > 1 {
			verdicts[i] = protocol.Errorf(kerr.InvalidRequest, "Each resource must appear at most once.")
		} else {
			verdicts[i] = h.checkConfigAsk(img, a)
		}
	}
	return verdicts
}

func (h *Handlers) checkConfigAsk(img *metadata.Image, a configAsk) error {
	seen, null := map[string]bool{}, []string(nil)
	for _, op := range a.ops {
		if seen[op.Name] {
			return protocol.Errorf(kerr.InvalidRequest, "Error due to duplicate config keys")
		}
		seen[op.Name] = true
		if op.Value == nil && op.Op != kmsg.IncrementalAlterConfigOpDelete {
			null = append(null, op.Name)
		}
	}
	if len(null) > 0 {
		return protocol.Errorf(kerr.InvalidRequest, "Null value not supported for : %s", strings.Join(null, ", "))
	}
	switch a.kind {
	case metadata.ConfigTopic, metadata.ConfigGroup, metadata.ConfigClientMetrics:
		return nil
	case metadata.ConfigBroker:
		return h.checkBrokerConfigs(img, a)
	case metadata.ConfigBrokerLogger:
		return protocol.Errorf(kerr.InvalidRequest, "Levels of loggers cannot be changed while the broker runs.")
	}
	return protocol.Errorf(kerr.InvalidRequest, "Unknown resource type %d", a.kind)
}

func (h *Handlers) checkBrokerConfigs(img *metadata.Image, a configAsk) error {
	if a.name != "" {
		id, err := strconv.ParseInt(a.name, 10, 32)
		if err != nil {
			return protocol.Errorf(kerr.InvalidRequest, "Node id must be an integer, but it is: %s", a.name)
		}
		if int32(id) != h.NodeID {
			return protocol.Errorf(kerr.InvalidRequest, "Unexpected broker id, expected %d, but received %s", h.NodeID, a.name)
		}
	}
	after := map[string]string{}
	if !a.all {
		after = maps.Clone(img.Configs.Broker(a.name))
		if after == nil {
			after = map[string]string{}
		}
		// What was stored before its key became fixed is ignored, and no reason to refuse another key.
		maps.DeleteFunc(after, func(name, _ string) bool {
			row := config.BrokerRow(name)
			return row != nil && row.Mode == config.ReadOnly
		})
	}
	for _, op := range a.ops {
		switch op.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			after[op.Name] = *op.Value
		case kmsg.IncrementalAlterConfigOpDelete:
			delete(after, op.Name)
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			value, err := editedList(after, op)
			if err != nil {
				return err
			}
			after[op.Name] = value
		default:
			return protocol.Errorf(kerr.InvalidRequest, "Unknown operations type %d", op.Op)
		}
	}
	return config.ValidateBrokerChange(h.layers(img), a.name != "", after)
}

// editedList is a list of a broker with entries added or removed.
func editedList(have map[string]string, op kmsg.IncrementalAlterConfigsRequestResourceConfig) (string, error) {
	row := config.BrokerRow(op.Name)
	if row == nil {
		return "", protocol.Errorf(kerr.InvalidConfig, "Unknown config name: %s", op.Name)
	}
	edit, verb := (*config.Row).Subtracted, "subtract"
	if op.Op == kmsg.IncrementalAlterConfigOpAppend {
		edit, verb = (*config.Row).Appended, "append"
	}
	if row.Type != config.List {
		return "", protocol.Errorf(kerr.InvalidConfig, "Config value %s is not allowed for config key: %s", verb, op.Name)
	}
	return edit(row, have, *op.Value), nil
}
