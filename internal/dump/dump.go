// Package dump prints the files of a log directory.
package dump

import (
	"errors"
	"io"

	"github.com/dohle-io/dohle/internal/vfs"
)

// Options of Files.
type Options struct {
	JSON bool // one object a line instead of text
}

// Files prints the files named by paths.
func Files(w io.Writer, fsys vfs.FS, paths []string, o Options) error {
	return errors.New("dump: not built yet")
}
