package quorum

import (
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
)

// Bootstrap is the content of the snapshot that formatting writes (KIP-853, KIP-1170): 0-0.checkpoint.
type Bootstrap struct {
	TimeMs       int64    // timestamp of all records
	KRaftVersion int16    // 0: static quorum, no KRaftVersion and no Voters record is written
	Voters       []Voter  // with KRaftVersion 1; empty for a controller that joins an existing quorum
	Records      [][]byte // metadata records with their frame, in order
}

// WriteBootstrap writes dir/__cluster_metadata-0/00000000000000000000-0000000000.checkpoint and makes the folder.
// dir is the metadata log dir. The file and the folder are durable on return.
func WriteBootstrap(fsys vfs.FS, dir string, b Bootstrap) error {
	partition := path.Join(dir, PartitionDir())
	if err := fsys.MkdirAll(partition); err != nil {
		return err
	}
	m := Membership{KRaftVersion: b.KRaftVersion, HasVersion: b.KRaftVersion > 0}
	if len(b.Voters) > 0 {
		m.Voters, m.HasVoters = NewVoterSet(b.Voters), true
	}
	w, err := beginSnapshot(fsys, partition, SnapshotID{}, b.TimeMs, b.TimeMs, m)
	if err != nil {
		return err
	}
	for _, r := range b.Records {
		if err := w.add(r); err != nil {
			w.abandon()
			return err
		}
	}
	if err := w.finish(); err != nil {
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(dir)) // dir itself may be new
}
