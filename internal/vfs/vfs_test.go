package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func create(t testing.TB, f FS, name string) File {
	t.Helper()
	file, err := f.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	return file
}

// TestFileSystemsAgree runs one story on the machine's disk and on the one in memory.
func TestFileSystemsAgree(t *testing.T) {
	dir := t.TempDir()
	for name, f := range map[string]struct {
		fs   FS
		root string
	}{"os": {OS, dir}, "mem": {NewMem(), "/x"}, "fault": {NewFault(NewMem()), "/x"}} {
		t.Run(name, func(t *testing.T) {
			p := func(s string) string { return filepath.Join(f.root, s) }
			require.NoError(t, f.fs.MkdirAll(p("a/b")))
			require.NoError(t, f.fs.MkdirAll(p("a/b")))
			_, err := f.fs.OpenFile(p("a/missing"), os.O_RDONLY, 0)
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = f.fs.OpenFile(p("no/dir"), os.O_RDWR|os.O_CREATE, 0o600)
			require.ErrorIs(t, err, fs.ErrNotExist)

			file := create(t, f.fs, p("a/f"))
			_, err = file.WriteAt([]byte("hello"), 100_000) // a gap reads as zeros
			require.NoError(t, err)
			n, err := file.WritevAt([][]byte{[]byte("ab"), nil, []byte("cde")}, 3)
			require.NoError(t, err)
			require.Equal(t, int64(5), n)
			size, err := file.Size()
			require.NoError(t, err)
			require.Equal(t, int64(100_005), size)
			buf := make([]byte, 10)
			got, err := file.ReadAt(buf, 0)
			require.NoError(t, err)
			require.Equal(t, "\x00\x00\x00abcde\x00\x00", string(buf[:got]))
			got, err = file.ReadAt(buf, 100_000)
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, "hello", string(buf[:got]))
			require.NoError(t, file.Truncate(5))
			require.NoError(t, file.Truncate(8))
			got, _ = file.ReadAt(buf, 0)
			require.Equal(t, "\x00\x00\x00ab\x00\x00\x00", string(buf[:got]))
			require.NoError(t, file.Sync())
			require.NoError(t, f.fs.SyncDir(p("a")))
			_, err = f.fs.OpenFile(p("a/f"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
			require.ErrorIs(t, err, fs.ErrExist)

			require.NoError(t, f.fs.Rename(p("a/f"), p("a/g")))
			got, _ = file.ReadAt(buf, 3) // an open file keeps its bytes
			require.Equal(t, "ab\x00\x00\x00", string(buf[:got]))
			entries, err := f.fs.ReadDir(p("a"))
			require.NoError(t, err)
			require.Len(t, entries, 2)
			require.Equal(t, "b", entries[0].Name())
			require.True(t, entries[0].IsDir())
			require.Equal(t, "g", entries[1].Name())
			require.Error(t, f.fs.Remove(p("a")))
			require.NoError(t, f.fs.Remove(p("a/g")))
			require.NoError(t, file.Close())

			lock, err := f.fs.Lock(p("lock"))
			require.NoError(t, err)
			_, err = f.fs.Lock(p("lock"))
			require.ErrorIs(t, err, ErrLocked)
			require.NoError(t, lock.Close())
			lock, err = f.fs.Lock(p("lock"))
			require.NoError(t, err)
			require.NoError(t, lock.Close())

			require.NoError(t, WriteFileAtomic(f.fs, p("a/w"), []byte("one"), true))
			require.NoError(t, WriteFileAtomic(f.fs, p("a/w"), []byte("two"), false))
			b, err := ReadFile(f.fs, p("a/w"), 3)
			require.NoError(t, err)
			require.Equal(t, "two", string(b))
			_, err = ReadFile(f.fs, p("a/w"), 2)
			require.Error(t, err)
			total, free, err := f.fs.Usage(p("a"))
			require.NoError(t, err)
			require.Positive(t, free)
			require.GreaterOrEqual(t, total, free)
			require.NoError(t, f.fs.RemoveAll(p("a")))
			require.NoError(t, f.fs.RemoveAll(p("a")))
			_, err = f.fs.Stat(p("a"))
			require.ErrorIs(t, err, fs.ErrNotExist)
		})
	}
}

func TestAPowerCutKeepsWhatWasSyncedAndOnlyThatForSure(t *testing.T) {
	m := NewMem()
	require.NoError(t, m.MkdirAll("/d"))
	require.NoError(t, m.SyncDir("/"))
	f := create(t, m, "/d/f")
	synced := bytes.Repeat([]byte("synced"), 20_000)
	_, err := f.WriteAt(synced, 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("/d"))
	_, err = f.WriteAt(bytes.Repeat([]byte("later!"), 5000), int64(len(synced)))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("OVER"), 50_000)
	require.NoError(t, err)
	create(t, m, "/d/g")
	require.NoError(t, m.Rename("/d/f", "/d/h"))

	seen := map[string]int{}
	for seed := range uint64(300) {
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		_, fErr := c.Stat("/d/f")
		_, gErr := c.Stat("/d/g")
		_, hErr := c.Stat("/d/h")
		require.NotEqual(t, fErr == nil, hErr == nil) // a rename is whole
		if hErr == nil {
			require.NoError(t, gErr) // names change in order
			seen["renamed"]++
		} else if gErr == nil {
			seen["created"]++
		} else {
			seen["old"]++
		}
		name := "/d/f"
		if hErr == nil {
			name = "/d/h"
		}
		b, err := ReadFile(c, name, 1<<20)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(b), len(synced))
		require.Equal(t, synced[:50_000], b[:50_000])
		require.Equal(t, synced[50_004:], b[50_004:len(synced)])
		switch {
		case len(b) == len(synced):
			seen["lost"]++
		case len(b) == len(synced)+30_000:
			seen["kept"]++
		default:
			seen["torn"]++
		}
	}
	for _, what := range []string{"renamed", "created", "old", "lost", "kept", "torn"} {
		require.Positive(t, seen[what], what)
	}
	b, err := ReadFile(m.Clone(), "/d/h", 1<<20) // a kill loses nothing
	require.NoError(t, err)
	require.Len(t, b, len(synced)+30_000)
}

