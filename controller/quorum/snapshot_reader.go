package quorum

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// snapshotFile reads one snapshot, batch by batch, each checked by its CRC.
type snapshotFile struct {
	file   vfs.File
	name   string
	size   int64
	codecs *compress.Codecs
}

func openSnapshot(fsys vfs.FS, dir string, id SnapshotID, codecs *compress.Codecs) (*snapshotFile, error) {
	s := &snapshotFile{name: path.Join(dir, id.String()+snapshotEnding), codecs: codecs}
	var err error
	if s.file, err = fsys.OpenFile(s.name, os.O_RDONLY, 0); err != nil {
		return nil, err
	}
	if s.size, err = s.file.Size(); err != nil {
		_ = s.file.Close()
		return nil, err
	}
	return s, nil
}

func (s *snapshotFile) close() { _ = s.file.Close() }

// errDamaged says that a snapshot cannot be used; the text names file and place.
var errDamaged = errors.New("damaged snapshot")

func (s *snapshotFile) damaged(at int64, why string) error {
	return fmt.Errorf("%s at byte %d: %w: %s", s.name, at, errDamaged, why)
}

// maxSnapshotBatch bounds one batch; ours have MaxBatchBytes, Kafka's a little more at worst.
const maxSnapshotBatch = 2 * MaxBatchBytes

// batches yields the batches in order. A batch is valid until the next step. The length a batch claims is believed
// only as far as the file reaches.
func (s *snapshotFile) batches() iter.Seq2[record.Batch, error] {
	return func(yield func(record.Batch, error) bool) {
		var buf []byte
		for at := int64(0); at < s.size; {
			head := make([]byte, record.Overhead)
			if _, err := s.file.ReadAt(head, at); err != nil {
				yield(nil, s.damaged(at, "it ends inside a batch header"))
				return
			}
			n, err := record.SizeAt(head)
			if err != nil || n > maxSnapshotBatch || int64(n) > s.size-at {
				yield(nil, s.damaged(at, "impossible batch size"))
				return
			}
			if cap(buf) < n {
				buf = make([]byte, n)
			}
			buf = buf[:n]
			if _, err := s.file.ReadAt(buf, at); err != nil && !errors.Is(err, io.EOF) {
				yield(nil, err)
				return
			}
			b, _, err := record.Next(buf)
			if err != nil || !b.VerifyCRC() {
				yield(nil, s.damaged(at, "a batch fails its checksum"))
				return
			}
			if !yield(b, nil) {
				return
			}
			at += int64(n)
		}
	}
}

// values yields the data records' values in order and checks that the file begins with a header and ends with a footer.
func (s *snapshotFile) values() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		whole := false
		for b, err := range s.batches() {
			if err != nil {
				yield(nil, err)
				return
			}
			if b.IsControl() {
				t, err := lastControl(b)
				if err != nil {
					yield(nil, err)
					return
				}
				whole = t == record.ControlSnapshotFooter
				continue
			}
			for r, err := range b.Records(s.codecs, maxSnapshotBatch) {
				if !yield(r.Value, err) || err != nil {
					return
				}
			}
		}
		if !whole {
			yield(nil, s.damaged(s.size, "it has no footer"))
		}
	}
}

func lastControl(b record.Batch) (t record.ControlType, err error) {
	for r, err := range b.Records(nil, maxControlBytes) {
		if err != nil {
			return 0, err
		}
		if t, err = record.ParseControlKey(r.Key); err != nil {
			return 0, err
		}
	}
	return t, nil
}

// head reads the first batch: the time of the last contained record and the membership. Every record of it gets the
// offset of the last record that the snapshot stands for.
func (s *snapshotFile) head(id SnapshotID) (lastTimestamp int64, m Membership, err error) {
	m.Offset = id.EndOffset - 1
	for b, err := range s.batches() {
		if err != nil {
			return 0, m, err
		}
		if !b.IsControl() {
			return 0, m, s.damaged(0, "it does not begin with a header")
		}
		for r, err := range b.Records(nil, maxControlBytes) {
			if err != nil {
				return 0, m, err
			}
			t, err := record.ParseControlKey(r.Key)
			if err != nil {
				return 0, m, s.damaged(0, err.Error())
			}
			if t == record.ControlSnapshotHeader {
				h := record.NewSnapshotHeaderRecord()
				if err := h.ReadFrom(r.Value, 0); err != nil {
					return 0, m, s.damaged(0, err.Error())
				}
				lastTimestamp = h.LastContainedLogTimestamp
			} else if err := m.read(r); err != nil {
				return 0, m, s.damaged(0, err.Error())
			}
		}
		return lastTimestamp, m, nil
	}
	return 0, m, s.damaged(0, "it is empty")
}
