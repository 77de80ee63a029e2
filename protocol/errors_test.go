package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

// renamed are names that kerr keeps from before Kafka changed them; the codes are the same.
var renamed = map[string]string{"NOT_LEADER_FOR_PARTITION": "NOT_LEADER_OR_FOLLOWER"}

func TestErrorTableIsKafkas(t *testing.T) {
	text, err := os.ReadFile("testdata/error-codes.txt")
	require.NoError(t, err)
	codes := map[int16]string{}
	for line := range strings.Lines(string(text)) {
		var code int16
		var name string
		if _, err := fmt.Sscanf(line, "%d %s", &code, &name); err == nil {
			codes[code] = name
		}
	}
	require.Len(t, codes, 138)
	for code, name := range codes {
		got := kerr.TypedErrorForCode(code)
		if code == 0 {
			require.Nil(t, got)
			continue
		}
		if name != got.Message {
			assert.Equal(t, name, renamed[got.Message], "code %d", code)
		}
		require.Equal(t, code, CodeOf(got))
	}
	require.Equal(t, kerr.UnknownServerError, kerr.ErrorForCode(137), "kerr has no code beyond Kafka's")
}

func TestCodeAndMessageOfErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code int16
		text string
	}{
		{"bare", kerr.NotController, 41, kerr.NotController.Description},
		{"Kafka's words", kerr.TopicAuthorizationFailed, 29, "Topic authorization failed."},
		{"Kafka's full stop", kerr.StaleBrokerEpoch, 77, "Broker epoch has changed."},
		{"wrapped", fmt.Errorf("topic x: %w", kerr.TopicAlreadyExists), 36, "topic x"},
		{"with a text of its own", Errorf(kerr.InvalidConfig, "no such key %q", "a: b"), 40, `no such key "a: b"`},
		{"wrapped twice", fmt.Errorf("outer: %w", Errorf(kerr.InvalidConfig, "inner")), 40, "outer: inner"},
		{"deadline", fmt.Errorf("waiting: %w", context.DeadlineExceeded), 7, "waiting: context deadline exceeded"},
		{"cancelled", context.Canceled, 7, "context canceled"},
		{"a kerr value beside others", errors.Join(io.EOF, kerr.NotCoordinator), 16, "EOF\n" + kerr.NotCoordinator.Error()},
		{"anything else keeps its secrets", io.ErrUnexpectedEOF, -1, kerr.UnknownServerError.Description},
	} {
		require.Equal(t, c.code, CodeOf(c.err), c.name)
		require.Equal(t, c.text, *MessageOf(c.err), c.name)
	}
	require.Zero(t, CodeOf(nil))
	require.Nil(t, MessageOf(nil))
}
