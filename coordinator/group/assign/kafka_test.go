package assign

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/protocol"
)

// A goldenRound is a group and what Apache Kafka's assignor made of it; testdata/Assignments.java says how.
type goldenRound struct {
	Assignor     string
	Mixed, Exact bool
	Topics       []struct {
		ID         protocol.UUID
		Partitions int32
	}
	Members []struct {
		ID, Instance    string
		Topics          []protocol.UUID
		Current, Target map[string][]int32
	}
}

func goldenRounds(t *testing.T) []goldenRound {
	file, err := os.Open("testdata/kafka-4.4.0-assignments.json.gz")
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(file))
	require.NoError(t, err)
	var rounds []goldenRound
	for d := json.NewDecoder(unzipped); d.More(); {
		var r goldenRound
		require.NoError(t, d.Decode(&r))
		rounds = append(rounds, r)
	}
	return rounds
}

func (r *goldenRound) spec(t *testing.T) (s Spec, targets []Assignment) {
	sizes := map[protocol.UUID]int32{}
	for _, topic := range r.Topics {
		sizes[topic.ID] = topic.Partitions
	}
	s = Spec{Mixed: r.Mixed, Partitions: func(id protocol.UUID) (int32, bool) {
		n, ok := sizes[id]
		return n, ok
	}}
	for _, m := range r.Members {
		s.Members = append(s.Members, Member{ID: m.ID, InstanceID: m.Instance, Topics: m.Topics, Current: assignmentOf(t, m.Current)})
		targets = append(targets, assignmentOf(t, m.Target))
	}
	return s, targets
}

func assignmentOf(t *testing.T, m map[string][]int32) Assignment {
	var a Assignment
	for text, partitions := range m {
		var id protocol.UUID
		require.NoError(t, id.UnmarshalText([]byte(text)))
		a = append(a, TopicPartitions{id, partitions})
	}
	slices.SortFunc(a, compareTopic)
	return a
}

func TestAssignmentsAreKafkas(t *testing.T) {
	seen := map[string]int{}
	for i, r := range goldenRounds(t) {
		s, want := r.spec(t)
		got, err := ByName(r.Assignor)(s)
		require.NoError(t, err)
		kind := r.Assignor
		if r.Mixed {
			kind += " mixed"
		}
		if r.Exact {
			seen[kind]++
			require.Empty(t, cmp.Diff(want, got, cmpopts.EquateEmpty()), "round %d: %s of %d members", i, kind, len(s.Members))
			continue
		}
		// The order of Kafka's hash set of topics decides which of the partitions that nobody keeps goes where, but not
		// who keeps what, nor how many each gets.
		seen[kind+" by size"]++
		requireValid(t, s, got)
		for j := range want {
			require.Equal(t, want[j].Size(), got[j].Size(), "round %d, %s", i, s.Members[j].ID)
			require.Equal(t, common(s.Members[j].Current, want[j]), common(s.Members[j].Current, got[j]), "round %d, %s", i, s.Members[j].ID)
		}
	}
	t.Log(seen)
	require.Subset(t, slices.Collect(maps.Keys(seen)), []string{"uniform", "uniform by size", "uniform mixed", "range", "range mixed"})
}

type partition struct {
	topic protocol.UUID
	index int32
}

func (a Assignment) set() map[partition]bool {
	set := map[partition]bool{}
	for _, t := range a {
		for _, p := range t.Partitions {
			set[partition{t.Topic, p}] = true
		}
	}
	return set
}

func common(a, b Assignment) map[partition]bool {
	set, other := a.set(), b.set()
	maps.DeleteFunc(set, func(p partition, _ bool) bool { return !other[p] })
	return set
}

// requireValid checks that every partition of a subscribed topic has exactly one owner, a subscriber.
func requireValid(t require.TestingT, s Spec, out []Assignment) {
	require.Len(t, out, len(s.Members))
	missing := map[partition]bool{}
	for _, m := range s.Members {
		for _, topic := range m.Topics {
			n, ok := s.Partitions(topic)
			require.True(t, ok)
			for p := range n {
				missing[partition{topic, p}] = true
			}
		}
	}
	for i, a := range out {
		require.Equal(t, a, normal(a), "in order")
		for p := range a.set() {
			require.True(t, missing[p], "%v is owned twice or by nobody's subscription", p)
			delete(missing, p)
			require.Contains(t, s.Members[i].Topics, p.topic)
		}
	}
	require.Empty(t, missing)
}
