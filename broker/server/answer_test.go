package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

func TestPreparedFrameIsSharedAndTakesEachCorrelationId(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resp := kmsg.NewPtrMetadataResponse()
		resp.Version = 9
		for range 3000 { // beyond one flush
			resp.Brokers = append(resp.Brokers, kmsg.MetadataResponseBroker{Host: "a-host-name-of-some-length"})
		}
		frame := protocol.AppendResponse(nil, -1, resp)
		d := rows{3: {Key: 3, Name: "Metadata", Min: 0, Max: 13, Handle: func(*Ctx, kmsg.Request) Answer { return Prepared(frame) }}}
		r := start(t, d, nil)
		a, b := r.dial(), r.dial()
		m := kmsg.NewPtrMetadataRequest()
		m.Version = 9
		for range 3 {
			assert.Equal(t, a.send(m), a.nextID())
		}
		assert.Equal(t, b.send(m), b.nextID())
		assert.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, frame[4:8], "the kept frame is not written to")
	})
}

func TestComplaintsAreBounded(t *testing.T) {
	var q quietLog
	now := time.Unix(1000, 0)
	_, first := q.allow(now)
	assert.True(t, first)
	for range 500 {
		_, ok := q.allow(now.Add(500 * time.Millisecond))
		assert.False(t, ok)
	}
	skipped, ok := q.allow(now.Add(time.Second))
	assert.True(t, ok)
	assert.EqualValues(t, 500, skipped)
}
