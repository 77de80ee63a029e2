package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListsAreEditedEntryByEntry(t *testing.T) {
	row := TopicRow("cleanup.policy")
	require.Equal(t, "delete", row.Default)
	for _, c := range []struct {
		have              map[string]string
		entries           string
		appended, removed string
	}{
		{nil, "compact", "delete,compact", "delete"},
		{nil, "delete", "delete", ""},
		{map[string]string{"cleanup.policy": ""}, "compact,compact", "compact", ""},
		{map[string]string{"cleanup.policy": "compact,delete,compact"}, "compact", "compact,delete,compact", "delete,compact"},
		{map[string]string{"cleanup.policy": "compact"}, " compact", "compact, compact", "compact"},
		{map[string]string{"cleanup.policy": "compact"}, "", "compact,", "compact"},
	} {
		require.Equal(t, c.appended, row.Appended(c.have, c.entries))
		require.Equal(t, c.removed, row.Subtracted(c.have, c.entries))
	}
}
