package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// bounded are the group keys with bounds on the broker: group.<kind>.<rest> stands between group.<kind>.min.<rest> and group.<kind>.max.<rest>.
// Kafka's order of checks.
var bounded = []string{
	"consumer.heartbeat.interval.ms", "consumer.session.timeout.ms", "consumer.assignment.interval.ms",
	"share.heartbeat.interval.ms", "share.session.timeout.ms", "share.record.lock.duration.ms", "share.delivery.count.limit",
	"share.partition.max.record.locks", "share.assignment.interval.ms",
	"streams.heartbeat.interval.ms", "streams.session.timeout.ms", "streams.num.standby.replicas", "streams.assignment.interval.ms",
	"streams.task.offset.interval.ms", "streams.num.warmup.replicas",
}

// bounds are the names of the broker keys that limit a group key; either may be "".
func bounds(name string) (low, high string) {
	kind, rest, _ := strings.Cut(name, ".")
	low, high = "group."+kind+".min."+rest, "group."+kind+".max."+rest
	if after, ok := strings.CutPrefix(rest, "num."); ok {
		low, high = "", "group."+kind+".max."+after
	}
	if BrokerRow(low) == nil {
		low = ""
	}
	if BrokerRow(high) == nil {
		high = ""
	}
	return low, high
}

func number(v View, name string) int64 {
	s, _, _ := v.Lookup(name)
	return parseInt(s)
}

// checkGroupBounds: the broker's own group defaults lie within its bounds, and a heartbeat is shorter than a session.
func checkGroupBounds(v View) error {
	least := func(a, b string) error {
		if number(v, a) < number(v, b) {
			return invalid(a + " must be greater than or equal to " + b)
		}
		return nil
	}
	most := func(a, b string) error {
		if number(v, a) > number(v, b) {
			return invalid(a + " must be less than or equal to " + b)
		}
		return nil
	}
	for _, kind := range []string{"group.consumer.", "group.share.", "group.streams."} {
		for _, rest := range []string{"heartbeat.interval.ms", "session.timeout.ms", "assignment.interval.ms"} {
			err := firstError(least(kind+"max."+rest, kind+"min."+rest), least(kind+rest, kind+"min."+rest), most(kind+rest, kind+"max."+rest))
			if err != nil {
				return err
			}
			if rest == "session.timeout.ms" && number(v, kind+"heartbeat.interval.ms") >= number(v, kind+rest) {
				return invalid(kind + "heartbeat.interval.ms must be less than " + kind + rest)
			}
		}
		if n := len(GroupShareAssignors.Get(v)); kind == "group.share." && n != 1 {
			return invalid("group.share.assignors must contain exactly one assignor, but found " + strconv.Itoa(n))
		}
	}
	return firstError(
		most("group.streams.num.standby.replicas", "group.streams.max.standby.replicas"),
		most("group.streams.num.warmup.replicas", "group.streams.max.warmup.replicas"),
		least("group.streams.task.offset.interval.ms", "group.streams.min.task.offset.interval.ms"),
	)
}

// builtinAssignors are the server-side assignors by the key that names them. Others are Java classes, which can't be loaded here.
var builtinAssignors = map[string][]string{
	"group.consumer.assignors": {"uniform", "range"},
	"group.share.assignors":    {"simple"},
	"group.streams.assignors":  {"sticky"},
}

func checkAssignors(v View) error {
	for _, name := range slices.Sorted(maps.Keys(builtinAssignors)) {
		text, _, _ := v.Lookup(name)
		for _, s := range splitList(text) {
			if !slices.Contains(builtinAssignors[name], s) && !strings.HasPrefix(s, "org.apache.kafka.") {
				return refuse(name, s, "Class cannot be found")
			}
		}
	}
	return nil
}

// checkShareBounds: as checkGroupBounds, for the keys of share partitions.
func checkShareBounds(v View) error {
	for _, p := range [][2]string{
		{"group.share.max.delivery.count.limit", "group.share.delivery.count.limit"},
		{"group.share.delivery.count.limit", "group.share.min.delivery.count.limit"},
		{"group.share.max.partition.max.record.locks", "group.share.partition.max.record.locks"},
		{"group.share.partition.max.record.locks", "group.share.min.partition.max.record.locks"},
		{"group.share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms"},
		{"group.share.max.record.lock.duration.ms", "group.share.record.lock.duration.ms"},
		{"group.share.max.share.sessions", "group.share.max.size"},
	} {
		if number(v, p[0]) < number(v, p[1]) {
			return invalid(p[0] + " must be greater than or equal to " + p[1])
		}
	}
	return nil
}

