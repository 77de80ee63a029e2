package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// framed puts a length before b.
func framed(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func header(key, version int16, rest ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint16(b, 0xffff) // null client id
	return append(b, rest...)
}

// hostileFrames are the hand-made cases of SC-18: what a broken or hostile client may send.
func hostileFrames() map[string][]byte {
	cases := map[string][]byte{
		"prefix 2^31-1":               {0x7f, 0xff, 0xff, 0xff, 0, 18, 0, 3},
		"prefix -1":                   {0xff, 0xff, 0xff, 0xff},
		"prefix -2^31":                {0x80, 0, 0, 0},
		"prefix 0":                    {0, 0, 0, 0},
		"prefix above the cap":        {0x06, 0x40, 0, 1},
		"frame of one byte":           framed([]byte{0}),
		"header cut off":              framed(header(18, 3)[:7]),
		"HTTP":                        []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"TLS hello":                   {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
		"unknown key":                 framed(header(999, 0)),
		"negative key":                framed(header(-1, 0)),
		"retired key":                 framed(header(4, 0)),
		"unserved key":                framed(header(62, 0, 0)),
		"negative version":            framed(header(3, -1)),
		"version above":               framed(header(3, 99, 0)),
		"version below":               framed(header(0, 0)),
		"client id longer than frame": framed([]byte{0, 3, 0, 1, 0, 0, 0, 1, 0x7f, 0xff, 'x'}),
		"header tag bomb":             framed(header(18, 3, 0xff, 0xff, 0xff, 0xff, 0x0f)),
		"ApiVersions tag bomb":        framed(header(18, 3, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)),
		"tag size bomb":               framed(header(18, 3, 0, 1, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)),
		"varint without end":          framed(header(18, 3, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80)),
		"array of 2^31-1":             framed(header(3, 1, 0x7f, 0xff, 0xff, 0xff)),
		"array of -2":                 framed(header(3, 1, 0xff, 0xff, 0xff, 0xfe)),
		"compact array bomb":          framed(header(3, 9, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)),
		"produce records beyond":      framed(header(0, 3, 0xff, 0xff, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff)),
		"garbage":                     framed(bytes.Repeat([]byte{0xff}, 100_000)),
	}
	good := protocol.AppendRequest(nil, "x", 1, produce(1, 200))
	for n := 5; n < len(good)-4; n += 13 {
		cases[fmt.Sprintf("cut body at %d", n)] = framed(good[4:][:n])
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		bad := bytes.Clone(good)
		for range 1 + rng.IntN(4) {
			bad[4+rng.IntN(len(bad)-4)] = byte(rng.Uint32())
		}
		cases[fmt.Sprintf("mutant %d", i)] = bad
	}
	return cases
}

func TestHostileFramesHurtOnlyTheirSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := rows{0: answering(0, 3, 13), 3: answering(3, 0, 13), 18: answering(18, 0, 4)}
		r := start(t, d, func(o *Options) { o.Budget = NewBudget(8 << 20) })
		good := r.dial()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for name, frame := range hostileFrames() {
			bad := r.dial()
			bad.raw(frame)
			synctest.Wait()
			id := good.send(versions(3))
			if got := good.nextID(); got != id {
				t.Fatalf("after %q the good client got answer %d for %d", name, got, id)
			}
			bad.nc.Close()
		}
		synctest.Wait()
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		stats := r.Stats()
		assert.Equal(t, 1, stats.Connections)
		assert.Zero(t, stats.BudgetUsed)
		assert.Zero(t, stats.DecodingFaults)
	})
}

func TestRefusedFramesCloseWithoutAnAnswer(t *testing.T) {
	cases := hostileFrames()
	for _, name := range []string{"prefix 2^31-1", "prefix -1", "prefix 0", "prefix above the cap", "HTTP", "TLS hello", "unknown key", "retired key",
		"unserved key", "version above", "version below", "header tag bomb", "ApiVersions tag bomb", "array of 2^31-1", "compact array bomb"} {
		synctest.Test(t, func(t *testing.T) {
			d := rows{0: answering(0, 3, 13), 3: answering(3, 0, 13), 18: answering(18, 0, 4)}
			c := start(t, d, nil).dial()
			c.raw(cases[name])
			c.closed()
		})
	}
}

func TestUnsupportedVersionIsAnsweredWhereTheRowSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := answering(18, 0, 4)
		row.Unsupported = func(c *Ctx) Answer {
			resp := kmsg.NewPtrApiVersionsResponse()
			resp.ErrorCode = 35
			return Reply(resp)
		}
		c := start(t, rows{18: row}, nil).dial()
		c.raw(framed(header(18, 77, 0, 0xff, 0xff, 0xff)))
		frame, err := c.frame()
		assert.NoError(t, err)
		assert.Equal(t, []byte{0, 0, 0, 1, 0, 35}, frame[:6])
		c.send(versions(3))
		c.nextID()
	})
}
