package metadata

import (
	"errors"
	"fmt"
	"iter"
)

// An Entry is one record of the log, as the quorum delivers it.
type Entry struct {
	Offset     int64
	Epoch      int32
	AppendTime int64 // milliseconds since 1970
	Value      []byte
}

// A Loader replays the committed log into images. It is pure: bytes go in, images and deltas come out.
//
// Records between BeginTransaction and EndTransaction show only at the end, and AbortTransaction drops them (KIP-868).
// Inside a transaction the image stays where it was before its beginning.
//
// After an error the loader is broken: the image it has is right, and no further record may be given to it.
type Loader struct {
	image *Image
	delta *Delta // changes since image; nil when there are none
	state txnState
}

type txnState uint8

const (
	noTxn txnState = iota
	inTxn
)

var (
	errNestedTxn = errors.New("a transaction begins inside a transaction")
	errNoTxn     = errors.New("a transaction ends that did not begin")
)

// NewLoader starts from an image.
func NewLoader(img *Image) *Loader { return &Loader{image: img} }

// Image is the last image that was given out.
func (l *Loader) Image() *Image { return l.image }

// InTransaction reports whether a transaction is open.
func (l *Loader) InTransaction() bool { return l.state == inTxn }

// Load takes whole batches of the log and yields what they make visible, at most once for all that stands outside of
// transactions and once for every transaction that ends. Each image yielded is Image() from then on.
func (l *Loader) Load(entries []Entry, yield func(*Image, *Delta)) error {
	for _, e := range entries {
		r, _, err := ParseRecord(e.Value)
		if err != nil {
			return fmt.Errorf("metadata record at offset %d: %w", e.Offset, err)
		}
		if err := l.one(e, r, yield); err != nil {
			return err
		}
	}
	l.flush(yield)
	return nil
}

func (l *Loader) one(e Entry, r Record, yield func(*Image, *Delta)) error {
	switch r.(type) {
	case *BeginTransactionRecord:
		if l.state == inTxn {
			return fmt.Errorf("offset %d: %w", e.Offset, errNestedTxn)
		}
		l.flush(yield) // what stands before the beginning is visible
		l.state = inTxn
		return nil
	case *EndTransactionRecord:
		if l.state != inTxn {
			return fmt.Errorf("offset %d: %w", e.Offset, errNoTxn)
		}
		l.state = noTxn
		l.pending().At(e.Offset, e.Epoch, e.AppendTime)
		return nil
	case *AbortTransactionRecord:
		if l.state != inTxn {
			return fmt.Errorf("offset %d: %w", e.Offset, errNoTxn)
		}
		l.state = noTxn
		l.delta = nil
		l.pending().At(e.Offset, e.Epoch, e.AppendTime)
		return nil
	}
	d := l.pending()
	if err := d.Replay(e.Offset, e.Epoch, r); err != nil {
		return err
	}
	d.appendTime = e.AppendTime
	return nil
}

func (l *Loader) pending() *Delta {
	if l.delta == nil {
		l.delta = NewDelta(l.image)
	}
	return l.delta
}

func (l *Loader) flush(yield func(*Image, *Delta)) {
	if l.state == inTxn || l.delta == nil {
		return
	}
	d := l.delta
	l.image, l.delta = d.Apply(), nil
	yield(l.image, d)
}

// LoadSnapshot replaces the state by a snapshot; see the function of the same name. An open transaction is forgotten.
func (l *Loader) LoadSnapshot(values iter.Seq2[[]byte, error], lastOffset int64, epoch int32, appendTime int64) (*Image, *Delta, error) {
	img, d, err := LoadSnapshot(l.image, values, lastOffset, epoch, appendTime)
	if err != nil {
		return nil, nil, err
	}
	*l = Loader{image: img}
	return img, d, nil
}
