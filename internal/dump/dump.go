package dump

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
)

// Options of Files.
type Options struct {
	JSON bool // one object a line instead of text
}

// Files prints the files named by paths, in that order; of a directory, the files in it that are known, by name, and
// not those in directories below. Everything that can be read is printed to w. The error names the first file that is
// damaged, unknown or unreadable and says how many more there are; an error of w ends the printing.
func Files(w io.Writer, fsys vfs.FS, paths []string, o Options) error {
	d := &dumper{printer: newPrinter(w, o.JSON), fs: fsys, codecs: compress.NewCodecs(), maxDecompressed: compress.DefaultMax,
		known: map[fieldKey]fieldFact{}}
	return d.files(paths)
}

type dumper struct {
	*printer
	fs              vfs.FS
	codecs          *compress.Codecs
	maxDecompressed int // bytes that one batch may become
	known           map[fieldKey]fieldFact

	bad   int   // files with a finding
	first error // of the first of them
}

func (d *dumper) files(paths []string) error {
	for _, p := range paths {
		d.print(p)
	}
	if err := d.flush(); err != nil {
		return err
	}
	if d.bad > 1 {
		return fmt.Errorf("%w; and %d more files are damaged or could not be read", d.first, d.bad-1)
	}
	return d.first
}

// print prints a file or a directory.
func (d *dumper) print(name string) {
	info, err := d.fs.Stat(name)
	if err != nil {
		d.unreadable(name, err)
		return
	}
	if !info.IsDir() {
		d.file(name)
		return
	}
	entries, err := d.fs.ReadDir(name)
	if err != nil {
		d.unreadable(name, err)
		return
	}
	known := 0
	for _, e := range entries {
		if e.IsDir() || identify(e.Name()).kind == unknown {
			continue
		}
		known++
		d.file(path.Join(name, e.Name()))
	}
	if known == 0 {
		d.unreadable(name, errors.New("the directory holds no file of a known name"))
	}
}

// unreadable reports a path of which nothing can be printed.
func (d *dumper) unreadable(name string, err error) {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err // the row names the path already
	}
	d.openFile(name)
	d.finding(-1, "%v", err)
	d.closeFile()
}

// file prints one file.
func (d *dumper) file(name string) {
	if d.failed() {
		return
	}
	f, err := d.fs.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		d.unreadable(name, err)
		return
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		d.unreadable(name, err)
		return
	}
	s := &source{file: f, size: size, path: name, id: identify(path.Base(name))}
	d.openFile(name)
	d.begin("file", "")
	if !d.json {
		d.name("file", name)
	}
	d.word("kind", s.id.kind.String())
	d.int("size", size)
	if s.id.hasOffset {
		d.int(s.id.kind.offsetName(), s.id.offset)
	}
	if s.id.hasEpoch {
		d.int("epoch", int64(s.id.epoch))
	}
	if s.id.mark != "" {
		d.word("marked", s.id.mark)
	}
	d.end()
	d.content(s)
	d.closeFile()
}

func (d *dumper) content(s *source) {
	switch s.id.kind {
	case logFile, snapshotFile:
		d.log(s)
	case offsetIndex:
		d.offsetIndex(s)
	case timeIndex:
		d.timeIndex(s)
	case txnIndex:
		d.txnIndex(s)
	case producerSnapshot:
		d.producerSnapshot(s)
	case offsetCheckpoint:
		d.offsets(s)
	case epochCheckpoint:
		d.epochs(s)
	case partitionMetadata:
		d.partitionMetadata(s)
	case metaProperties:
		d.metaProperties(s)
	case quorumState:
		d.quorumState(s)
	case cleanShutdown:
		d.cleanShutdown(s)
	case unknown:
		d.finding(-1, "no file that Kafka keeps has this name; known are segments with their indexes and snapshots, checkpoints, and the directory's own files")
	}
}
