package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Resource is a kind of thing that has a configuration, with the codes of the wire.
type Resource int8

const (
	ResourceTopic         Resource = 2
	ResourceBroker        Resource = 4
	ResourceBrokerLogger  Resource = 8
	ResourceClientMetrics Resource = 16
	ResourceGroup         Resource = 32
)

// RowOf finds the row of a resource's key; nil if there is none.
func RowOf(r Resource, name string) *Row {
	switch r {
	case ResourceTopic:
		return TopicRow(name)
	case ResourceBroker:
		if row := BrokerRow(name); row != nil {
			return row
		}
		return DynamicRow(name)
	case ResourceClientMetrics:
		return ClientMetricsRow(name)
	case ResourceGroup:
		return GroupRow(name)
	}
	return nil
}

// ValidateBrokerChange checks the dynamic configuration of this broker (perBroker) or of all brokers, as changed would make
// it: only keys that may change, per-broker keys only on a broker, values that fit, and a whole configuration that still
// holds together. l is the configuration before the change. Errors are INVALID_REQUEST with Kafka's words (KIP-226).
func ValidateBrokerChange(l Layers, perBroker bool, changed map[string]string) error {
	var fixed, unprefixed, single []string
	keys := slices.Sorted(maps.Keys(changed))
	for _, name := range keys {
		row, base := BrokerRow(name), baseName(name)
		if row != nil && row.Mode == ReadOnly {
			fixed = append(fixed, name)
		}
		if slices.Contains(listenerOnly, name) {
			unprefixed = append(unprefixed, name)
		}
		perListener := base != name && base != "max.connections" && base != "max.connection.creation.rate" && base != "num.network.threads"
		if row != nil && row.Mode == PerBroker || perListener {
			single = append(single, name)
		}
	}
	switch {
	case len(fixed) > 0:
		return refuseKeys("Cannot update these configs dynamically", fixed)
	case len(unprefixed) > 0:
		return refuseKeys("These security configs can be dynamically updated only per-listener using the listener prefix", unprefixed)
	}
	for _, name := range keys {
		if row := RowOf(ResourceBroker, baseName(name)); row != nil && row.Mode != ReadOnly {
			if err := checkValue(row, changed[name]); err != nil {
				return asRequest(err)
			}
			if list := splitList(changed[name]); row.Check == CheckList && len(distinct(list)) != len(list) {
				return asRequest(invalid("Configuration '" + row.Name + "' values must not be duplicated."))
			}
		}
	}
	if len(single) > 0 && !perBroker {
		return refuseKeys("Cannot update these configs at default cluster level, broker id must be specified", single)
	}
	after := Layers{l.Static, changed, l.Broker}
	if perBroker {
		after = Layers{l.Static, l.Default, changed}
	}
	values := maps.Clone(l.Static.values)
	maps.Copy(values, after.Default)
	maps.Copy(values, after.Broker)
	f := &File{values: values}
	if _, err := f.checkTogether(); err != nil {
		return asRequest(err)
	}
	if err := f.checkProtection(); err != nil {
		return asRequest(err)
	}
	return checkThreads(l.View(), after.View())
}

// pools are thread counts that a running broker changes by at most the factor 2 at a time.
var pools = []string{"background.threads", "log.cleaner.threads", "num.io.threads", "num.network.threads", "num.recovery.threads.per.data.dir", "num.replica.fetchers"}

func checkThreads(before, after View) error {
	for _, name := range pools {
		old, n := number(before, name), number(after, name)
		failed := fmt.Sprintf("Dynamic thread count update validation failed for %s=%d, value should", name, n)
		less, more := fmt.Sprintf("%s be at least half the current value %d", failed, old), fmt.Sprintf("%s not be greater than double the current value %d", failed, old)
		if name == "log.cleaner.threads" {
			less = fmt.Sprintf("Log cleaner threads cannot be reduced to less than half the current value %d", old)
			more = fmt.Sprintf("Log cleaner threads cannot be increased to more than double the current value %d", old)
		}
		reason := ""
		switch {
		case n < old/2:
			reason = less
		case n > old*2:
			reason = more
		}
		if reason != "" {
			return asRequest(invalid("Invalid value org.apache.kafka.common.config.ConfigException: " + reason + " for configuration Invalid dynamic configuration"))
		}
	}
	return nil
}

func refuseKeys(reason string, names []string) error {
	return asRequest(invalid(reason + ": [" + strings.Join(names, ", ") + "]"))
}
