package storage

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// fixedClock is a broker clock that a test sets.
type fixedClock struct{ now time.Time }

func (c *fixedClock) Now() time.Time { return c.now }
func (c *fixedClock) NewTimer(d time.Duration) clock.Timer {
	return clock.Machine.NewTimer(d)
}

var testStart = time.UnixMilli(1_700_000_000_000)

var tp0 = protocol.TopicPartition{Topic: "t", Partition: 0}

var testTopicID = protocol.UUID{1, 2, 3, 4}

// bed is a store on a disk of a test's.
type bed struct {
	t     testing.TB
	fs    vfs.FS
	clock *fixedClock
	cfg   LogConfig
	logs  io.Writer

	together bool // one sync of the file system for each flush of the store
	store    *Store
}

func newBed(t testing.TB, fs vfs.FS) *bed {
	return &bed{t: t, fs: fs, clock: &fixedClock{testStart}, cfg: smallConfig(), logs: io.Discard}
}

// smallConfig rolls early and indexes often.
func smallConfig() LogConfig {
	c := DefaultLogConfig()
	c.SegmentBytes = 4096
	c.IndexIntervalBytes = 256
	c.SegmentIndexBytes = 4096
	return c
}

func (b *bed) options(dirs ...string) Options {
	if len(dirs) == 0 {
		dirs = []string{"/data"}
	}
	return Options{
		FS: b.fs, Clocks: clock.Clocks{Broker: b.clock, Real: b.clock}, Log: zerolog.New(b.logs), Codecs: codecs,
		Rand: rand.New(rand.NewPCG(1, 1)), Dirs: dirs, NodeID: 1, ClusterID: "cluster",
		DefaultConfig: func(string) LogConfig { return b.cfg }, Loaders: 1,
	}
}

var codecs = compress.NewCodecs()

func (b *bed) open() *bed {
	b.t.Helper()
	require.NoError(b.t, b.tryOpen())
	return b
}

func (b *bed) tryOpen() (err error) {
	if b.store, err = Open(b.options()); err == nil && b.together {
		b.store.many = 1
	}
	return err
}

func (b *bed) log() *Log {
	b.t.Helper()
	l, err := b.store.Create(tp0, testTopicID, b.cfg, nil)
	require.NoError(b.t, err)
	return l
}

// batchOf makes a batch of n records of the given value size.
func batchOf(n, size int, ts int64, set ...func(*record.Options)) []byte {
	o := record.NewOptions()
	o.Codecs = codecs
	for _, f := range set {
		f(&o)
	}
	w := record.NewBuilder(o)
	value := make([]byte, size)
	for i := range n {
		for j := range value {
			value[j] = byte('a' + (i+j)%26)
		}
		w.Add(ts+int64(i), fmt.Appendf(nil, "k%d", i), value)
	}
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return b
}

func producer(id int64, epoch int16, seq int32) func(*record.Options) {
	return func(o *record.Options) { o.ProducerID, o.ProducerEpoch, o.BaseSequence = id, epoch, seq }
}

func transactional(o *record.Options) { o.Transactional = true }

func codec(c compress.Codec) func(*record.Options) {
	return func(o *record.Options) { o.Codec = c }
}

// markerBatch ends a transaction.
func markerBatch(id int64, epoch int16, commit bool, coordinatorEpoch int32, ts int64) []byte {
	o := record.NewOptions()
	o.ProducerID, o.ProducerEpoch, o.Transactional, o.Control = id, epoch, true, true
	w := record.NewBuilder(o)
	kind := record.ControlAbort
	if commit {
		kind = record.ControlCommit
	}
	w.AddControl(ts, kind, record.AppendEndTxnValue(nil, coordinatorEpoch))
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return b
}

func mustAppend(t testing.TB, l *Log, b []byte) AppendInfo {
	t.Helper()
	info, err := l.AppendAsLeader(b, 0, AppendOptions{})
	require.NoError(t, err)
	return info
}

// readAll reads every batch below the log end and checks that offsets follow each other.
func readAll(l *Log) (offsets []int64, err error) {
	at, end := l.LogStartOffset(), l.LogEndOffset()
	for at < end {
		b, err := l.ReadBytes(at, 700, end)
		if err != nil {
			return offsets, err
		}
		if len(b) == 0 {
			return offsets, fmt.Errorf("nothing at offset %d, the log ends at %d", at, end)
		}
		for len(b) > 0 {
			batch, rest, err := record.Next(b)
			if err != nil {
				return offsets, fmt.Errorf("at offset %d: %w", at, err)
			}
			if !batch.VerifyCRC() {
				return offsets, fmt.Errorf("bad CRC at offset %d", batch.BaseOffset())
			}
			if len(offsets) > 0 && batch.BaseOffset() < at {
				return offsets, fmt.Errorf("offset %d comes again", batch.BaseOffset())
			}
			offsets = append(offsets, batch.BaseOffset())
			at = batch.NextOffset()
			b = rest
		}
	}
	return offsets, nil
}

var errNotExist = fs.ErrNotExist

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

func list(t testing.TB, fsys vfs.FS, dir string) (names []string) {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