func TestClonesDoNotShareWhatIsWrittenLater(t *testing.T) {
	m := NewMem()
	f := create(t, m, "/f")
	_, err := f.WriteAt([]byte("0123456789"), 0)
	require.NoError(t, err)
	c := m.Clone()
	g := create(t, c, "/f")
	for i, file := range []File{f, g} {
		_, err := file.WriteAt([]byte{byte('a' + i)}, 3)
		require.NoError(t, err)
		_, err = file.WriteAt([]byte{byte('x' + i)}, 10)
		require.NoError(t, err)
	}
	for i, disk := range []*Mem{m, c} {
		b, err := ReadFile(disk, "/f", 100)
		require.NoError(t, err)
		require.Equal(t, "012"+string(rune('a'+i))+"456789"+string(rune('x'+i)), string(b))
	}
}

func TestAPreallocatedFileTakesNoMemory(t *testing.T) {
	m := NewMem()
	for i := range 1000 {
		f := create(t, m, "/"+string(rune('a'+i%26))+string(rune('a'+i/26)))
		require.NoError(t, f.Truncate(10<<20))
	}
	f := create(t, m, "/aa")
	buf := make([]byte, 100)
	_, err := f.ReadAt(buf, 5<<20)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 100), buf)
}

func TestFaults(t *testing.T) {
	m := NewMem()
	f := NewFault(m)
	boom := errors.New("boom")
	f.Fail(Rule{Kinds: KindWrite, Pattern: "*.log", Nth: 2, Err: boom, Short: true})
	file := create(t, f, "/x.log")
	_, err := file.WriteAt([]byte("1234"), 0)
	require.NoError(t, err)
	n, err := file.WriteAt([]byte("abcd"), 4)
	require.ErrorIs(t, err, boom)
	require.Equal(t, 2, n)
	_, err = file.WriteAt([]byte("efgh"), 4)
	require.NoError(t, err)
	f.Fail(Rule{Kinds: KindSync, Nth: 1, Last: -1, Err: boom})
	for range 3 {
		require.ErrorIs(t, file.Sync(), boom)
	}
	f.Heal()
	require.NoError(t, file.Sync())

	count := f.Count()
	f.CrashAfter(count + 1)
	require.NoError(t, f.MkdirAll("/one"))
	require.ErrorIs(t, f.MkdirAll("/two"), ErrCrashed)
	require.True(t, f.Crashed())
	_, err = f.Stat("/one")
	require.ErrorIs(t, err, ErrCrashed)
	_, err = file.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, ErrCrashed)
	_, err = m.Stat("/one")
	require.NoError(t, err)
	_, err = m.Stat("/two")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// FuzzMemFile compares a file in memory with a plain slice.
func FuzzMemFile(f *testing.F) {
	f.Add([]byte{0, 10, 1, 1, 5, 2, 2, 0, 40, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		m := NewMem()
		file := create(t, m, "/f")
		var want []byte
		for len(ops) >= 3 {
			at, n := int(ops[1])*331, int(ops[2])*97
			switch ops[0] % 5 {
			case 0, 1:
				p := bytes.Repeat(ops[:1], n)
				if n > 0 && at+n > len(want) {
					want = append(want, make([]byte, at+n-len(want))...)
				}
				copy(want[min(at, len(want)):], p)
				if n > 0 {
					if _, err := file.WriteAt(p, int64(at)); err != nil {
						t.Fatal(err)
					}
				}
			case 2:
				if at <= len(want) {
					want = want[:at:at]
				} else {
					want = append(want, make([]byte, at-len(want))...)
				}
				file.Truncate(int64(at))
			case 3:
				file.Sync()
			case 4:
				m = m.Clone()
				file = create(t, m, "/f")
			}
			ops = ops[3:]
		}
		got, err := ReadFile(m, "/f", 1<<20)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v: %d bytes, want %d", err, len(got), len(want))
		}
	})
}

func TestADirectoryMadeSurvivesAPowerCut(t *testing.T) {
	m := NewMem()
	require.NoError(t, MakeDir(m, "/a/b/c"))
	require.NoError(t, MakeDir(m, "/a/b/c"))
	require.NoError(t, MakeDir(m, "/a/d"))
	for seed := range uint64(20) {
		left := m.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		for _, dir := range []string{"/a/b/c", "/a/d"} {
			_, err := left.Stat(dir)
			require.NoError(t, err)
		}
	}
}

func TestAPipeIsReadToItsEnd(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	_, err = w.WriteString("node.id=1\n")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	name := fmt.Sprintf("/dev/fd/%d", r.Fd())
	if _, err := os.Stat(name); err != nil {
		t.Skip("no /dev/fd here")
	}
	data, err := ReadFile(OS, name, 100)
	require.NoError(t, err)
	require.Equal(t, "node.id=1\n", string(data))
}

func TestADirectoryIsTheSameByItsLink(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "a"), 0o700))
	require.NoError(t, os.Symlink("a", filepath.Join(dir, "b")))
	require.True(t, Same(OS, filepath.Join(dir, "a"), filepath.Join(dir, "b")))
	require.True(t, Same(OS, dir+"/none", dir+"/none/"))
	require.False(t, Same(OS, dir, filepath.Join(dir, "a")))
	require.False(t, Same(NewMem(), "/a", "/b"))
}
