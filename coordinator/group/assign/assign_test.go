package assign

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dohle-io/dohle/protocol"
)

func topicID(n int) (id protocol.UUID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// group has n members that subscribe to topics 1..len(sizes).
func group(n int, sizes ...int32) Spec {
	s := Spec{Partitions: func(id protocol.UUID) (int32, bool) {
		i := int(binary.BigEndian.Uint64(id[8:]))
		if i < 1 || i > len(sizes) {
			return 0, false
		}
		return sizes[i-1], true
	}}
	var topics []protocol.UUID
	for i := range sizes {
		topics = append(topics, topicID(i+1))
	}
	for i := range n {
		s.Members = append(s.Members, Member{ID: fmt.Sprintf("m%04d", i), Topics: topics})
	}
	return s
}

func of(topic int, partitions ...int32) Assignment {
	return Assignment{{topicID(topic), partitions}}
}

func TestRangeGivesNeighboursAndPutsStaticMembersFirst(t *testing.T) {
	s := group(3, 4, 7)
	s.Members[2].InstanceID = "b"
	s.Members[1].InstanceID = "a"
	got, err := Range(s)
	require.NoError(t, err)
	require.Equal(t, []Assignment{
		append(of(1, 3), of(2, 5, 6)...),
		append(of(1, 0, 1), of(2, 0, 1, 2)...),
		append(of(1, 2), of(2, 3, 4)...),
	}, got)
}

func TestUniformKeepsWhatFits(t *testing.T) {
	s := group(3, 7)
	s.Members[0].Current = of(1, 0, 1, 2, 3)
	s.Members[1].Current = of(1, 4, 5, 6)
	got, err := Uniform(s)
	require.NoError(t, err)
	require.Equal(t, []Assignment{of(1, 0, 1, 2), of(1, 4, 5), of(1, 3, 6)}, got)
	require.Equal(t, of(1, 0, 1, 2, 3), s.Members[0].Current, "the spec is not changed")
}

func TestNothingToAssign(t *testing.T) {
	for _, name := range []string{"uniform", "range"} {
		for _, mixed := range []bool{false, true} {
			assign := ByName(name)
			got, err := assign(Spec{Mixed: mixed})
			require.NoError(t, err)
			require.Empty(t, got)
			s := group(2)
			s.Mixed = mixed
			s.Members[0].Current = of(1, 2)
			got, err = assign(s)
			require.NoError(t, err)
			require.Equal(t, []Assignment{nil, nil}, got)
		}
	}
	require.Nil(t, ByName("Uniform"))
}

func TestATopicThatDoesNotExistIsRefusedInKafkasWords(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		s := group(2, 3)
		s.Mixed = mixed
		for i := range s.Members {
			s.Members[i].Topics = []protocol.UUID{topicID(1), topicID(9)}
		}
		_, err := Uniform(s)
		require.EqualError(t, err, "Members are subscribed to topic AAAAAAAAAAAAAAAAAAAACQ which doesn't exist in the topic metadata.")
		_, err = Range(s)
		require.EqualError(t, err, "Member is subscribed to a non-existent topic")
	}
}

func TestCurrentAssignmentsThatCannotBeAreLeftOut(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		s := group(2, 4)
		s.Mixed = mixed
		s.Members[0].Current = Assignment{{topicID(3), []int32{1}}, {topicID(1), []int32{3, 1, 1, 9, -1}}, {topicID(1), []int32{1}}}
		s.Members[1].Current = of(1, 1, 2)
		got, err := Uniform(s)
		require.NoError(t, err)
		require.Equal(t, []Assignment{of(1, 1, 3), of(1, 0, 2)}, got)
	}
}

func TestTextsAreOrderedAsInJava(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune{'a', 'b', 'é', '\ud7ff', '\ue000', '\ufffd', '\U00010000', '🙂', '\U0010ffff'}), 0, 4, -1)
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if got, want := compareText(a, b), slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))); got != want {
			t.Fatalf("%q, %q: %d, want %d", a, b, got, want)
		}
	})
}

