package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ValidateTopic checks one key of a topic by itself: its name, type and rule. The error is an *Error with INVALID_CONFIG.
func ValidateTopic(name, value string) error {
	row := TopicRow(name)
	if row == nil {
		return invalid("Unknown topic config name: " + name)
	}
	return checkValue(row, value)
}

// ValidateTopicConfigs checks a topic's whole configuration, as it would be after a change: names, values, and the rules
// between keys. existing is the configuration before (nil for a new topic); broker gives what the topic does not set.
// It is what CreateTopics and IncrementalAlterConfigs ask before CONFIG records are written.
func ValidateTopicConfigs(broker View, existing, topic map[string]string) error {
	keys := slices.Sorted(maps.Keys(topic))
	for _, name := range keys {
		if TopicRow(name) == nil {
			return invalid("Unknown topic config name: " + name)
		}
	}
	for _, name := range keys {
		if err := ValidateTopic(name, topic[name]); err != nil {
			return err
		}
	}
	v := TopicView(broker, topic)
	if low, high := number(v, "min.compaction.lag.ms"), number(v, "max.compaction.lag.ms"); low > high {
		return invalid(fmt.Sprintf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)", low, high))
	}
	if RemoteStorageEnable.Get(v) {
		return checkRemote(broker, v)
	}
	if strings.EqualFold(existing["remote.storage.enable"], "true") && !RemoteLogDeleteOnDisable.Get(v) {
		return invalid("It is invalid to disable remote storage without deleting remote data. " +
			"If you want to keep the remote data and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. " +
			"If you want to disable remote storage and delete all remote data, please set `remote.storage.enable=false,remote.log.delete.on.disable=true`.")
	}
	return nil
}

// checkRemote are the rules of a topic with tiered storage (KIP-405, KIP-950).
func checkRemote(broker, v View) error {
	if !RemoteLogStorageSystemEnable.Get(broker) {
		return invalid("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	if policy := CleanupPolicy.Get(v); len(policy) > 0 && !slices.Equal(policy, []string{"delete"}) {
		return invalid("Remote log storage only supports topics with cleanup.policy=delete or cleanup.policy being an empty list.")
	}
	for _, k := range []struct {
		local, total string
		limited      func(int64) bool
	}{
		{"local.retention.bytes", "retention.bytes", func(n int64) bool { return n > -1 }},
		{"local.retention.ms", "retention.ms", func(n int64) bool { return n != -1 }},
	} {
		local, total := number(v, k.local), number(v, k.total)
		switch shown := fmt.Sprint(local); {
		case !k.limited(total) || local == -2:
		case local == -1:
			return refuse(k.local, shown, fmt.Sprintf("Value must not be -1 as %s value is set as %d.", k.total, total))
		case local > total:
			return refuse(k.local, shown, fmt.Sprintf("Value must not be more than %s property value: %d", k.total, total))
		}
	}
	for _, unit := range []string{"bytes", "ms"} {
		lag, local := number(v, "remote.copy.lag."+unit), number(v, "local.retention."+unit)
		if local == -2 {
			local = number(v, "retention."+unit)
		}
		if lag > 0 && local >= 0 && lag > local {
			return refuse("remote.copy.lag."+unit, fmt.Sprint(lag), fmt.Sprintf("Value must not exceed local.retention.%s (effective value: %d)", unit, local))
		}
	}
	if RemoteLogCopyDisable.Get(v) {
		for _, unit := range []string{"bytes", "ms"} {
			local, total := number(v, "local.retention."+unit), number(v, "retention."+unit)
			if local != -2 && local != total {
				return invalid("When `remote.log.copy.disable` is set to true, the `local.retention." + unit + "` and `retention." + unit +
					"` must be set to the identical value because there will be no more logs copied to the remote storage.")
			}
		}
	}
	return nil
}
