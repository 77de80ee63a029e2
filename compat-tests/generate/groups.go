package generate

import (
	"fmt"
	"strings"
)

// Groups of the pool: some have only offsets; s0…s2 have at most one member, the static "i" of the classic protocol, so
// that no join waits for others; c0…c2 have members of the consumer protocol. Members are named by clients where they can
// be. Timeouts are longer than any run.

func (m *maker) groupID() string {
	switch m.r.IntN(8) {
	case 0, 1:
		return pick(m, words...)
	case 2, 3, 4:
		return fmt.Sprintf("s%d-$uid", m.r.IntN(3))
	}
	return m.consumerGroup()
}

func (m *maker) consumerGroup() string { return fmt.Sprintf("c%d-$uid", m.r.IntN(3)) }

func (m *maker) groupIDs() []any {
	list := []any{}
	seen := map[string]bool{}
	for range pick(m, 0, 1, 1, 2, 3) {
		if id := m.groupID(); !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}

// group is fixed for requests about groups.
func (m *maker) group(path string, version int16) (any, bool) {
	api, rest, _ := strings.Cut(path, ".")
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch api {
	case "ConsumerGroupHeartbeat":
		return m.heartbeat(last, version)
	case "JoinGroup":
		switch last {
		case "SessionTimeoutMs":
			return pick(m, 1800000, 1800000, 1800000, 1800000, 299, 1800001, -1, 0, 2147483647), true
		case "RebalanceTimeoutMs":
			return 1800000, true
		case "ProtocolType":
			return pick(m, "consumer", "consumer", "consumer", "connect", ""), true
		case "Name":
			return pick(m, "range", "range", "sticky", ""), true
		}
	case "OffsetCommit", "OffsetFetch", "OffsetDelete", "SyncGroup", "Heartbeat", "LeaveGroup":
		switch last {
		case "GroupId":
			return m.groupID(), true
		case "GroupInstanceId":
			return pick[any](m, nil, nil, "i", "i", "j", ""), true
		case "MemberId":
			return pick[any](m, "", "", "m1", "m2", "x"), true
		case "GenerationId", "GenerationIdOrMemberEpoch", "MemberEpoch":
			return pick(m, -1, -1, 0, 1, 1, 2, 3, 2147483647), true
		case "ProtocolType", "ProtocolName":
			return pick[any](m, nil, "consumer", "range", "x"), true
		}
	case "DescribeGroups", "DeleteGroups", "ConsumerGroupDescribe", "FindCoordinator":
		switch rest {
		case "Groups", "GroupsNames", "GroupIds", "CoordinatorKeys":
			return m.groupIDs(), true
		case "Key":
			return m.groupID(), true
		}
	case "ListGroups":
		switch rest {
		case "StatesFilter":
			return []any{pick(m, "Empty", "stable", "CompletingRebalance", "assigning", "Reconciling", "x", "")}[:m.r.IntN(2)], true
		case "TypesFilter":
			return []any{pick(m, "classic", "Consumer", "share", "x", "")}[:m.r.IntN(2)], true
		}
	}
	return nil, false
}

// join makes sure that a JoinGroup waits for nobody: it is the first of its group, or the static member of one.
func (m *maker) join(fields map[string]any, version int16) {
	fields["MemberId"] = pick(m, "", "", "", "", "m1")
	delete(fields, "GroupInstanceId")
	switch {
	case m.r.IntN(12) == 0:
		fields["GroupId"] = ""
	case version >= 5 && m.r.IntN(2) == 0:
		fields["GroupId"], fields["GroupInstanceId"] = fmt.Sprintf("s%d-$uid", m.r.IntN(3)), "i"
	default:
		m.joins++
		fields["GroupId"] = fmt.Sprintf("once-%d-$uid", m.joins)
		if version >= 5 && m.r.IntN(4) == 0 {
			fields["GroupInstanceId"] = pick(m, "", "i", "${x*249}")
		}
	}
}

// heartbeat is fixed for members of the consumer protocol. Patterns are only wrong ones: good ones are resolved later.
func (m *maker) heartbeat(field string, version int16) (any, bool) {
	switch field {
	case "GroupId":
		if m.r.IntN(8) == 0 {
			return pick(m, words...), true
		}
		return m.consumerGroup(), true
	case "MemberId":
		if version > 0 && m.r.IntN(10) == 0 {
			return "", true
		}
		return pick(m, "m1", "m2"), true
	case "MemberEpoch":
		return pick(m, 0, 0, 0, 0, 1, 2, 2, 3, 4, -1, -2, -3, 2147483647), true
	case "InstanceId":
		return pick[any](m, nil, nil, nil, nil, "i", ""), true
	case "RackId":
		return pick[any](m, nil, nil, "r", ""), true
	case "RebalanceTimeoutMs":
		return pick(m, -1, 1800000, 1800000, 1800000, 0), true
	case "SubscribedTopicRegex":
		return pick[any](m, nil, nil, nil, "", "("), true
	case "ServerAssignor":
		return pick[any](m, nil, nil, "uniform", "range", "nope", ""), true
	case "SubscribedTopicNames":
		switch m.r.IntN(5) {
		case 0:
			return nil, true
		case 1:
			return []any{}, true
		}
		return []any{fmt.Sprintf("$t%d", m.r.IntN(pool)), pick(m, "nope", "$t0")}, true
	case "TopicPartitions":
		if m.r.IntN(3) > 0 {
			return pick[any](m, []any{}, []any{}, nil), true
		}
	}
	return nil, false
}