// drawSpec makes a group whose current assignment may be anything.
func drawSpec(t *rapid.T) Spec {
	sizes := rapid.SliceOfN(rapid.Int32Range(0, 12), 1, 5).Draw(t, "partitions")
	s := group(rapid.IntRange(1, 8).Draw(t, "members"), sizes...)
	s.Mixed = rapid.Bool().Draw(t, "mixed")
	topic := rapid.IntRange(1, len(sizes))
	for i := range s.Members {
		m := &s.Members[i]
		if s.Mixed {
			m.Topics = nil
			for _, n := range rapid.SliceOf(topic).Draw(t, "topics") {
				m.Topics = append(m.Topics, topicID(n))
			}
		}
		m.InstanceID = rapid.SampledFrom([]string{"", "", fmt.Sprint("i", i)}).Draw(t, "instance")
		for n := range rapid.IntRange(0, 4).Draw(t, "current") {
			m.Current = append(m.Current, of(topic.Draw(t, "topic")+n%2, rapid.SliceOf(rapid.Int32Range(-1, 13)).Draw(t, "owned")...)...)
		}
	}
	return s
}

func TestEveryPartitionHasOneOwnerWhateverTheGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		for _, assign := range []Assignor{Uniform, Range} {
			out, err := assign(s)
			require.NoError(t, err)
			requireValid(t, s, out)
			if s.Mixed {
				continue
			}
			sizes := []int{}
			for _, a := range out {
				sizes = append(sizes, a.Size())
			}
			if spread := slices.Max(sizes) - slices.Min(sizes); spread > len(s.Members[0].Topics) {
				t.Fatalf("loads %v", sizes)
			}
		}
	})
}

func TestAnAssignmentThatIsGoodStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		for _, assign := range []Assignor{Uniform, Range} {
			first, err := assign(s)
			require.NoError(t, err)
			for i := range first {
				s.Members[i].Current = first[i]
			}
			// A mixed group that the bound on rounds has stopped may go on; small ones never meet it.
			again, err := assign(s)
			require.NoError(t, err)
			require.Equal(t, first, again)
		}
	})
}

func TestOrderOfMembersAndTopicsDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for _, assign := range []Assignor{Uniform, Range} {
			want, err := assign(s)
			require.NoError(t, err)
			order := rng.Perm(len(s.Members))
			shuffled := s
			shuffled.Members = nil
			for _, i := range order {
				m := s.Members[i]
				m.Topics = slices.Clone(m.Topics)
				rng.Shuffle(len(m.Topics), func(a, b int) { m.Topics[a], m.Topics[b] = m.Topics[b], m.Topics[a] })
				shuffled.Members = append(shuffled.Members, m)
			}
			got, err := assign(shuffled)
			require.NoError(t, err)
			for place, i := range order {
				require.Equal(t, want[i], got[place])
			}
		}
	})
}

func BenchmarkAssign(b *testing.B) {
	for _, c := range []struct {
		name    string
		assign  Assignor
		mixed   bool
		current bool
		topics  int
	}{
		{"uniform", Uniform, false, false, 100},
		{"uniform-sticky", Uniform, false, true, 100},
		{"mixed", Uniform, true, false, 100},
		{"mixed-sticky", Uniform, true, true, 100},
		{"range", Range, false, false, 100},
		{"range-mixed", Range, true, false, 100},
	} {
		b.Run(c.name+"/1000x10000", func(b *testing.B) {
			sizes := make([]int32, c.topics)
			for i := range sizes {
				sizes[i] = int32(10000 / c.topics)
			}
			s := group(1000, sizes...)
			s.Mixed = c.mixed
			for i := range s.Members {
				if c.mixed {
					s.Members[i].Topics = s.Members[i].Topics[i%50 : i%50+50]
				}
			}
			if c.current {
				before := s
				before.Members = s.Members[:990]
				out, err := c.assign(before)
				require.NoError(b, err)
				for i := range out {
					s.Members[i].Current = out[i]
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.assign(s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