// ValidateGroup checks one key of a group by itself: its name, type and rule.
func ValidateGroup(name, value string) error {
	row := GroupRow(name)
	if row == nil {
		return invalid("Unknown group config name: " + name)
	}
	return checkValue(row, value)
}

// ValidateGroupConfigs checks a group's whole configuration against the broker's bounds (KIP-848, KIP-932, KIP-1071).
// It is what CONFIG records would be written from. Errors are INVALID_CONFIG.
func ValidateGroupConfigs(broker View, group map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(group)) {
		if GroupRow(name) == nil {
			return invalid("Unknown group config name: " + name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(group)) {
		if err := ValidateGroup(name, group[name]); err != nil {
			return err
		}
	}
	if tags := splitList(group["streams.rack.aware.assignment.tags"]); len(distinct(tags)) != len(tags) {
		return invalid("streams.rack.aware.assignment.tags must not contain duplicate tag keys.")
	}
	for _, name := range bounded {
		if text, set := group[name]; set {
			if err := checkBounds(broker, name, parseInt(text)); err != nil {
				return err
			}
		}
	}
	if text, set := group["streams.assignor.name"]; set {
		assignors := GroupStreamsAssignors.Get(broker)
		if text = trim(text); !slices.Contains(assignors, text) {
			return invalid("streams.assignor.name '" + text + "' is not a registered task assignor. Registered assignors are: [" + strings.Join(assignors, ", ") + "].")
		}
	}
	v := &layered{broker, group, groupRows, SourceGroup}
	for _, kind := range []string{"consumer.", "share.", "streams."} {
		session, heartbeat := kind+"session.timeout.ms", kind+"heartbeat.interval.ms"
		_, set1 := group[session]
		_, set2 := group[heartbeat]
		if (set1 || set2) && number(v, session) <= number(v, heartbeat) {
			return invalid(session + " must be greater than " + heartbeat)
		}
	}
	if strings.HasPrefix(group["errors.deadletterqueue.topic.name"], "__") {
		return invalid("errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'")
	}
	return nil
}

// checkBounds: a value that is set on a group lies within the broker's bounds for it.
func checkBounds(broker View, name string, n int64) error {
	low, high := bounds(name)
	switch {
	case low != "" && high != "" && (n < number(broker, low) || n > number(broker, high)):
		return invalid(fmt.Sprintf("%s must be in the range %d to %d inclusive.", name, number(broker, low), number(broker, high)))
	case low == "" && n > number(broker, high):
		return invalid(fmt.Sprintf("%s must be less than or equal to %d", name, number(broker, high)))
	case high == "" && n < number(broker, low):
		return invalid(fmt.Sprintf("%s must be greater than or equal to %d", name, number(broker, low)))
	}
	return nil
}

// groupView caps what is out of the broker's bounds: the bounds may have moved since the group's value was set.
type groupView struct{ layered }

func (v *groupView) Lookup(name string) (string, Source, bool) {
	s, source, ok := v.layered.Lookup(name)
	if !ok || source != SourceGroup || !slices.Contains(bounded, name) {
		return s, source, ok
	}
	low, high := bounds(name)
	return clamp(v.broker, s, low, high), source, true
}

// clampDynamic caps the assignment intervals, whose broker values may be set at run time without a look at the bounds.
func clampDynamic(v View, name, value string) string {
	if !strings.HasPrefix(name, "group.") || !strings.HasSuffix(name, ".assignment.interval.ms") {
		return value
	}
	low, high := bounds(strings.TrimPrefix(name, "group."))
	return clamp(v, value, low, high)
}

func clamp(v View, value, low, high string) string {
	n := parseInt(value)
	if low != "" && n < number(v, low) {
		return strconv.FormatInt(number(v, low), 10)
	}
	if high != "" && n > number(v, high) {
		return strconv.FormatInt(number(v, high), 10)
	}
	return value
}
