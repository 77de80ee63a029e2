package dump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

const kafkaFiles = "testdata/kafka-4.4.0/"

// The scripts in testdata/golden are judged by reading the diff; `go test -rewrite` makes them anew. Commands:
//
//	dump [json] path=<below kafka-4.4.0>        prints a file or directory that Kafka wrote
//	edit [json] path=... [name=...] [cut=n] [flip=n] [zero=n] [append=text]   prints a damaged copy of a file, alone
//	file [json] name=...                         prints a file with the text below the command
//
// The last line is the error that Files returned.
func TestOutputIsStable(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			switch c.Cmd {
			case "dump":
				return show(vfs.OS, c.HasArg("json"), kafkaFiles+argument(t, c, "path"))
			case "edit":
				return edit(t, c)
			case "file":
				fsys := vfs.NewMem()
				name := argument(t, c, "name")
				write(t, fsys, name, []byte(c.Input))
				return show(fsys, c.HasArg("json"), name)
			}
			c.Fatalf(t, "unknown command")
			return ""
		})
	})
}

func argument(t *testing.T, c *datadriven.TestData, name string) (value string) {
	c.ScanArgs(t, name, &value)
	return value
}

func show(fsys vfs.FS, json bool, paths ...string) string {
	var out bytes.Buffer
	err := Files(&out, fsys, paths, Options{JSON: json})
	if err != nil {
		fmt.Fprintf(&out, "=> %v\n", err)
	}
	return out.String()
}

func edit(t *testing.T, c *datadriven.TestData) string {
	from := argument(t, c, "path")
	b, err := os.ReadFile(kafkaFiles + from)
	require.NoError(t, err)
	name := path.Base(from)
	for _, a := range c.CmdArgs {
		var n int
		if len(a.Vals) == 1 {
			_, _ = fmt.Sscan(a.Vals[0], &n)
		}
		switch a.Key {
		case "name":
			name = a.Vals[0]
		case "cut":
			b = b[:n]
		case "flip":
			b[n] ^= 0x40
		case "zero":
			b = append(b, make([]byte, n)...)
		case "append":
			b = append(b, a.Vals[0]...)
		}
	}
	fsys := vfs.NewMem()
	write(t, fsys, name, b)
	return show(fsys, c.HasArg("json"), name)
}

func write(t testing.TB, fsys vfs.FS, name string, data []byte) {
	if dir := path.Dir(name); dir != "." {
		require.NoError(t, fsys.MkdirAll(dir))
	}
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	require.NoError(t, err)
	if len(data) > 0 {
		_, err = f.WriteAt(data, 0)
		require.NoError(t, err)
	}
	require.NoError(t, f.Close())
}

// everyFile lists what Kafka wrote, in the order of names.
func everyFile(t testing.TB) (files []string) {
	var walk func(dir string)
	walk = func(dir string) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range entries {
			if name := dir + "/" + e.Name(); e.IsDir() {
				walk(name)
			} else {
				files = append(files, name)
			}
		}
	}
	walk(strings.TrimSuffix(kafkaFiles, "/"))
	require.Greater(t, len(files), 90)
	return files
}

func TestEveryFileThatKafkaWroteIsKnownAndSound(t *testing.T) {
	for _, name := range everyFile(t) {
		var text, lines bytes.Buffer
		require.NoError(t, Files(&text, vfs.OS, []string{name}, Options{}))
		require.NoError(t, Files(&lines, vfs.OS, []string{name}, Options{JSON: true}))
		require.Equal(t, bytes.Count(text.Bytes(), []byte("\n")), bytes.Count(lines.Bytes(), []byte("\n")), name)
		for line := range bytes.Lines(lines.Bytes()) {
			var row struct{ Type, File string }
			require.NoError(t, json.Unmarshal(line, &row), "%s", line)
			require.Equal(t, name, row.File)
			require.NotEmpty(t, row.Type)
		}
	}
}

func TestOtherFilesArePrintedAfterABadOne(t *testing.T) {
	fsys := vfs.NewMem()
	write(t, fsys, "d/notes.txt", []byte("x"))
	write(t, fsys, "d/partition.metadata", []byte("version: 0\ntopic_id: ZKA68dMRRP2z3SuupFK0vg\n"))
	write(t, fsys, "empty/notes.txt", nil)
	out := show(fsys, false, "d/notes.txt", "absent", "empty", "d")
	require.Contains(t, out, "ZKA68dMRRP2z3SuupFK0vg")
	require.Contains(t, out, "error: absent: ")
	require.Contains(t, out, "error: empty: the directory holds no file of a known name\n")
	require.Contains(t, out, "=> d/notes.txt: no file that Kafka keeps has this name")
	require.Contains(t, out, "and 2 more files are damaged or could not be read")
	require.Equal(t, 1, strings.Count(out, "file: d/notes.txt"), "a directory's unknown files are left out")
}

func TestMetadataLogIsKnownByItsDirectoryOrByTheQuorumStateBesideIt(t *testing.T) {
	b, err := os.ReadFile(kafkaFiles + "clean/__cluster_metadata-0/00000000000000000000.log")
	require.NoError(t, err)
	fsys := vfs.NewMem()
	const name, decoded = "00000000000000000000.log", `"type":"TOPIC_RECORD"`
	for _, dir := range []string{"__cluster_metadata-0/", "orders-0/", ""} {
		write(t, fsys, dir+name, b)
	}
	require.Contains(t, show(fsys, false, "__cluster_metadata-0/"+name), decoded)
	require.NotContains(t, show(fsys, false, "orders-0/"+name), decoded)
	require.NotContains(t, show(fsys, false, name), decoded)
	write(t, fsys, "quorum-state", nil)
	require.Contains(t, show(fsys, false, name), decoded)
}

func TestManyFindingsAreCounted(t *testing.T) {
	fsys := vfs.NewMem()
	write(t, fsys, "00000000000000000000.index", bytes.Repeat([]byte{1}, 8*1000))
	out := show(fsys, false, "00000000000000000000.index")
	require.Equal(t, maxFindings+1, strings.Count(out, "error: "))
	require.Contains(t, out, "error: and 899 more like these\n")
}

type closedPipe struct{ left int }

func (c *closedPipe) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestAnErrorOfTheWriterEndsThePrinting(t *testing.T) {
	w := &closedPipe{left: 1 << 10}
	files := everyFile(t)
	require.ErrorIs(t, Files(w, vfs.OS, append(files, files...), Options{}), io.ErrClosedPipe)
}
