package protocol

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// aMessage is a request or response of kmsg.
type aMessage interface {
	AppendTo([]byte) []byte
	ReadFrom([]byte) error
	SetVersion(int16)
}

// everyMessage calls f for every key and version, request and response, that Kafka serves and kmsg knows.
func everyMessage(f func(name string, key, version int16, response bool, make func() aMessage)) {
	for key := int16(0); key <= MaxKey(); key++ {
		v, ok := VersionsOf(key)
		if !ok {
			continue
		}
		for version := v.Min; version <= min(v.Max, kmsg.RequestForKey(key).MaxVersion()); version++ {
			name := fmt.Sprintf("%s v%d", kmsg.NameForKey(key), version)
			f(name+" request", key, version, false, func() aMessage {
				m := kmsg.RequestForKey(key)
				m.SetVersion(version)
				return m
			})
			f(name+" response", key, version, true, func() aMessage {
				m := kmsg.ResponseForKey(key)
				m.SetVersion(version)
				return m
			})
		}
	}
}

func TestMessagesOfKmsgWalkToTheirExactEnd(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	everyMessage(func(name string, key, version int16, response bool, make func() aMessage) {
		p, ok := programOf(key, version, response)
		require.True(t, ok, name)
		for round := range rounds(12) {
			m := make()
			randomMessage(rng, reflect.ValueOf(m).Elem())
			m.SetVersion(version)
			b := m.AppendTo(nil)
			w := walker{b: b}
			used, err := w.walk(p)
			if err != nil || used != len(b) {
				t.Errorf("%s: walked %d of %d bytes: %v", name, used, len(b), err)
				return
			}
			if w.steps > 4*len(b)+4 {
				t.Errorf("%s: %d steps for %d bytes", name, w.steps, len(b))
			}
			if round > 0 && len(b) > 2000 || raceEnabled && round > 0 {
				continue
			}
			for n := range b {
				w := walker{b: b[:n]}
				if _, err := w.walk(p); err == nil {
					t.Errorf("%s: cut to %d of %d bytes was accepted", name, n, len(b))
					return
				}
			}
		}
	})
}

// The other direction: what the table takes for well-formed, kmsg reads, and writes again as it was.
func TestBytesMadeFromTheTableAreWhatKmsgWrites(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	everyMessage(func(name string, key, version int16, response bool, make func() aMessage) {
		p, _ := programOf(key, version, response)
		same := 0
		for range 20 {
			b := randomBytes(rng, nil, &programs[p])
			w := walker{b: b}
			used, err := w.walk(p)
			require.NoError(t, err, name)
			require.Equal(t, len(b), used, name)
			m := make()
			require.NoError(t, m.ReadFrom(b), "%s: %x", name, b)
			if bytes.Equal(b, m.AppendTo(nil)) {
				same++
			}
		}
		// kmsg leaves out tagged fields that hold their default, so not every round is equal.
		if same < 2 {
			t.Errorf("%s: %d of 20 came back equal", name, same)
		}
	})
}

func TestCostIsAnUpperBoundNearTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	everyMessage(func(name string, key, version int16, response bool, make func() aMessage) {
		if response {
			return
		}
		p, _ := programOf(key, version, false)
		b := randomBytes(rng, nil, &programs[p])
		h := RequestHeader{Key: key, Version: version}
		cost, err := RequestCost(h, b)
		require.NoError(t, err, name)
		got := allocatedBy(func() {
			m := make()
			if m.ReadFrom(b) != nil {
				t.Error(name)
			}
		})
		if got > cost && !raceEnabled {
			t.Errorf("%s: decoding %d bytes took %d, cost said %d", name, len(b), got, cost)
		}
		if cost > 3*got+1024 {
			t.Errorf("%s: decoding %d bytes took %d, cost said as much as %d", name, len(b), got, cost)
		}
	})
}

