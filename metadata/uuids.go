package metadata

import "github.com/dohle-io/dohle/protocol"

// Ids of log directories that say something else than where a replica lies (KIP-858).
var (
	// DirectoryMigrating: the replica was created before directories were assigned.
	DirectoryMigrating = protocol.UUID{}
	// DirectoryUnassigned: the broker has not chosen yet.
	DirectoryUnassigned = reserved(1)
	// DirectoryLost: the directory is offline and it is not known which one it was.
	DirectoryLost = reserved(2)
)

// ReservedDirectory reports whether id can not be the id of a real directory: Kafka keeps the first hundred.
func ReservedDirectory(id protocol.UUID) bool {
	for _, b := range id[:15] {
		if b != 0 {
			return false
		}
	}
	return id[15] < 100
}

func reserved(n byte) (id protocol.UUID) {
	id[15] = n
	return id
}

func compareUUIDs(a, b protocol.UUID) int { return a.Compare(b) }

// DirectoryOnline reports whether a replica in directory dir can be used while its broker has the given directories.
// A broker that registered before directories were known has none listed; then every directory counts (KAFKA-16162).
func DirectoryOnline(dir protocol.UUID, online []protocol.UUID) bool {
	switch dir {
	case DirectoryUnassigned, DirectoryMigrating:
		return true
	case DirectoryLost:
		return false
	}
	if len(online) == 0 {
		return true
	}
	for _, o := range online {
		if o == dir {
			return true
		}
	}
	return false
}
