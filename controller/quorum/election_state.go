package quorum

// ElectionState is the content of quorum-state: all that must survive a crash besides the log.
type ElectionState struct {
	Epoch    int32
	LeaderID int32      // -1 unknown
	Voted    ReplicaKey // ID -1: nobody
	// Voters are the ids written in version 0 of the file; the log and the configuration decide, not these.
	Voters []int32
}

// noElection is the state of a node that was never part of an epoch.
func noElection() ElectionState { return ElectionState{LeaderID: -1, Voted: nobody} }
