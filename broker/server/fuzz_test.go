package server

import (
	"context"
	"testing"

	"github.com/dohle-io/dohle/internal/memnet"
)

// FuzzConnection writes arbitrary bytes to a connection. Nothing may panic or get past the walk into a decoder that
// refuses it, and another client is served all along.
func FuzzConnection(f *testing.F) {
	for _, frame := range hostileFrames() {
		if len(frame) < 1000 {
			f.Add(frame)
		}
	}
	network := memnet.New()
	d := rows{0: answering(0, 3, 13), 1: answering(1, 4, 18), 3: answering(3, 0, 13), 18: answering(18, 0, 5), 19: answering(19, 2, 7), 32: answering(32, 1, 4), 58: answering(58, 0, 0)}
	r := start(f, d, func(o *Options) { o.Net, o.Budget = network, NewBudget(8<<20) })
	good := r.dial()
	f.Fuzz(func(t *testing.T, b []byte) {
		nc, err := network.Dial(context.Background(), "tcp", r.addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(b) // the server closes when it likes
		nc.Close()
		good.t = t
		id := good.send(versions(3))
		if got := good.nextID(); got != id {
			t.Fatalf("the good client got %d for %d", got, id)
		}
		if n := r.Stats().DecodingFaults; n != 0 {
			t.Fatalf("%d requests passed the walk and broke in the decoder", n)
		}
	})
}
