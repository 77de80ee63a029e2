package quorum

import "github.com/dohle-io/dohle/protocol"

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
