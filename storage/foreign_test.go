package storage

import (
	"encoding/binary"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/internal/vfs"
)

// After a clean stop Apache Kafka believes its index files, and so does Dohle, but only as far as they can be true: a
// file of another segment, an empty one or one with a flipped bit must neither hide records nor have them deleted (L5).
func TestAForeignIndexIsMadeAnew(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.RetentionMs = 7 * 24 * 3600 * 1000
	b.open()
	for i := range int64(300) {
		mustAppend(t, b.log(), batchOf(3, 40+int(i*7%60), testStart.UnixMilli()+i*10))
	}
	b.log().UpdateHighWatermark(900)
	require.NoError(t, b.store.Close())
	want, err := readAll(newBed(t, disk.Clone()).open().log())
	require.NoError(t, err)
	other := vfs.NewMem() // another log
	o := newBed(t, other).open()
	for i := range int64(300) {
		mustAppend(t, o.log(), batchOf(2, 300, 5000+i*10))
	}
	require.NoError(t, o.store.Close())
	foreign := map[string][]byte{}
	for _, name := range list(t, other, "/data/t-0") {
		foreign[path.Ext(name)], err = vfs.ReadFile(other, "/data/t-0/"+name, 1<<20)
		require.NoError(t, err)
	}
	var names []string
	for _, name := range list(t, disk, "/data/t-0") {
		if strings.HasSuffix(name, "index") {
			names = append(names, name)
		}
	}
	read := func(name string) []byte {
		bytes, err := vfs.ReadFile(disk, "/data/t-0/"+name, 1<<20)
		require.NoError(t, err)
		return bytes
	}
	for k, name := range names {
		offsets := strings.HasSuffix(name, ".index")
		each := map[bool]int{true: offsetEntrySize, false: timeEntrySize}[offsets]
		damages := map[string][]byte{"empty": {}, "of another log": foreign[path.Ext(name)],
			"of the next segment": read(names[(k+2)%len(names)]), "of the other kind": read(names[k^1])}
		for _, at := range []int{0, 1, -1} { // an entry whose columns were damaged
			for column := range 2 {
				bytes := append([]byte(nil), read(name)...)
				n := len(bytes) / each
				if n < 4 {
					continue
				}
				e := bytes[((at+n)%n)*each:]
				switch {
				case column == 1 && offsets:
					binary.BigEndian.PutUint32(e[4:], beUint32(e[4:])+17)
				case column == 1:
					binary.BigEndian.PutUint32(e[8:], beUint32(e[8:])+1<<20)
				case offsets:
					binary.BigEndian.PutUint32(e, beUint32(e)+1<<20)
				default:
					binary.BigEndian.PutUint64(e, uint64(beInt64(e)-30*24*3600*1000))
				}
				damages[map[int]string{0: "offset or time ", 1: "place "}[column]+map[int]string{0: "first", 1: "second", -1: "last"}[at]] = bytes
			}
		}
		for what, bytes := range damages {
			d := disk.Clone()
			require.NoError(t, vfs.WriteFile(d, "/data/t-0/"+name, bytes, true))
			b := newBed(t, d)
			b.clock.now = testStart.Add(time.Hour)
			l := b.open().log()
			require.Zero(t, b.store.DeleteOldSegments(), "%s %s", name, what)
			got, err := readAll(l)
			require.NoError(t, err, "%s %s", name, what)
			require.Equal(t, want, got, "%s %s", name, what)
			for i := range int64(300) {
				offset, _, _, found, err := l.OffsetForTimestamp(testStart.UnixMilli() + i*10)
				require.NoError(t, err, "%s %s", name, what)
				require.True(t, found, "%s %s", name, what)
				require.Equal(t, i*3, offset, "%s %s", name, what)
				s, err := l.Read(i*3+1, 100, 900, true)
				require.NoError(t, err, "%s %s", name, what)
				require.Equal(t, i*3, s.BaseOffset(), "%s %s", name, what)
				s.Release()
			}
			offset, _, _, _, err := l.OffsetOfMaxTimestamp()
			require.NoError(t, err)
			require.Equal(t, int64(899), offset, "%s %s", name, what)
			mustAppend(t, l, batchOf(3, 50, testStart.UnixMilli()))
			require.NoError(t, b.store.Close())
		}
	}
}

// A follower of Apache Kafka 3 wrote an entry with the end of all batches that it appended at once, at the place of the
// first. Such an index is as true as any: it is used and stays.
func TestAnIndexThatNamesAWholeAppendIsKept(t *testing.T) {
	disk := vfs.NewMem()
	b := newBed(t, disk)
	b.cfg.SegmentBytes = 8000
	b.open()
	const batches, records, each = 300, 3, 3 // batches at once
	for i := range int64(batches) {
		mustAppend(t, b.log(), batchOf(records, 40, testStart.UnixMilli()+i*10))
	}
	b.log().UpdateHighWatermark(batches * records)
	require.NoError(t, b.store.Close())
	for _, name := range list(t, disk, "/data/t-0") {
		if !strings.HasSuffix(name, ".index") {
			continue
		}
		bytes, err := vfs.ReadFile(disk, "/data/t-0/"+name, 1<<20)
		require.NoError(t, err)
		end := int64(batches * records)
		base, err := strconv.ParseInt(strings.TrimSuffix(name, ".index"), 10, 64)
		require.NoError(t, err)
		for i := 0; i < len(bytes); i += offsetEntrySize {
			next := end - base
			if i+offsetEntrySize < len(bytes) {
				next = int64(beUint32(bytes[i+offsetEntrySize:]))
			}
			said := int64(beUint32(bytes[i:])) + (each-1)*records
			binary.BigEndian.PutUint32(bytes[i:], uint32(min(said, next-1)))
		}
		require.NoError(t, vfs.WriteFile(disk, "/data/t-0/"+name, bytes, true))
	}
	b = newBed(t, disk)
	l := b.open().log()
	for i := range int64(batches) {
		for off := range int64(records) {
			s, err := l.Read(i*records+off, 100, batches*records, true)
			require.NoError(t, err)
			require.Equal(t, i*records, s.BaseOffset())
			s.Release()
		}
		offset, _, _, found, err := l.OffsetForTimestamp(testStart.UnixMilli() + i*10)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, i*records, offset)
	}
	sealed := l.segments()
	for _, seg := range sealed[:len(sealed)-1] {
		require.False(t, seg.inMemory(), "the index of the segment at %d was made anew", seg.base)
	}
}
