package vfs

import (
	"os"
	"path"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWrittenOutAndForgottenBytesAreStillThere(t *testing.T) {
	for name, fsys := range map[string]FS{"os": OS, "mem": NewMem()} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, fsys.MkdirAll(dir))
			f, err := fsys.OpenFile(path.Join(dir, "f"), os.O_RDWR|os.O_CREATE, 0o600)
			require.NoError(t, err)
			defer f.Close()
			want := make([]byte, 1<<20)
			for i := range want {
				want[i] = byte(i >> 8)
			}
			_, err = f.WriteAt(want, 0)
			require.NoError(t, err)
			WriteOut(f, 0, 1<<19)
			require.NoError(t, f.Sync())
			Forget(f, 0, 1<<20)
			got := make([]byte, len(want))
			_, err = f.ReadAt(got, 0)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}
