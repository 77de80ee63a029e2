package metadata

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLadder(t *testing.T) {
	require.Equal(t, "3.3-IV3", MinLevel.String())
	require.Equal(t, "4.4-IV2", LatestLevel.String())
	require.Equal(t, "4.2-IV1", Level4_2_IV1.String())
	for text, want := range map[string]Level{"4.3": Level4_3_IV0, "4.4": Level4_4_IV2, "4.4.0": Level4_4_IV2, "4.0-IV1": Level4_0_IV1, "3.3": Level3_3_IV3, "3.7.2": Level3_7_IV4} {
		l, err := ParseLevel(text)
		require.NoError(t, err)
		require.Equal(t, want, l, text)
	}
	for _, text := range []string{"", "2.8", "5.0", "4.4-IV9", "x"} {
		_, err := ParseLevel(text)
		require.ErrorContains(t, err, "Unknown metadata.version '"+text+"'. Supported metadata.version are: 3.3-IV3, ")
	}
	require.True(t, RecordsChange(Level4_4_IV0, Level4_4_IV1))
	require.False(t, RecordsChange(Level4_2_IV1, Level4_0_IV1))
	require.True(t, RecordsChange(Level4_2_IV1, Level3_9_IV0))
	require.False(t, RecordsChange(Level4_4_IV2, Level4_4_IV2))
}

// What kafka-storage version-mapping prints for both releases.
func TestDefaultFeatureLevels(t *testing.T) {
	levels := func(l Level) map[string]int16 {
		m := map[string]int16{}
		for _, f := range Features {
			m[f.Name] = f.Default(l)
		}
		return m
	}
	require.Equal(t, map[string]int16{FeatureKRaftVersion: 1, FeatureTransactionVersion: 2, FeatureGroupVersion: 1, FeatureELRVersion: 1, FeatureShareVersion: 1, FeatureStreamsVersion: 1}, levels(Level4_3_IV0))
	require.Equal(t, map[string]int16{FeatureKRaftVersion: 1, FeatureTransactionVersion: 2, FeatureGroupVersion: 1, FeatureELRVersion: 1, FeatureShareVersion: 2, FeatureStreamsVersion: 1}, levels(LatestLevel))
	require.Equal(t, map[string]int16{FeatureKRaftVersion: 0, FeatureTransactionVersion: 0, FeatureGroupVersion: 0, FeatureELRVersion: 0, FeatureShareVersion: 0, FeatureStreamsVersion: 0}, levels(MinLevel))
}
