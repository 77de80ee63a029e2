package group

import (
	"encoding/hex"
	"strings"
)

// maxPendingMembers bounds the member ids of one group that were given out and not used yet. Each lives for the session
// timeout that its join asked for.
const maxPendingMembers = 10_000

// newMemberID makes a member id as Kafka does: a name (the client's id, or the instance id of a static member) and a random
// UUID in its common form.
func (s *State) newMemberID(name string) string {
	id := s.env.UUID()
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // random, RFC 9562
	digits := hex.EncodeToString(id[:])
	return strings.Join([]string{name, digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
}
