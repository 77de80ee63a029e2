package oracle

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// call asks what no scenario compares: setting up and cleaning.
func (s *Side) call(c *wire.Conn, api string, version int16, fields map[string]any) (map[string]any, error) {
	m, err := wire.Request(api)
	if err != nil {
		return nil, err
	}
	body, err := wire.Encode(m, version, fields)
	if err != nil {
		return nil, err
	}
	if err := c.Send(c.Frame(m, version, "compat-setup", body)); err != nil {
		return nil, err
	}
	frame, effect, err := c.Receive(answerTime)
	if err != nil {
		return nil, err
	}
	if effect != wire.Answered {
		return nil, fmt.Errorf("%s v%d of %s: %s", api, version, s.Name, effect)
	}
	return wire.Answer(wire.Response(api), version, c.Correlation(), frame)
}

// Probe says in one sentence why an address is no Kafka broker.
func (s *Side) Probe() error {
	where := s.Address
	if s.Name != s.Address {
		where = s.Name + " at " + s.Address
	}
	c, err := wire.Dial(s.Address)
	if err != nil {
		return fmt.Errorf("%s cannot be reached: %w", where, err)
	}
	defer c.Close()
	answer, err := s.call(c, "ApiVersions", 0, nil)
	if err != nil {
		return fmt.Errorf("%s does not speak Kafka's protocol: %w", where, err)
	}
	if answer["ErrorCode"] != int64(0) {
		return fmt.Errorf("%s answers ApiVersions with error %v", where, answer["ErrorCode"])
	}
	return nil
}

func (t *talk) createTopic(s *scenario.Step) error {
	partitions, err := strconv.Atoi(s.Args)
	if err != nil {
		return fmt.Errorf("%q is no number of partitions", s.Args)
	}
	text, err := scenario.Substitute(s.Body, t.vars)
	if err != nil {
		return err
	}
	configs := []any{}
	if text != "" {
		v, err := wire.ParseJSON([]byte(text))
		if err != nil {
			return err
		}
		for name, value := range v.(map[string]any) {
			configs = append(configs, map[string]any{"Name": name, "Value": value})
		}
	}
	name := s.Name + "-" + t.vars["uid"]
	id, err := t.side.makeTopic(t.conns[t.cur].Conn, name, partitions, configs)
	if err != nil {
		return err
	}
	t.vars[s.Name], t.vars[s.Name+".id"] = name, id
	t.names.know(id, "$"+s.Name+".id")
	return nil
}

// makeTopic creates a topic, gone first if it was there, and waits until it can be written and read.
func (s *Side) makeTopic(c *wire.Conn, name string, partitions int, configs []any) (string, error) {
	deadline := time.Now().Add(untilTime)
	for {
		answer, err := s.call(c, "CreateTopics", 5, map[string]any{"TimeoutMs": 20000, "Topics": []any{
			map[string]any{"Name": name, "NumPartitions": partitions, "ReplicationFactor": 1, "Configs": configs}}})
		if err != nil {
			return "", err
		}
		code, _ := scenario.Get(answer, "Topics[0].ErrorCode")
		if code == int64(0) {
			break
		}
		if code != int64(36) || time.Now().After(deadline) {
			return "", fmt.Errorf("topic %s is not created: %s", name, wire.JSON(answer))
		}
		if _, err := s.call(c, "DeleteTopics", 5, map[string]any{"TimeoutMs": 20000, "TopicNames": []any{name}}); err != nil {
			return "", err
		}
	}
	var id string
	for {
		answer, err := s.call(c, "Metadata", 10, map[string]any{"AllowAutoTopicCreation": false, "Topics": []any{map[string]any{"Name": name}}})
		if err != nil {
			return "", err
		}
		topic, _ := scenario.Get(answer, "Topics[0]")
		m, _ := topic.(map[string]any)
		list, _ := m["Partitions"].([]any)
		if m["ErrorCode"] == int64(0) && len(list) == partitions && s.readable(c, name, partitions) {
			id, _ = m["TopicId"].(string)
			return id, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("topic %s does not come up: %s", name, wire.JSON(answer))
		}
		time.Sleep(3 * time.Millisecond)
	}
}

func (s *Side) readable(c *wire.Conn, name string, partitions int) bool {
	asked := []any{}
	for p := range partitions {
		asked = append(asked, map[string]any{"PartitionIndex": p, "Timestamp": -1})
	}
	answer, err := s.call(c, "ListOffsets", 4, map[string]any{"ReplicaId": -1, "Topics": []any{map[string]any{"Name": name, "Partitions": asked}}})
	if err != nil {
		return false
	}
	ok := true
	scenario.Visit(answer, "Topics.Partitions.ErrorCode", func(holder map[string]any, field string, _ int) { ok = ok && holder[field] == int64(0) })
	return ok
}

func (t *talk) produce(s *scenario.Step) error {
	text, err := scenario.Substitute(s.Body, t.vars)
	if err != nil {
		return err
	}
	batch, err := wire.ParseJSON([]byte(text))
	if err != nil {
		return err
	}
	partition, err := scenario.Substitute(s.Args, t.vars)
	if err != nil {
		return err
	}
	answer, err := t.side.call(t.conns[t.cur].Conn, "Produce", 9, map[string]any{"Acks": -1, "TimeoutMs": 20000, "TopicData": []any{
		map[string]any{"Name": t.vars[s.Name], "PartitionData": []any{map[string]any{"Index": partition, "Records": batch}}}}})
	if err != nil {
		return err
	}
	if code, _ := scenario.Get(answer, "Responses[0].PartitionResponses[0].ErrorCode"); code != int64(0) {
		return fmt.Errorf("produce is refused: %s", wire.JSON(answer))
	}
	return nil
}

// cleanUp deletes every topic and group whose name has the scenario's own text in it.
func (t *talk) cleanUp() {
	c, err := wire.Dial(t.side.Address)
	if err != nil {
		return
	}
	defer c.Close()
	t.side.deleteGroups(c, t.vars["uid"])
	answer, err := t.side.call(c, "Metadata", 4, map[string]any{"Topics": nil})
	if err != nil {
		return
	}
	gone := []any{}
	scenario.Visit(answer, "Topics.Name", func(holder map[string]any, field string, _ int) {
		if name := fmt.Sprint(holder[field]); strings.Contains(name, t.vars["uid"]) {
			gone = append(gone, name)
		}
	})
	if len(gone) > 0 {
		t.side.call(c, "DeleteTopics", 5, map[string]any{"TimeoutMs": 20000, "TopicNames": gone})
	}
}
