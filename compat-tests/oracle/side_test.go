package oracle

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/dohle-io/dohle/compat-tests/scenario"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

// answering serves one connection: the n-th request gets the n-th answer, a body of api at version.
func answering(t *testing.T, api string, version int16, answers ...string) *Side {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var frames [][]byte
	for _, text := range answers {
		v, err := wire.ParseJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		body, err := wire.Encode(wire.Response(api), version, v.(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, body)
	}
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		l.Close()
		for _, body := range frames {
			var size [4]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			request := make([]byte, binary.BigEndian.Uint32(size[:]))
			if _, err := io.ReadFull(c, request); err != nil {
				return
			}
			answer := append(request[4:8:8], 0) // the correlation id, and no tags
			answer = append(answer, body...)
			c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
		}
	}()
	return &Side{Name: "x", Address: l.Addr().String()}
}

func TestUntilSeesNoMoreThanFilterLeaves(t *testing.T) {
	side := answering(t, "ListConfigResources", 1,
		`{"ConfigResources": [{"ResourceName": "g-other", "ResourceType": 32}]}`,
		`{"ConfigResources": [{"ResourceName": "g-other", "ResourceType": 32}, {"ResourceName": "g-mine", "ResourceType": 32}]}`)
	got, err := side.Run(instance(t, `scenario s
> ListConfigResources v1 {"ResourceTypes": [32]}
until ConfigResources[0].ResourceType 32
filter ConfigResources ResourceName g-mine`))
	if err != nil || got.Fault != "" {
		t.Fatal(err, got)
	}
	list, err := scenario.Get(got.Steps[0].Answer, "ConfigResources")
	if err != nil || len(list.([]any)) != 1 {
		t.Fatalf("%v %v: the condition was met by the resource of another scenario", list, err)
	}
}
