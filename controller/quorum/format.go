package quorum

import "github.com/dohle-io/dohle/internal/vfs"

// Bootstrap is the content of the snapshot that formatting writes (KIP-853, KIP-1170): 0-0.checkpoint.
type Bootstrap struct {
	TimeMs       int64    // timestamp of the control records
	KRaftVersion int16    // 0: static quorum, no KRaftVersion and no Voters record is written
	Voters       []Voter  // with KRaftVersion 1; empty for a controller that joins an existing quorum
	Records      [][]byte // metadata records with their frame, in order
}

// WriteBootstrap writes dir/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint and makes the folder.
// dir is the metadata log dir.
func WriteBootstrap(fs vfs.FS, dir string, b Bootstrap) error { return errNotOpen }