func TestHostileBodiesAreRefusedCheaply(t *testing.T) {
	tags := func(n int, size int) []byte {
		b := AppendUvarint(nil, uint32(n))
		for i := range n {
			b = append(AppendUvarint(AppendUvarint(b, uint32(i+100)), uint32(size)), make([]byte, size)...)
		}
		return b
	}
	api := func(tail []byte) []byte { return append([]byte{2, 'a', 2, 'b'}, tail...) }
	str := func(n int) []byte { return append(AppendUvarint(nil, uint32(n+1)), make([]byte, n)...) }
	for name, c := range map[string]struct {
		key, version int16
		body         []byte
		ok           bool
	}{
		"ApiVersions with 2^32-1 tags":          {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f}, false},
		"varint with overflow bits":             {18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x1f}, false},
		"varint of six bytes":                   {18, 3, []byte{0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 1, 0}, false},
		"10000 tags":                            {18, 3, api(tags(10000, 0)), true},
		"10001 tags":                            {18, 3, api(tags(10001, 0)), false},
		"tag of 128 KiB":                        {18, 3, api(tags(1, 128<<10)), true},
		"tag of 128 KiB and a byte":             {18, 3, api(tags(1, 128<<10+1)), false},
		"tags equal":                            {18, 3, api([]byte{2, 9, 0, 9, 0}), false},
		"tags descending":                       {18, 3, api([]byte{2, 9, 0, 8, 0}), false},
		"more tags than fit":                    {18, 3, api([]byte{3, 9, 0, 10, 0}), false},
		"string of 32767":                       {18, 3, append(append(str(32767), 1), 0), true},
		"string of 32768":                       {18, 3, append(append(str(32768), 1), 0), false},
		"null string":                           {18, 3, []byte{0, 1, 0}, false},
		"bytes after the body":                  {18, 3, append(api([]byte{0}), 1, 2, 3), true},
		"null topics":                           {3, 1, []byte{0xff, 0xff, 0xff, 0xff}, true},
		"null topics in version 0":              {3, 0, []byte{0xff, 0xff, 0xff, 0xff}, false},
		"count -2":                              {3, 1, []byte{0xff, 0xff, 0xff, 0xfe}, false},
		"count of 2^31-1":                       {3, 1, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0}, false},
		"count beyond what is left":             {3, 1, []byte{0, 0, 0, 2, 0, 1, 'a'}, false},
		"presence byte -2":                      {75, 0, []byte{1, 0, 0, 0, 1, 0xfe, 0}, false},
		"presence byte -1":                      {75, 0, []byte{1, 0, 0, 0, 1, 0xff, 0}, true},
		"string length -2":                      {3, 1, []byte{0, 0, 0, 1, 0xff, 0xfe}, false},
		"a million partitions":                  {42, 0, append([]byte{0, 0x0f, 0x42, 0x40}, make([]byte, 2_000_000)...), true},
		"a million and one":                     {42, 0, append([]byte{0, 0x0f, 0x42, 0x41}, make([]byte, 2_000_002)...), false},
		"version that Kafka does not serve":     {3, 14, nil, false},
		"retired key":                           {4, 0, nil, false},
		"unknown ApiVersions: body is not read": {18, 99, []byte{0xff}, true},
	} {
		h := RequestHeader{Key: c.key, Version: c.version}
		_, err := RequestCost(h, c.body)
		if c.ok {
			require.NoError(t, err, name)
			_, err = DecodeRequest(h, c.body)
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ErrMalformed, name)
		if w := allocatedBy(func() { _, _ = DecodeRequest(h, c.body) }); w > 4096 {
			t.Errorf("%s: refusing took %d bytes", name, w)
		}
	}
}

// createTopicsBomb claims as many topics as fit in size bytes.
func createTopicsBomb(size int) []byte {
	n := size / 17 // name 1+1, counts 4+2, two arrays, tags ... see the walk's minimum
	p, _ := programOf(19, 7, false)
	for _, o := range ops[programs[p].first : programs[p].first+programs[p].count] {
		if o.code&^(flexible|nullable) == opStructs {
			n = size / int(programs[o.arg].min)
		}
	}
	b := AppendUvarint(nil, uint32(n+1))
	for range n {
		b = append(b, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0)
	}
	return append(b, 0, 0, 0, 0, 0, 0)
}

