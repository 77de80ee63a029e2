package dump

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

var (
	date        = regexp.MustCompile(` \(\d{4}-\d\d-\d\dT[\d:.]+Z\)`)
	optional    = regexp.MustCompile(`OptionalLong\[(\d+)\]`)
	headerKeys  = regexp.MustCompile(` header(Keys|s): .*`)
	ownRows     = regexp.MustCompile(`^(file|summary|padding): |^$`)
	kafkasRows  = regexp.MustCompile(`^(Log starting offset|Snapshot end offset): | is empty\.$`)
	lastOfEntry = regexp.MustCompile(`( offsetDelta: \d+) timestamp: \d+$`)
	messageText = regexp.MustCompile(`(?:payload:|LeaderChange:|SnapshotHeader|SnapshotFooter|KRaftVersion|KRaftVoters|data:) (\{.*\})$`)
)

// testdata/kafka-dump-log.txt is what kafka-dump-log 4.4.0 says of the same files, made by golden.sh. For every line of
// it there is one of ours with the same fields; ours may have more of them.
func TestSaysWhatKafkaSays(t *testing.T) {
	b, err := os.ReadFile("testdata/kafka-dump-log.txt")
	require.NoError(t, err)
	files := strings.Split(string(b), "Dumping ")[1:]
	require.Greater(t, len(files), 50)
	messages := 0
	for _, file := range files {
		name, rest, _ := strings.Cut(file, "\n")
		var out bytes.Buffer
		require.NoError(t, Files(&out, vfs.OS, []string{"testdata/" + name}, Options{}))
		var ours []string
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); !ownRows.MatchString(line) {
				ours = append(ours, date.ReplaceAllString(line, ""))
			}
		}
		// A value of Kafka's may hold line breaks: what does not begin like a row belongs to the one before.
		i := 0
		for line := range strings.Lines(rest) {
			line = strings.TrimSuffix(line, "\n")
			if kafkasRows.MatchString(line) || !rowBegins(line) {
				continue
			}
			line = strings.ReplaceAll(line, "OptionalLong.empty", "null")
			line = optional.ReplaceAllString(line, "$1")
			line = lastOfEntry.ReplaceAllString(line, "$1") // lastTimestamp once more
			require.Less(t, i, len(ours), "%s: %s", name, line)
			require.Equal(t, headerKeys.ReplaceAllString(line, ""), headerKeys.ReplaceAllString(ours[i], ""), name)
			theirs, mine := messageText.FindStringSubmatch(line), messageText.FindStringSubmatch(ours[i])
			if theirs != nil && strings.Contains(name, "__cluster_metadata") {
				require.NotNil(t, mine, ours[i])
				var a, b any
				require.NoError(t, json.Unmarshal([]byte(theirs[1]), &a))
				require.NoError(t, json.Unmarshal([]byte(mine[1]), &b))
				within(t, name, a, b)
				messages++
			}
			i++
		}
		require.Equal(t, len(ours), i, name)
	}
	require.Greater(t, messages, 100)
}

func rowBegins(line string) bool {
	for _, s := range []string{"| offset: ", "baseOffset: ", "offset: ", "timestamp: ", "producerId: ", "version: "} {
		if strings.HasPrefix(line, s) {
			return true
		}
	}
	return false
}

// within checks that everything in a, fields of objects by name, is in b too.
func within(t *testing.T, at string, a, b any) {
	switch a := a.(type) {
	case map[string]any:
		other, ok := b.(map[string]any)
		require.True(t, ok, at)
		for k, v := range a {
			require.Contains(t, other, k, at)
			within(t, at+"."+k, v, other[k])
		}
	case []any:
		other, ok := b.([]any)
		require.True(t, ok, at)
		require.Len(t, other, len(a), at)
		for i := range a {
			within(t, at, a[i], other[i])
		}
	default:
		require.Equal(t, a, b, at)
	}
}
