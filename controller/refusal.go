package controller

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A refusal is an answer with Kafka's code and Kafka's words.
type refusal struct {
	code    *kerr.Error
	message string
}

func (r *refusal) Error() string { return r.message }
func (r *refusal) Unwrap() error { return r.code }

// refuse makes a refusal with a text of its own.
func refuse(code *kerr.Error, format string, args ...any) *refusal {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// plain makes a refusal with the text that Kafka keeps for the code.
func plain(code *kerr.Error) *refusal { return &refusal{code, code.Description} }

// on writes a refusal into an answer's code and message; nil is success, no text is null.
func (r *refusal) on(code *int16, message **string) {
	if r == nil {
		*code, *message = 0, nil
		return
	}
	*code, *message = r.code.Code, nil
	if text := r.message; text != "" {
		*message = &text
	}
}