func TestCostOfABombIsKnownBeforeDecoding(t *testing.T) {
	b := createTopicsBomb(1 << 20)
	h := RequestHeader{Key: 19, Version: 7}
	cost, err := RequestCost(h, b)
	require.NoError(t, err)
	require.Greater(t, cost, int64(8<<20))
	got := allocatedBy(func() { _, err = DecodeRequest(h, b) })
	require.NoError(t, err)
	if !raceEnabled {
		require.LessOrEqual(t, got, cost)
	}
	require.Zero(t, int64(testing.AllocsPerRun(10, func() { _, _ = RequestCost(h, b) })), "the walk itself allocates nothing")
}

func TestEveryProgramMinimumIsExact(t *testing.T) {
	for i := range programs {
		b := make([]byte, 0, 64)
		b = smallestOf(b, &programs[i])
		require.Len(t, b, int(programs[i].min), "program %d", i)
	}
}

// smallestOf writes the smallest message of a program.
func smallestOf(dst []byte, p *program) []byte {
	for _, o := range ops[p.first : p.first+p.count] {
		flex := o.code&flexible != 0
		switch o.code &^ (flexible | nullable) {
		case opFixed:
			dst = append(dst, make([]byte, o.arg)...)
		case opText:
			dst = AppendText(dst, "", flex)
		case opBytes, opNumbers, opTexts, opStructs:
			dst = AppendCount(dst, 0, flex)
		case opStruct:
			dst = smallestOf(dst, &programs[o.arg])
		case opMaybe:
			dst = append(dst, 0xff)
		case opTags:
			dst = append(dst, 0)
		}
	}
	return dst
}

func FuzzRequestCost(f *testing.F) {
	add := func(key, version int16, body []byte) {
		f.Add(append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(key)), uint16(version)), body...), false)
	}
	add(18, 3, []byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f})
	add(19, 7, createTopicsBomb(1<<20))
	rng := rand.New(rand.NewPCG(9, 10))
	everyMessage(func(name string, key, version int16, response bool, make func() aMessage) {
		p, _ := programOf(key, version, response)
		b := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, uint16(key)), uint16(version))
		f.Add(randomBytes(rng, b, &programs[p]), response)
	})
	f.Fuzz(func(t *testing.T, b []byte, response bool) {
		if len(b) < 4 {
			return
		}
		key, version, body := int16(binary.BigEndian.Uint16(b)), int16(binary.BigEndian.Uint16(b[2:])), b[4:]
		p, ok := programOf(key, version, response)
		if !ok || version > kmsg.RequestForKey(key).MaxVersion() {
			return
		}
		w := walker{b: body}
		_, err := w.walk(p)
		if w.steps > 4*len(body)+4 {
			t.Fatalf("%d steps for %d bytes", w.steps, len(body))
		}
		if err != nil {
			return
		}
		var m aMessage = kmsg.RequestForKey(key)
		if response {
			m = kmsg.ResponseForKey(key)
		}
		m.SetVersion(version)
		got := allocatedBy(func() { err = m.ReadFrom(body) })
		if err != nil {
			t.Fatalf("key %d version %d: the walk accepts what kmsg refuses: %v", key, version, err)
		}
		if got > w.alloc+allocSlack && !raceEnabled {
			t.Fatalf("key %d version %d: decoding %d bytes took %d, cost said %d", key, version, len(body), got, w.alloc)
		}
		once := m.AppendTo(nil)
		if err := m.ReadFrom(once); err != nil {
			t.Fatalf("key %d version %d: written again it cannot be read: %v", key, version, err)
		}
		if twice := m.AppendTo(nil); !bytes.Equal(once, twice) {
			t.Fatalf("key %d version %d: encoding is not stable", key, version)
		}
	})
}
