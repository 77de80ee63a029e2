package record

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrShort says that the bytes end inside a batch. It is not damage: a read limit may cut there.
var ErrShort = errors.New("record: the bytes end inside a batch")

// Refusal is an error whose text is meant for the error_message of an answer.
type Refusal struct {
	Message string
	Kind    *kerr.Error
}

func (e *Refusal) Error() string { return e.Message }

// Unwrap gives the kerr value.
func (e *Refusal) Unwrap() error { return e.Kind }

func refuse(kind *kerr.Error, format string, args ...any) error {
	return &Refusal{Message: fmt.Sprintf(format, args...), Kind: kind}
}

// RecordError names one bad record of a refused batch.
type RecordError struct {
	BatchIndex int32 // position in the batch, from 0
	Message    string
}

// maxRecordErrors bounds what one refused batch may cost. A producer treats records that are not named as victims of
// those that are.
const maxRecordErrors = 256

// RecordErrors refuses a batch and names its bad records (KIP-467). Err wraps a kerr value: INVALID_TIMESTAMP when any
// record has a bad timestamp, else INVALID_RECORD.
type RecordErrors struct {
	Err     error
	Records []RecordError // at most 256
}

func (e *RecordErrors) Error() string { return e.Err.Error() }

// Unwrap gives the kerr value.
func (e *RecordErrors) Unwrap() error { return e.Err }

// recordErrors collects the bad records of one batch.
type recordErrors struct {
	list      []RecordError
	total     int
	timestamp bool
}

func (c *recordErrors) add(index int32, kind *kerr.Error, message string) {
	c.total++
	if kind == kerr.InvalidTimestamp {
		c.timestamp = true
	}
	if len(c.list) < maxRecordErrors {
		c.list = append(c.list, RecordError{BatchIndex: index, Message: message})
	}
}

// full says that further messages would be dropped, so that they need not be made.
func (c *recordErrors) full() bool { return len(c.list) >= maxRecordErrors }

func (c *recordErrors) err() error {
	if c.total == 0 {
		return nil
	}
	if c.timestamp {
		return &RecordErrors{Records: c.list, Err: &Refusal{
			Message: "One or more records have been rejected due to invalid timestamp", Kind: kerr.InvalidTimestamp}}
	}
	var first []string
	for _, r := range c.list[:min(len(c.list), 3)] {
		first = append(first, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.BatchIndex, r.Message))
	}
	return &RecordErrors{Records: c.list, Err: &Refusal{Kind: kerr.InvalidRecord, Message: fmt.Sprintf(
		"One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: [%s]",
		c.total, strings.Join(first, ", "))}}
}
