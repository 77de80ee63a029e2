package protocol

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The error table is franz-go's kerr. A room that fails in a way that Kafka has a name for returns
// the kerr value, or wraps it: fmt.Errorf("Topic 'x' already exists.: %w", kerr.TopicAlreadyExists).

// CodeOf maps an error to Kafka's code: nil is 0, a kerr value inside counts, an expired or cancelled
// context is REQUEST_TIMED_OUT, all else UNKNOWN_SERVER_ERROR (-1), which the caller logs once.
func CodeOf(err error) int16 {
	if err == nil {
		return 0
	}
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		return k.Code
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return kerr.RequestTimedOut.Code
	}
	return kerr.UnknownServerError.Code
}

// MessageOf is the text for an answer's error_message field: nil for nil, Kafka's own sentence for a
// bare kerr value, the wrapping text without the kerr value at its end for a wrapped one.
func MessageOf(err error) *string {
	if err == nil {
		return nil
	}
	text := err.Error()
	k, ok := errors.AsType[*kerr.Error](err)
	switch {
	case ok && text == k.Error():
		text = sentence(k)
	case ok:
		text = strings.TrimSuffix(text, ": "+k.Error())
	case CodeOf(err) == kerr.UnknownServerError.Code:
		text = kerr.UnknownServerError.Description // what went wrong inside is not for the wire
	}
	return &text
}

// Where kerr words it otherwise than Kafka and clients or their tests look at the words.
var sentences = map[int16]string{
	24: "The group id is invalid.",
	29: "Topic authorization failed.",
	30: "Group authorization failed.",
	47: "Producer attempted to produce with an old epoch.",
	53: "Transactional Id authorization failed.",
	81: "The group has reached its maximum size.",
	87: "This record has failed the validation on broker and hence will be rejected.",
}

// sentence is Kafka's default text of an error. kerr lacks the full stop of some.
func sentence(k *kerr.Error) string {
	if own, ok := sentences[k.Code]; ok {
		return own
	}
	if !strings.HasSuffix(k.Description, ".") {
		return k.Description + "."
	}
	return k.Description
}

// Errorf gives a Kafka error a text of its own, which MessageOf returns unchanged.
func Errorf(k *kerr.Error, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), k)
}
