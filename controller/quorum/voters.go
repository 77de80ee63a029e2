package quorum

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/record"
)

// Endpoint is one controller listener of a node.
type Endpoint struct {
	Name string // listener name, such as CONTROLLER
	Host string
	Port uint16
}

// Voter is one member of the voter set. Its identity is (ID, DirectoryID): a node that lost its disk is another voter
// (KIP-853). A static voter has the zero directory id.
type Voter struct {
	ID                     int32
	DirectoryID            protocol.UUID
	Endpoints              []Endpoint
	MinVersion, MaxVersion int16 // range of kraft.version the voter supports
}

// Key is the voter's identity.
func (v Voter) Key() ReplicaKey { return ReplicaKey{v.ID, v.DirectoryID} }

// ReplicaKey identifies a replica of the metadata log. The zero directory id is "unknown".
type ReplicaKey struct {
	ID          int32
	DirectoryID protocol.UUID
}

var nobody = ReplicaKey{ID: -1}

// covers says whether k, as known to this node, means the replica other: the ids are equal and so are the directory
// ids, unless k has none (a static voter).
func (k ReplicaKey) covers(other ReplicaKey) bool {
	return k.ID == other.ID && (k.DirectoryID.IsZero() || k.DirectoryID == other.DirectoryID)
}

func (k ReplicaKey) compare(other ReplicaKey) int {
	return cmp.Or(cmp.Compare(k.ID, other.ID), k.DirectoryID.Compare(other.DirectoryID))
}

// String gives the id, with the directory id when it is known.
func (k ReplicaKey) String() string {
	if k.DirectoryID.IsZero() {
		return fmt.Sprint(k.ID)
	}
	return fmt.Sprintf("%d-%s", k.ID, k.DirectoryID)
}

// VoterSet is the set of voters, sorted by id. It is a value: nothing changes one in place.
type VoterSet []Voter

// NewVoterSet sorts the voters.
func NewVoterSet(voters []Voter) VoterSet {
	s := slices.Clone(voters)
	slices.SortFunc(s, func(a, b Voter) int { return a.Key().compare(b.Key()) })
	return s
}

// byID returns the voter with that node id.
func (s VoterSet) byID(id int32) (Voter, bool) {
	for _, v := range s {
		if v.ID == id {
			return v, true
		}
	}
	return Voter{}, false
}

func (s VoterSet) has(k ReplicaKey) bool {
	v, ok := s.byID(k.ID)
	return ok && v.Key().covers(k)
}

func (s VoterSet) isOnly(k ReplicaKey) bool { return len(s) == 1 && s.has(k) }

func (s VoterSet) ids() []int32 {
	ids := make([]int32, len(s))
	for i, v := range s {
		ids[i] = v.ID
	}
	return ids
}

// endpoints of the voter with that id; nil when it is no voter.
func (s VoterSet) endpoints(id int32) []Endpoint {
	v, _ := s.byID(id)
	return v.Endpoints
}

// with returns the set with v in place of the voter of the same key.
func (s VoterSet) with(v Voter) VoterSet {
	next := slices.Clone(s)
	for i := range next {
		if next[i].Key() == v.Key() {
			next[i] = v
		}
	}
	return next
}

// sameVoter says whether a and b would be written alike.
func sameVoter(a, b Voter) bool {
	return a.Key() == b.Key() && a.MinVersion == b.MinVersion && a.MaxVersion == b.MaxVersion &&
		slices.Equal(a.Endpoints, b.Endpoints)
}

// addressOf picks the listener by name, or the first when the name is unknown here.
func addressOf(endpoints []Endpoint, listener string) (Address, bool) {
	if len(endpoints) == 0 {
		return Address{}, false
	}
	e := endpoints[0]
	for _, x := range endpoints {
		if x.Name == listener {
			e = x
			break
		}
	}
	return Address{Host: e.Host, Port: int32(e.Port)}, true
}

func (s VoterSet) record() *record.VotersRecord {
	m := record.NewVotersRecord()
	for _, v := range s {
		x := record.VotersRecordVoter{VoterId: v.ID, VoterDirectoryId: v.DirectoryID}
		for _, e := range v.Endpoints {
			x.Endpoints = append(x.Endpoints, record.VotersRecordEndpoint{Name: e.Name, Host: e.Host, Port: e.Port})
		}
		x.KRaftVersionFeature.MinSupportedVersion = v.MinVersion
		x.KRaftVersionFeature.MaxSupportedVersion = v.MaxVersion
		m.Voters = append(m.Voters, x)
	}
	return m
}

func votersOf(m *record.VotersRecord) VoterSet {
	voters := make([]Voter, 0, len(m.Voters))
	for _, x := range m.Voters {
		v := Voter{ID: x.VoterId, DirectoryID: x.VoterDirectoryId,
			MinVersion: x.KRaftVersionFeature.MinSupportedVersion, MaxVersion: x.KRaftVersionFeature.MaxSupportedVersion}
		for _, e := range x.Endpoints {
			v.Endpoints = append(v.Endpoints, Endpoint{e.Name, e.Host, e.Port})
		}
		voters = append(voters, v)
	}
	return NewVoterSet(voters)
}
