package compat

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What a log.dir holds besides records changes hands with it: producers go on where they were and are answered from
// memory they never spoke to, deleted records and topics stay deleted, settings stay set, and no producer id is given
// twice. Stopped, and killed.
func TestProducersAndSettingsChangeHands(t *testing.T) {
	type start = func(*testing.T, string, props, ...string) *node
	for _, way := range []struct {
		name  string
		hands []start
	}{{"kafka dohle kafka", []start{startKafka, startDohle, startKafka}}, {"dohle kafka dohle", []start{startDohle, startKafka, startDohle}}} {
		for _, end := range []string{"killed", "stopped"} {
			if end == "stopped" && !long {
				continue // TestLogDirChangesHands stops cleanly
			}
			t.Run(way.name+" "+end, func(t *testing.T) {
				dir, ports := t.TempDir(), freePorts(t, 2)
				p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(props{
					// Apache Kafka forgets at a kill where deleted records ended, for as long as this:
					"log.flush.start.offset.checkpoint.interval.ms": "500",
				})
				var state handedOver
				format := []string{"-t", clusterID, "--standalone"}
				for i, hand := range way.hands {
					n := hand(t, dir, p, format...)
					format = nil
					r := newRPC(t, n, 1)
					if i > 0 {
						state.holds(r)
					}
					state.goOn(r, i)
					if end == "killed" {
						awaitCheckpoint(t, dir, state.trimmed)
						n.kill()
					} else {
						n.stop(shutdownPatience)
					}
				}
			})
		}
	}
}

// handedOver is what one broker has acknowledged and the next must know.
type handedOver struct {
	producer  int64
	epoch     int16
	sequence  int32 // of the next record
	last      []byte
	lastBase  int64
	trimmed   int64
	configs   map[string]string
	producers []int64 // every id ever given
	topics    []string
}

func (s *handedOver) holds(r rpc) {
	r.t.Helper()
	for _, topic := range s.topics {
		r.awaitLeader(topic)
	}
	if base, code := r.append("sequence", s.last); code != 0 || base != s.lastBase {
		r.t.Errorf("the last batch again: offset %d and error %d, want %d and 0: it is a duplicate", base, code, s.lastBase)
	}
	if _, code := r.append("sequence", batchOf(s.producer, s.epoch, s.sequence+7, "too far")); code != 45 {
		r.t.Errorf("a gap in the sequence: error %d, want 45 (OUT_OF_ORDER_SEQUENCE_NUMBER)", code)
	}
	if at, code := r.offset("trimmed", -2); code != 0 || at != s.trimmed {
		r.t.Errorf("log start of the trimmed topic: %d (error %d), want %d", at, code, s.trimmed)
	}
	if got := r.configs("settings"); !maps.Equal(got, s.configs) {
		r.t.Errorf("settings: %v, want %v", got, s.configs)
	}
	if got := ownTopics(r); !slices.Equal(got, s.topics) {
		r.t.Errorf("topics: %v, want %v", got, s.topics)
	}
}

func (s *handedOver) goOn(r rpc, hand int) {
	r.t.Helper()
	if hand == 0 {
		for _, name := range []string{"sequence", "trimmed", "settings"} {
			r.create(name)
		}
		s.producer, s.epoch = r.producerID()
		s.producers = append(s.producers, s.producer)
	}
	for range 3 {
		batch := batchOf(s.producer, s.epoch, s.sequence, "a", "b")
		base, code := r.append("sequence", batch)
		if code != 0 || base != int64(s.sequence) {
			r.t.Fatalf("sequence %d: offset %d and error %d, want the same offset and 0", s.sequence, base, code)
		}
		s.last, s.lastBase, s.sequence = batch, base, s.sequence+2
	}
	for range 20 {
		if _, code := r.append("trimmed", batchOf(-1, -1, -1, "x")); code != 0 {
			r.t.Fatalf("produce: error %d", code)
		}
	}
	s.trimmed += 7
	r.truncateBefore("trimmed", s.trimmed)

	r.alter("settings", "cleanup.policy", "compact,delete", "retention.ms", fmt.Sprint(3_600_000+hand), "segment.bytes", "2097152")
	if hand == 1 {
		r.alter("settings", "segment.bytes", "")
	}
	s.configs = r.configs("settings")

	gone := fmt.Sprintf("gone-%d", hand)
	r.create(gone)
	r.append(gone, batchOf(-1, -1, -1, "x"))
	r.remove(gone)
	r.create(fmt.Sprintf("kept-%d", hand))

	id, _ := r.producerID()
	if slices.Contains(s.producers, id) {
		r.t.Errorf("producer id %d was given before: %v", id, s.producers)
	}
	s.producers = append(s.producers, id)
	s.topics = ownTopics(r)
	if slices.Contains(s.topics, gone) {
		r.t.Errorf("%s is still there: %v", gone, s.topics)
	}
}

func ownTopics(r rpc) []string {
	names := slices.DeleteFunc(r.topics(), func(s string) bool { return strings.HasPrefix(s, "__") })
	slices.Sort(names)
	return names
}

func awaitCheckpoint(t *testing.T, dir string, offset int64) {
	t.Helper()
	eventually(t, patience, fmt.Sprintf("log-start-offset-checkpoint says %d", offset), func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "data", "log-start-offset-checkpoint"))
		return err == nil && strings.Contains(string(text), fmt.Sprintf("trimmed 0 %d\n", offset))
	})
}
