package controller

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/storage"
)

// Info prints what kafka-storage info prints about a node's log directories. clean is false when it found a problem;
// the exit code is 1 then.
func Info(fsys vfs.FS, c *config.File, out io.Writer) (clean bool, err error) {
	dirs := logDirs(c)
	var found, problems []string
	var first *storage.MetaProperties
	for _, dir := range dirs {
		info, err := fsys.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, dir+" does not exist")
			continue
		case err != nil:
			return false, err
		case !info.IsDir():
			problems = append(problems, dir+" is not a directory")
			continue
		}
		found = append(found, dir)
		m, err := storage.ReadMetaProperties(fsys, dir)
		switch {
		case errors.Is(err, storage.ErrNotFormatted):
			problems = append(problems, dir+" is not formatted.")
		case err != nil:
			problems = append(problems, fmt.Sprintf("Error loading %s/meta.properties: %s", dir, err))
		case first == nil:
			first = &m
		case m.ClusterID != first.ClusterID:
			problems = append(problems, "Mismatched cluster IDs between storage directories.")
		case m.NodeID != first.NodeID:
			problems = append(problems, "Mismatched node IDs between storage directories.")
		}
	}
	printList(out, "Found log directory:", "Found log directories:", found)
	if first != nil {
		dir := ""
		if !first.DirectoryID.IsZero() {
			dir = fmt.Sprintf("directory.id=%s, ", first.DirectoryID)
		}
		fmt.Fprintf(out, "Found metadata: {cluster.id=%s, %snode.id=%d, version=1}\n\n", first.ClusterID, dir, first.NodeID)
	}
	printList(out, "Found problem:", "Found problems:", problems)
	return len(problems) == 0, nil
}

func printList(out io.Writer, one, many string, lines []string) {
	if len(lines) == 0 {
		return
	}
	if len(lines) > 1 {
		one = many
	}
	fmt.Fprintln(out, one)
	for _, l := range lines {
		fmt.Fprintf(out, "  %s\n", l)
	}
	fmt.Fprintln(out)
}
