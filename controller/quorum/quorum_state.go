package quorum

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

// quorumStateFile is Kafka's name of the file; its content is one line of JSON.
//
//	version 0 (kraft.version 0): clusterId "", leaderId, leaderEpoch, votedId, appliedOffset 0, currentVoters
//	version 1 (kraft.version 1): leaderId, leaderEpoch, votedId, votedDirectoryId
const quorumStateFile = "quorum-state"

const maxQuorumState = 1 << 20 // bytes; a real one has about a hundred

type quorumStateV0 struct {
	ClusterID     string         `json:"clusterId"`
	LeaderID      int32          `json:"leaderId"`
	LeaderEpoch   int32          `json:"leaderEpoch"`
	VotedID       int32          `json:"votedId"`
	AppliedOffset int64          `json:"appliedOffset"`
	CurrentVoters []currentVoter `json:"currentVoters"`
	DataVersion   int16          `json:"data_version"`
}

type currentVoter struct {
	VoterID int32 `json:"voterId"`
}

type quorumStateV1 struct {
	LeaderID         int32  `json:"leaderId"`
	LeaderEpoch      int32  `json:"leaderEpoch"`
	VotedID          int32  `json:"votedId"`
	VotedDirectoryID string `json:"votedDirectoryId"`
	DataVersion      int16  `json:"data_version"`
}

// appendQuorumState writes the file's content in the version that belongs to the kraft.version.
func appendQuorumState(dst []byte, st ElectionState, kraftVersion int16) []byte {
	var v any
	if kraftVersion == 0 {
		s := quorumStateV0{LeaderID: st.LeaderID, LeaderEpoch: st.Epoch, VotedID: st.Voted.ID, CurrentVoters: []currentVoter{}}
		for _, id := range st.Voters {
			s.CurrentVoters = append(s.CurrentVoters, currentVoter{id})
		}
		v = s
	} else {
		v = quorumStateV1{LeaderID: st.LeaderID, LeaderEpoch: st.Epoch, VotedID: st.Voted.ID,
			VotedDirectoryID: st.Voted.DirectoryID.String(), DataVersion: 1}
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of numbers and texts
	}
	return append(dst, b...)
}

// parseQuorumState reads either version. Every field of the version must be there: a file that says less than it
// should is damaged, and guessing could give a vote twice (R26).
func parseQuorumState(b []byte) (ElectionState, error) {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(line, &raw); err != nil {
		return ElectionState{}, fmt.Errorf("not a JSON object: %w", err)
	}
	var version int16
	if err := field(raw, "data_version", &version); err != nil {
		return ElectionState{}, err
	}
	if version < 0 || version > 1 {
		return ElectionState{}, fmt.Errorf("data_version %d is unknown; 0 and 1 are known", version)
	}
	st := noElection()
	err := errors.Join(field(raw, "leaderId", &st.LeaderID), field(raw, "leaderEpoch", &st.Epoch), field(raw, "votedId", &st.Voted.ID))
	if version == 1 {
		var dir string
		err = errors.Join(err, field(raw, "votedDirectoryId", &dir))
		if err == nil {
			st.Voted.DirectoryID, err = protocol.ParseUUID(dir)
		}
	} else {
		var voters []currentVoter
		err = errors.Join(err, field(raw, "currentVoters", &voters))
		for _, v := range voters {
			st.Voters = append(st.Voters, v.VoterID)
		}
	}
	if err == nil && (st.Epoch < 0 || st.LeaderID < -1 || st.Voted.ID < -1) {
		err = fmt.Errorf("epoch %d, leader %d, vote %d", st.Epoch, st.LeaderID, st.Voted.ID)
	}
	return st, err
}

func field(raw map[string]json.RawMessage, name string, into any) error {
	v, ok := raw[name]
	if !ok {
		return fmt.Errorf("field %s is missing", name)
	}
	if err := json.Unmarshal(v, into); err != nil {
		return fmt.Errorf("field %s: %w", name, err)
	}
	return nil
}

// loadQuorumState reads the file of the partition's directory; ok is false when there is none.
func loadQuorumState(fsys vfs.FS, dir string) (st ElectionState, ok bool, err error) {
	name := path.Join(dir, quorumStateFile)
	b, err := vfs.ReadFile(fsys, name, maxQuorumState)
	if errors.Is(err, fs.ErrNotExist) {
		return noElection(), false, nil
	}
	if err == nil {
		st, err = parseQuorumState(b)
	}
	if err != nil {
		return noElection(), false, fmt.Errorf("%s is unreadable, and a guess could give this node's vote twice: %w. Restore the file, or format the directory anew and let this node join the quorum again", name, err)
	}
	return st, true, nil
}

// saveQuorumState replaces the file; it and its directory entry are durable on return (R27).
func saveQuorumState(fsys vfs.FS, dir string, st ElectionState, kraftVersion int16) error {
	return vfs.WriteFileAtomic(fsys, path.Join(dir, quorumStateFile), appendQuorumState(nil, st, kraftVersion), true)
}
