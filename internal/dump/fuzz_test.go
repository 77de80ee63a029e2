package dump

import (
	"bytes"
	"io"
	"os"
	"path"
	"runtime"
	"testing"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
)

// fuzzNames are one file of every kind.
var fuzzNames = []string{
	"00000000000000000000.log",
	"__cluster_metadata-0/00000000000000000000.log",
	"00000000000000000055-0000000002.checkpoint",
	"__consumer_offsets-0/00000000000000000000.log",
	"00000000000000000000.index",
	"00000000000000000000.timeindex",
	"00000000000000000023.txnindex",
	"00000000000000000023.snapshot",
	"leader-epoch-checkpoint",
	"replication-offset-checkpoint",
	"partition.metadata",
	"meta.properties",
	"quorum-state",
	".kafka_cleanshutdown",
	"unknown.txt",
}

// fuzzDecompressed is what one batch may become in a fuzz run, in bytes.
const fuzzDecompressed = 16 << 10

// counter counts what is printed.
type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

// FuzzFiles prints hostile bytes as a file of any kind, an index beside a log of the same bytes. The oracle is the
// cost: no panic, and output and allocation are at most proportional to the size of the file and of what its batches
// may become.
func FuzzFiles(f *testing.F) {
	for _, name := range everyFile(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for k, like := range fuzzNames {
			if identify(path.Base(name)).kind == identify(path.Base(like)).kind && len(b) < 6<<10 {
				f.Add(uint8(k), b)
			}
		}
	}
	f.Add(uint8(1), hostileBatch(compress.None))
	f.Add(uint8(0), hostileBatch(compress.Zstd))
	codecs := compress.NewCodecs()
	f.Fuzz(func(t *testing.T, k uint8, data []byte) {
		name := fuzzNames[int(k)%len(fuzzNames)]
		fsys := vfs.NewMem()
		write(t, fsys, name, data)
		if kind := identify(path.Base(name)).kind; kind == offsetIndex || kind == timeIndex {
			write(t, fsys, "00000000000000000000.log", data)
		}
		for _, json := range []bool{false, true} {
			print := func(w io.Writer) {
				d := &dumper{printer: newPrinter(w, json), fs: fsys, codecs: codecs, maxDecompressed: fuzzDecompressed,
					known: map[fieldKey]fieldFact{}}
				_ = d.files([]string{name})
			}
			var out counter
			before := allocated()
			print(&out)
			spent := allocated() - before

			held := len(data) + len(data)/record.HeaderSize*fuzzDecompressed // bytes there are to print, at most
			if limit := 64<<10 + 200*held; out.n > limit {
				t.Fatalf("%s: %d bytes printed of a file of %d; at most %d are expected", name, out.n, len(data), limit)
			}
			if limit := uint64(24<<20 + 2000*held); spent > limit {
				t.Fatalf("%s: %d bytes allocated for a file of %d; at most %d are expected", name, spent, len(data), limit)
			}
			var first, second bytes.Buffer
			print(&first)
			print(&second)
			if !bytes.Equal(first.Bytes(), second.Bytes()) {
				t.Fatalf("%s: printed twice, the output differs", name)
			}
		}
	})
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// hostileBatch is a batch that is sound outside and holds what its readers must not believe.
func hostileBatch(c compress.Codec) []byte {
	o := record.NewOptions()
	o.Codec, o.Codecs = c, compress.NewCodecs()
	w := record.NewBuilder(o)
	w.Add(1, nil, []byte{1, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	w.Add(2, nil, make([]byte, 1<<15))
	w.Add(3, []byte{0xff}, nil, record.Header{Key: "\xff", Value: nil})
	b, err := w.Build()
	if err != nil {
		panic(err)
	}
	return b
}
