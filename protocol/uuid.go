package protocol

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// UUID is Kafka's 16-byte id, most significant byte first, as it stands on the wire.
// The zero value means "no id".
type UUID [16]byte

// MetadataTopicID is the id of __cluster_metadata; Kafka keeps it for that topic alone.
var MetadataTopicID = UUID{15: 1}

// String is base64url without padding, 22 characters, as Kafka prints ids.
func (u UUID) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

// IsZero reports whether u is the missing id.
func (u UUID) IsZero() bool { return u == UUID{} }

// Compare orders ids as Kafka does: two signed 64-bit halves, the higher one first.
func (u UUID) Compare(v UUID) int {
	for i := 0; i < 16; i += 8 {
		a, b := int64(binary.BigEndian.Uint64(u[i:])), int64(binary.BigEndian.Uint64(v[i:]))
		if a < b {
			return -1
		}
		if a > b {
			return 1
		}
	}
	return 0
}

// MarshalText makes ids readable in JSON.
func (u UUID) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText is the reverse of MarshalText.
func (u *UUID) UnmarshalText(b []byte) error {
	v, err := ParseUUID(string(b))
	if err == nil {
		*u = v
	}
	return err
}

// ParseUUID reads the form that String writes; padding is accepted, as in Kafka.
func ParseUUID(s string) (UUID, error) {
	if len(s) > 24 {
		return UUID{}, fmt.Errorf("uuid %q...: longer than 24 characters", s[:24])
	}
	trimmed := s
	for i := 0; i < 2 && len(trimmed) > 0 && trimmed[len(trimmed)-1] == '='; i++ {
		trimmed = trimmed[:len(trimmed)-1]
	}
	b, err := base64.RawURLEncoding.DecodeString(trimmed)
	if err != nil {
		return UUID{}, fmt.Errorf("uuid %q: %w", s, err)
	}
	if len(b) != 16 {
		return UUID{}, fmt.Errorf("uuid %q: %d bytes, want 16", s, len(b))
	}
	return UUID(b), nil
}

// RandomUUID draws a version 4 id. Kafka hands out none whose text starts with a dash,
// because such an id looks like an option on a command line (KAFKA-14190).
func RandomUUID(r *rand.Rand) UUID {
	for {
		var u UUID
		binary.BigEndian.PutUint64(u[:8], r.Uint64())
		binary.BigEndian.PutUint64(u[8:], r.Uint64())
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u[0]>>2 != 62 { // 62 is '-' in base64url
			return u
		}
	}
}
