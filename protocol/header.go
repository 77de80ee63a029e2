package protocol

import (
	"encoding/binary"
	"fmt"
)

// RequestHeader is what stands before every request's body. ClientID is nil when the client sent
// null; Kafka takes that for the empty string.
type RequestHeader struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      *string
}

// ParseRequestHeader reads the header of a frame without its 4-byte length; body aliases frame.
// Header version 1 or 2 follows from key and version, also for versions outside the range, so that
// an ApiVersions request of the future can be read. Tags in the header are checked and dropped.
// An error means: close the connection; h then holds what could be read.
func ParseRequestHeader(frame []byte) (h RequestHeader, body []byte, err error) {
	if len(frame) < 4 {
		return h, nil, fmt.Errorf("%w: request of %d bytes", ErrMalformed, len(frame))
	}
	h.Key = int16(binary.BigEndian.Uint16(frame))
	h.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	version, ok := requestHeaderVersion(h.Key, h.Version)
	if !ok {
		return h, nil, fmt.Errorf("%w: unknown api key %d, version %d", ErrMalformed, h.Key, h.Version)
	}
	r := NewReader(frame[4:])
	h.CorrelationID = r.Int32()
	h.ClientID = r.NullableText(false) // an int16 length in header 2 as well
	if version == 2 {
		r.SkipTags()
	}
	if r.Err() != nil {
		return h, nil, fmt.Errorf("request header of key %d, version %d: %w", h.Key, h.Version, r.Err())
	}
	return h, r.Rest(), nil
}

// appendRequestHeader is the reverse of ParseRequestHeader.
func appendRequestHeader(dst []byte, h RequestHeader, version int) []byte {
	dst = AppendInt16(dst, h.Key)
	dst = AppendInt16(dst, h.Version)
	dst = AppendInt32(dst, h.CorrelationID)
	dst = AppendNullableText(dst, h.ClientID, false)
	if version == 2 {
		dst = append(dst, 0)
	}
	return dst
}
