package compress

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

var all = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// plain is the text the Java vectors were made of.
func plain(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(((i / 7) * (i / 7) >> 3) % 61)
	}
	return b
}

func TestReadsWhatJavaWrites(t *testing.T) {
	f, err := os.Open("testdata/java.txt")
	require.NoError(t, err)
	defer f.Close()
	cs, lines := NewCodecs(), 0
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		var name string
		var level, size int
		var data []byte
		_, err := fmt.Sscanf(sc.Text(), "%s %d %d %x", &name, &level, &size, &data)
		require.NoError(t, err)
		c, ok := ParseCodec(name)
		require.True(t, ok)
		got, err := cs.Decompress([]byte("before"), c, data, size+6)
		require.NoError(t, err, "%s level %d size %d", name, level, size)
		require.True(t, bytes.Equal(append([]byte("before"), plain(size)...), got), "%s level %d size %d", name, level, size)
		lines++
	}
	require.NoError(t, sc.Err())
	require.Equal(t, 60, lines)
}

func TestRoundTripAtEveryLevel(t *testing.T) {
	cs := NewCodecs()
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	levels := map[Codec][]int{None: {0}, Snappy: {0}, Gzip: {-1, 0, 1, 5, 9, 99}, LZ4: {0, 1, 2, 8, 9, 10, 17, 99}, Zstd: {-131072, -1, 0, 1, 3, 7, 19, 22}}
	for _, c := range all {
		for _, level := range levels[c] {
			for _, src := range [][]byte{nil, {7}, plain(31), plain(32 << 10), plain(64<<10 + 1), plain(300_000), noise} {
				enc, err := cs.Compress([]byte("x"), c, level, src)
				require.NoError(t, err)
				require.Equal(t, byte('x'), enc[0])
				dec, err := cs.Decompress(nil, c, enc[1:], len(src))
				require.NoError(t, err, "%v %d %d", c, level, len(src))
				require.True(t, bytes.Equal(src, dec), "%v %d %d", c, level, len(src))
				if len(src) > 0 {
					_, err = cs.Decompress(nil, c, enc[1:], len(src)-1)
					if len(src) > 1 {
						require.ErrorIs(t, err, ErrTooLarge, "%v %d %d", c, level, len(src))
					}
				}
			}
		}
	}
}

func TestSnappyIsWrittenWithXerialFramingAndReadWithout(t *testing.T) {
	cs := NewCodecs()
	src := plain(70_000)
	enc, err := cs.Compress(nil, Snappy, 0, src)
	require.NoError(t, err)
	require.Equal(t, "82534e415050590000000001"+"00000001", hex.EncodeToString(enc[:16]))

	// a raw block of three literal bytes
	got, err := cs.Decompress(nil, Snappy, []byte{3, 2 << 2, 'a', 'b', 'c'}, 0)
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))

	// two streams, one behind the other
	got, err = cs.Decompress(nil, Snappy, append(bytes.Clone(enc), enc...), 0)
	require.NoError(t, err)
	require.True(t, bytes.Equal(append(bytes.Clone(src), src...), got))
}

func TestSnappyRefusesTheExtensionsOfS2(t *testing.T) {
	cs := NewCodecs()
	// "abcd", copy of 4 from offset 4, then 4 more with offset 0: a repeat for s2, damage for snappy
	block := []byte{12, 3 << 2, 'a', 'b', 'c', 'd', 1, 4, 1, 0}
	if got, err := s2.Decode(nil, block); err != nil || string(got) != "abcdabcdabcd" {
		t.Fatalf("the decoder underneath changed: %q %v", got, err)
	}
	_, err := cs.Decompress(nil, Snappy, block, 0)
	require.ErrorIs(t, err, kerr.CorruptMessage)
	block[9] = 4
	got, err := cs.Decompress(nil, Snappy, block, 0)
	require.NoError(t, err)
	require.Equal(t, "abcdabcdabcd", string(got))
}

func TestGzipMembersAndTrailingBytes(t *testing.T) {
	cs := NewCodecs()
	a, _ := cs.Compress(nil, Gzip, 0, []byte("one"))
	b, _ := cs.Compress(nil, Gzip, 0, []byte("two"))
	got, err := cs.Decompress(nil, Gzip, append(append(bytes.Clone(a), b...), 0, 0, 0), 0)
	require.NoError(t, err)
	require.Equal(t, "onetwo", string(got))
}

func TestLZ4Checksums(t *testing.T) {
	require.Equal(t, uint32(0x02cc5d05), xxh32(nil))
	require.Equal(t, uint32(0x550d7456), xxh32([]byte("a")))
	require.Equal(t, uint32(0xe2293b2f), xxh32([]byte("Nobody inspects the spammish repetition")))

	cs := NewCodecs()
	frame := []byte{0x04, 0x22, 0x4d, 0x18, 0x70, 0x40, 0, 3, 0, 0, 0x80, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 0}
	frame[6] = byte(xxh32(frame[4:6]) >> 8)
	binary.LittleEndian.PutUint32(frame[14:], xxh32([]byte("abc")))
	got, err := cs.Decompress(nil, LZ4, frame, 0)
	require.NoError(t, err)
	require.Equal(t, "abc", string(got))
	frame[14]++
	_, err = cs.Decompress(nil, LZ4, frame, 0)
	require.ErrorIs(t, err, kerr.CorruptMessage)
	frame[14]--
	frame[6]++
	_, err = cs.Decompress(nil, LZ4, frame, 0)
	require.ErrorIs(t, err, kerr.CorruptMessage)
}

