package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// useGroup gives the scenario a group id that nobody uses and waits until every shard of the coordinator serves:
// the topic behind it is created when the first group is asked for.
func (t *talk) useGroup(s *scenario.Step) error {
	id := s.Name + "-" + t.vars["uid"]
	t.vars[s.Name] = id
	c := t.conns[t.cur].Conn
	asked := []any{id}
	for i := range 40 { // names enough to meet every shard
		asked = append(asked, fmt.Sprint("served-", i))
	}
	deadline := time.Now().Add(answerTime)
	for {
		if _, err := t.side.call(c, "FindCoordinator", 4, map[string]any{"KeyType": 0, "CoordinatorKeys": []any{id}}); err != nil {
			return err
		}
		answer, err := t.side.call(c, "DescribeGroups", 5, map[string]any{"Groups": asked})
		if err != nil {
			return err
		}
		served := true
		scenario.Visit(answer, "Groups.ErrorCode", func(holder map[string]any, field string, _ int) {
			switch holder[field] {
			case int64(14), int64(15), int64(16):
				served = false
			}
		})
		if served {
			return t.seesTopics(c)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("groups are not served: %.300s", wire.JSON(answer))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// seesTopics waits until the coordinator knows the scenario's topics: it learns of them a moment after clients do. Only
// heartbeats show that.
func (t *talk) seesTopics(c *wire.Conn) error {
	if !slices.ContainsFunc(t.inst.Steps, func(s *scenario.Step) bool { return s.Name == "ConsumerGroupHeartbeat" }) {
		return nil
	}
	var topics []any
	for name, value := range t.vars {
		if _, is := t.vars[name+".id"]; is {
			topics = append(topics, value)
		}
	}
	ask := func(epoch int) (map[string]any, error) {
		return t.side.call(c, "ConsumerGroupHeartbeat", 1, map[string]any{"GroupId": "probe-" + t.vars["uid"], "MemberId": "probe", "MemberEpoch": epoch,
			"RebalanceTimeoutMs": 30000, "SubscribedTopicNames": topics, "TopicPartitions": []any{}})
	}
	for deadline := time.Now().Add(answerTime); len(topics) > 0; time.Sleep(5 * time.Millisecond) {
		answer, err := ask(0)
		if err != nil {
			return err
		}
		seen := 0
		scenario.Visit(answer, "Assignment.TopicPartitions.TopicId", func(map[string]any, string, int) { seen++ })
		if seen == len(topics) {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("groups do not learn of topics: %.300s", wire.JSON(answer))
		}
	}
	if len(topics) > 0 {
		_, err := ask(-1)
		return err
	}
	return nil
}

// deleteGroups deletes groups whose id has a text in it. Members leave first; what fails is left behind.
func (s *Side) deleteGroups(c *wire.Conn, text string) {
	answer, err := s.call(c, "ListGroups", 5, nil)
	if err != nil {
		return
	}
	var gone []any
	scenario.Visit(answer, "Groups", func(holder map[string]any, field string, _ int) {
		list, _ := holder[field].([]any)
		for _, item := range list {
			g, _ := item.(map[string]any)
			id := fmt.Sprint(g["GroupId"])
			if !strings.Contains(id, text) {
				continue
			}
			gone = append(gone, id)
			if g["GroupType"] == "consumer" {
				s.emptyConsumer(c, id)
			} else {
				s.emptyClassic(c, id)
			}
		}
	})
	if len(gone) > 0 {
		s.call(c, "DeleteGroups", 2, map[string]any{"GroupsNames": gone})
	}
}

func (s *Side) emptyClassic(c *wire.Conn, id string) {
	answer, err := s.call(c, "DescribeGroups", 5, map[string]any{"Groups": []any{id}})
	if err != nil {
		return
	}
	var members []any
	scenario.Visit(answer, "Groups.Members.MemberId", func(holder map[string]any, field string, _ int) {
		members = append(members, map[string]any{"MemberId": holder[field]})
	})
	if len(members) > 0 {
		s.call(c, "LeaveGroup", 5, map[string]any{"GroupId": id, "Members": members})
	}
}

func (s *Side) emptyConsumer(c *wire.Conn, id string) {
	answer, err := s.call(c, "ConsumerGroupDescribe", 1, map[string]any{"GroupIds": []any{id}})
	if err != nil {
		return
	}
	scenario.Visit(answer, "Groups.Members.MemberId", func(holder map[string]any, field string, _ int) {
		if holder["MemberType"] == int64(0) {
			s.call(c, "LeaveGroup", 5, map[string]any{"GroupId": id, "Members": []any{map[string]any{"MemberId": holder[field]}}})
			return
		}
		s.call(c, "ConsumerGroupHeartbeat", 1, map[string]any{"GroupId": id, "MemberId": holder[field], "MemberEpoch": -1})
	})
}
