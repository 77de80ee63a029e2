package quorum

import (
	"errors"
	"io/fs"
	"time"
)

// cleanEvery is how often retention is looked at.
const cleanEvery = time.Minute

// clean deletes old snapshots and the log below the oldest one kept: by size while log and snapshots together exceed
// metadata.max.retention.bytes, and by age of a snapshot's last record. The newest snapshot always stays. It reports
// whether anything changed, and the files to remove later.
func (d *disk) clean(l Limits, nowMs int64) (changed bool, remove []string, err error) {
	ids := d.listSnapshots()
	if len(ids) < 2 {
		return false, nil, nil
	}
	sizes := make([]int64, len(ids))
	total := int64(0)
	for i, id := range ids {
		s, err := openSnapshot(d.fs, d.dir, id, d.codecs)
		if err != nil {
			return false, nil, err
		}
		sizes[i] = s.size
		total += s.size
		s.close()
	}
	first := 0
	for ; first < len(ids)-1; first++ {
		tooMuch := l.RetentionBytes >= 0 && d.log.Size()+total > l.RetentionBytes
		if !tooMuch {
			old, err := d.olderThan(ids[first], l.RetentionAge, nowMs)
			if err != nil {
				return false, nil, err
			}
			if !old {
				break
			}
		}
		next := ids[first+1].EndOffset
		if next > d.log.LogStartOffset() {
			if err := d.log.IncrementLogStartOffset(next); err != nil {
				return false, nil, err
			}
		}
		if _, err := d.log.DeleteSegmentsBefore(next); err != nil {
			return false, nil, err
		}
		total -= sizes[first]
	}
	for _, id := range ids[:first] {
		gone := d.snapshotName(id, deletedEnding)
		if err := d.fs.Rename(d.snapshotName(id, snapshotEnding), gone); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, nil, err
		}
		remove = append(remove, gone)
	}
	d.setSnapshots(ids[first:])
	return first > 0, remove, nil
}

func (d *disk) olderThan(id SnapshotID, age time.Duration, nowMs int64) (bool, error) {
	if age < 0 {
		return false, nil
	}
	s, err := openSnapshot(d.fs, d.dir, id, d.codecs)
	if err != nil {
		return false, err
	}
	defer s.close()
	last, _, err := s.head(id)
	return err == nil && nowMs-last > age.Milliseconds(), err
}
