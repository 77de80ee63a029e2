package compress

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// Streaming writers, such as Java's and librdkafka's, leave the content size out of the frame.
func TestZstdFramesWithoutTheirSizeDecodeAtEveryLength(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 3<<20)
	for i := range text {
		text[i] = "abcdefgh"[rng.IntN(1+i%8)]
	}
	codecs := NewCodecs()
	for _, n := range []int{0, 1, 100, 128<<10 - 1, 128 << 10, 128<<10 + 1, 300_000, 1 << 20, 3 << 20} {
		var frame bytes.Buffer
		w, err := zstd.NewWriter(&frame, zstd.WithEncoderConcurrency(1))
		require.NoError(t, err)
		for at := 0; at < n; at += 50_000 { // in pieces, as records are written
			_, err = w.Write(text[at:min(n, at+50_000)])
			require.NoError(t, err)
			require.NoError(t, w.Flush())
		}
		require.NoError(t, w.Close())
		for _, room := range []int{0, n / 2, n, n + 1<<20} {
			got, err := codecs.Decompress(make([]byte, 0, room), Zstd, frame.Bytes(), 0)
			require.NoError(t, err, "%d bytes into room for %d", n, room)
			require.True(t, bytes.Equal(text[:n], got))
		}
		if n > 1 {
			_, err = codecs.Decompress(nil, Zstd, frame.Bytes(), n-1)
			require.ErrorIs(t, err, ErrTooLarge)
		}
	}
}