func TestDamageIsCorruptAndLeavesDst(t *testing.T) {
	cs := NewCodecs()
	src := plain(100_000)
	for _, c := range all[1:] {
		enc, err := cs.Compress(nil, c, 0, src)
		require.NoError(t, err)
		for _, bad := range [][]byte{enc[:len(enc)/2], enc[:len(enc)-1], enc[:5], bytes.Repeat([]byte{0xa5}, 100), {1}} {
			got, err := cs.Decompress([]byte("kept"), c, bad, 0)
			require.ErrorIs(t, err, kerr.CorruptMessage, "%v %d", c, len(bad))
			require.Equal(t, "kept", string(got))
		}
		// and the pooled coder is none the worse
		got, err := cs.Decompress(nil, c, enc, 0)
		require.NoError(t, err)
		require.True(t, bytes.Equal(src, got))
	}
	_, err := cs.Decompress(nil, 5, src, 0)
	require.ErrorIs(t, err, kerr.UnsupportedCompressionType)
	_, err = cs.Compress(nil, 7, 0, src)
	require.ErrorIs(t, err, kerr.UnsupportedCompressionType)
}

// bomb makes a small input that decompresses to size zeros.
func bomb(t testing.TB, c Codec, size int) []byte {
	enc, err := NewCodecs().Compress(nil, c, 0, make([]byte, size))
	require.NoError(t, err)
	return enc
}

func TestBombsStopAtTheCap(t *testing.T) {
	cs := NewCodecs()
	for _, c := range all[1:] {
		b := bomb(t, c, 64<<20)
		for _, limit := range []int{1, 1000, 1 << 20, 5 << 20, 64<<20 - 1} {
			got, err := cs.Decompress(nil, c, b, limit)
			require.ErrorIs(t, err, ErrTooLarge, "%v %d", c, limit)
			require.Empty(t, got)
			require.LessOrEqual(t, cap(got), 4*limit+16<<20, "%v %d", c, limit)
		}
		got, err := cs.Decompress(nil, c, b, 64<<20)
		require.NoError(t, err, "%v", c)
		require.Len(t, got, 64<<20)
	}
}

func TestHeadersThatPromiseTooMuchAllocateLittle(t *testing.T) {
	if !countAllocs {
		t.Skip("race build")
	}
	cases := map[string]struct {
		c    Codec
		data []byte
	}{
		"snappy block of 4 GiB": {Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0}},
		"snappy block of 1 GiB": {Snappy, []byte{0x80, 0x80, 0x80, 0x80, 0x04, 0, 'a'}},
		"xerial chunk of 2 GiB": {Snappy, append(append(xerialMagic[:], 0, 0, 0, 1, 0, 0, 0, 1), 0x7f, 0xff, 0xff, 0xff, 0)},
		"xerial chunk negative": {Snappy, append(append(xerialMagic[:], 0, 0, 0, 1, 0, 0, 0, 1), 0x80, 0, 0, 0, 0)},
		"lz4 block of 4 MiB":    {LZ4, []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0, 0, 0x40, 0}},
		"zstd window 2 GiB":     {Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0, 0}},
		"zstd content 1 GiB":    {Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 0x01, 0, 0}},
	}
	for name, tc := range cases {
		cs := NewCodecs()
		_, _ = cs.Decompress(nil, tc.c, bomb(t, tc.c, 10), 0) // the coder itself is not what is measured
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			_, err := cs.Decompress(nil, tc.c, tc.data, 0)
			require.Error(t, err, name)
		}
		runtime.ReadMemStats(&after)
		require.Less(t, (after.TotalAlloc-before.TotalAlloc)/10, uint64(600<<10), name) // zstd: 32 KiB per byte of input
	}
}

func TestBorrowIsSafeForManyAndGivesSlotsBack(t *testing.T) {
	cs := NewCodecs()
	small, _ := cs.Compress(nil, Zstd, 0, plain(10_000))
	big := bomb(t, LZ4, 9<<20)
	huge := bomb(t, Gzip, 12<<20)
	want := crc32.ChecksumIEEE(plain(10_000))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 5 {
				s, err := cs.Borrow(Zstd, small, 0)
				if err != nil || crc32.ChecksumIEEE(s.Bytes()) != want {
					t.Error("wrong bytes", err)
					return
				}
				s.Release()
				if s, err = cs.Borrow(LZ4, big, 0); err != nil || len(s.Bytes()) != 9<<20 {
					t.Error("big", err)
					return
				}
				s.Release()
				if _, err = cs.Borrow(Gzip, huge, 10<<20); err != ErrTooLarge {
					t.Error("huge", err)
				}
			}
		})
	}
	wg.Wait()
	require.Empty(t, cs.large)
}

func TestNames(t *testing.T) {
	for _, c := range all {
		got, ok := ParseCodec(c.String())
		require.True(t, ok && got == c && c.Valid())
	}
	_, ok := ParseCodec("producer")
	require.False(t, ok)
	c, ok := ParseCodec("uncompressed")
	require.True(t, ok && c == None)
	require.Equal(t, "codec(6)", Codec(6).String())
	require.False(t, Codec(5).Valid() || Codec(-1).Valid())
}

func TestWarmCodersDoNotAllocate(t *testing.T) {
	if !countAllocs {
		t.Skip("race build")
	}
	cs := NewCodecs()
	src := plain(20_000)
	for _, c := range all {
		enc, err := cs.Compress(nil, c, 0, src)
		require.NoError(t, err)
		dst, out := make([]byte, 0, 64<<10), make([]byte, 0, 64<<10)
		n := testing.AllocsPerRun(50, func() {
			if _, err := cs.Decompress(dst, c, enc, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := cs.Compress(out, c, 0, src); err != nil {
				t.Fatal(err)
			}
		})
		require.LessOrEqual(t, n, 4.0, "%v", c)
	}
}
