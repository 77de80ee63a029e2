package quorum

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/dohle-io/dohle/internal/vfs"
)

// recoveryPointFile says below which offset everything was on the disk at some time, in the form of Kafka's checkpoint
// of that name, but beside the log: the metadata log is not in Kafka's own checkpoint, and Kafka ignores the file here.
// Damage below the point is a reason not to open (R26); above it, it is the torn tail of an append that nobody was
// told of. It is written now and then, not with every fsync: an older point is a weaker promise, never a false one.
const recoveryPointFile = "recovery-point-offset-checkpoint"

// pointEvery is how many bytes may be appended before the point moves.
const pointEvery = 1 << 20

func (d *disk) recoveryPointName() string { return path.Join(d.dir, recoveryPointFile) }

// loadRecoveryPoint reads the point; a missing or torn file is 0.
func (d *disk) loadRecoveryPoint() (int64, error) {
	b, err := vfs.ReadFile(d.fs, d.recoveryPointName(), 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var offset int64
	text := string(b)
	if _, err := fmt.Sscanf(text, "0\n1\n"+TopicName+" 0 %d\n", &offset); err != nil || !strings.HasSuffix(text, "\n") || offset < 0 {
		return 0, nil
	}
	return offset, nil
}

// raisePoint notes that everything below offset is on the disk.
func (d *disk) raisePoint(offset int64) error {
	if offset <= d.point {
		return nil
	}
	d.point, d.sincePoint = offset, 0
	return d.writePoint(false)
}

// lowerPoint comes before a cut: at no moment may the file name more than there is.
func (d *disk) lowerPoint(offset int64) error {
	if offset >= d.point {
		return nil
	}
	d.point = offset
	return d.writePoint(true)
}

func (d *disk) writePoint(sync bool) error {
	return vfs.WriteFileAtomic(d.fs, d.recoveryPointName(), fmt.Appendf(nil, "0\n1\n%s %d %d\n", TopicName, Partition, d.point), sync)
}
