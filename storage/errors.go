package storage

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// CorruptError says which bytes are damaged. It wraps KAFKA_STORAGE_ERROR: nothing of that log is served until an
// operator, or replication into an empty directory, has put it right.
type CorruptError struct {
	File   string
	Pos    int64 // byte position, -1 when it is about the whole file
	Reason string
}

func (e *CorruptError) Error() string {
	if e.Pos < 0 {
		return fmt.Sprintf("%s is damaged: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s is damaged at byte %d: %s", e.File, e.Pos, e.Reason)
}

// Unwrap gives Kafka's name for it.
func (e *CorruptError) Unwrap() error { return kerr.KafkaStorageError }

// errClosed is what a log answers after Close or Delete.
var errClosed = fmt.Errorf("the log is closed: %w", kerr.KafkaStorageError)

// errChanged is what a Slice answers when its bytes were cut away by a truncation.
var errChanged = errors.New("the log was truncated under a reader")

func storageErr(err error) error {
	if errors.Is(err, kerr.KafkaStorageError) {
		return err
	}
	return fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
}

func asCorrupt(err error) (*CorruptError, bool) {
	var c *CorruptError
	return c, errors.As(err, &c)
}

func isCorrupt(err error) bool {
	_, ok := asCorrupt(err)
	return ok
}
