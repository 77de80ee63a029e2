package protocol

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUUIDTextIsKafkas(t *testing.T) {
	require.Equal(t, "AAAAAAAAAAAAAAAAAAAAAA", UUID{}.String())
	require.Equal(t, "AAAAAAAAAAAAAAAAAAAAAQ", MetadataTopicID.String())
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		u := RandomUUID(rng)
		require.False(t, strings.HasPrefix(u.String(), "-"))
		require.Equal(t, byte(0x40), u[6]&0xf0, "version 4")
		require.Equal(t, byte(0x80), u[8]&0xc0, "variant 2")
		back, err := ParseUUID(u.String())
		require.NoError(t, err)
		require.Equal(t, u, back)
		back, err = ParseUUID(u.String() + "==")
		require.NoError(t, err)
		require.Equal(t, u, back)
	}
	for _, bad := range []string{"", "AAAA", "AAAAAAAAAAAAAAAAAAAAA!", strings.Repeat("A", 25), "AAAAAAAAAAAAAAAAAAAAAAAA"} {
		_, err := ParseUUID(bad)
		require.Error(t, err, bad)
	}
}

func TestUUIDOrderIsOfSignedHalves(t *testing.T) {
	all := []UUID{{0x7f}, {15: 1}, {0x80}, {}, {8: 0x80}}
	slices.SortFunc(all, UUID.Compare)
	require.Equal(t, []UUID{{0x80}, {8: 0x80}, {}, {15: 1}, {0x7f}}, all)
}

func TestTopicPartitionNamesItsDirectory(t *testing.T) {
	tp := TopicPartition{"a-b", 3}
	require.Equal(t, "a-b-3", tp.String())
	require.Negative(t, tp.Compare(TopicPartition{"a-b", 10}))
	require.Positive(t, tp.Compare(TopicPartition{"a", 10}))
}
