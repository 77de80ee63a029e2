package cost

import "testing"

type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Fatalf(string, ...any) { r.failed = true }

var sink []byte

func TestABoundIsABound(t *testing.T) {
	for _, c := range []struct {
		bytes int
		fails bool
	}{{1 << 10, false}, {1 << 22, true}} {
		r := &recorder{TB: t}
		Bounded(r, 100, 64<<10, func() { sink = make([]byte, c.bytes) })
		if r.failed != c.fails {
			t.Errorf("%d bytes for 100: failed = %t", c.bytes, r.failed)
		}
	}
}
