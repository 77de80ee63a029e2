package storage

import (
	"encoding/binary"

	"github.com/dohle-io/dohle/internal/vfs"
)

// AbortedTxn is an aborted transaction that a read_committed fetch must know. FirstOffset is its first record,
// LastOffset its marker, LastStableOffset the LSO once the marker was written.
type AbortedTxn struct{ ProducerID, FirstOffset, LastOffset, LastStableOffset int64 }

// abortedSize is one entry of a transaction index:
//
//	0 version int16 (0) · 2 producer id int64 · 10 first offset int64 · 18 last offset int64 · 26 last stable offset int64
const abortedSize = 34

func (a AbortedTxn) appendTo(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.ProducerID))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.FirstOffset))
	dst = binary.BigEndian.AppendUint64(dst, uint64(a.LastOffset))
	return binary.BigEndian.AppendUint64(dst, uint64(a.LastStableOffset))
}

// parseTxnIndex reads a whole transaction index of a segment that starts at base.
func parseTxnIndex(name string, b []byte, base int64) ([]AbortedTxn, error) {
	if len(b)%abortedSize != 0 {
		return nil, &CorruptError{name, int64(len(b)), "the size is not a multiple of an entry"}
	}
	list := make([]AbortedTxn, 0, len(b)/abortedSize)
	for i := 0; i < len(b); i += abortedSize {
		e := b[i : i+abortedSize]
		if v := binary.BigEndian.Uint16(e); v != 0 {
			return nil, &CorruptError{name, int64(i), "unknown version"}
		}
		a := AbortedTxn{
			ProducerID:       int64(binary.BigEndian.Uint64(e[2:])),
			FirstOffset:      int64(binary.BigEndian.Uint64(e[10:])),
			LastOffset:       int64(binary.BigEndian.Uint64(e[18:])),
			LastStableOffset: int64(binary.BigEndian.Uint64(e[26:])),
		}
		if a.LastOffset < base || a.FirstOffset > a.LastOffset || len(list) > 0 && a.LastOffset <= list[len(list)-1].LastOffset {
			return nil, &CorruptError{name, int64(i), "offsets out of order"}
		}
		list = append(list, a)
	}
	return list, nil
}

// maxTxnIndex bounds what is read of a transaction index: one entry for each record of the largest segment.
const maxTxnIndex = 1 << 30

// abortedLocked returns the aborted transactions of the segment, which it loads when they lie in a file only.
// Call with seg.mu held.
func (seg *segment) abortedLocked() ([]AbortedTxn, error) {
	if seg.txnOnDisk {
		name := seg.path(txnIndexSuffix)
		b, err := vfs.ReadFile(seg.log.files.fs, name, maxTxnIndex)
		if err != nil {
			return nil, err
		}
		list, err := parseTxnIndex(name, b, seg.base)
		if err != nil {
			return nil, err
		}
		seg.aborted, seg.txnOnDisk = list, false
		seg.txnWritten = len(list)
	}
	return seg.aborted, nil
}

// AbortedTransactions lists the aborted transactions that overlap [from, to). to is exclusive; use the smaller of
// the last stable offset and the end of what was read (T10).
func (l *Log) AbortedTransactions(from, to int64) (out []AbortedTxn, err error) {
	if l.noAborts.Load() {
		return nil, nil
	}
	err = l.unlessGone(func() error {
		out, err = l.abortedTransactions(from, to)
		return err
	})
	return out, err
}

func (l *Log) abortedTransactions(from, to int64) ([]AbortedTxn, error) {
	var out []AbortedTxn
	list := l.segments()
	i := floorSegment(list, from)
	for _, seg := range list[max(i, 0):] {
		seg.mu.Lock()
		aborted, err := seg.abortedLocked()
		seg.mu.Unlock()
		if err != nil {
			return nil, storageErr(err)
		}
		for _, a := range aborted {
			if a.LastOffset >= from && a.FirstOffset < to {
				out = append(out, a)
			}
			if a.LastStableOffset >= to {
				return out, nil
			}
		}
	}
	return out, nil
}
