package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/metadata"
)

func TestMetadataWaitsForTheTopicsItCreates(t *testing.T) {
	for _, c := range []struct {
		name   string
		allow  bool
		shown  time.Duration // when the image has the topic
		waited time.Duration
		code   int16
	}{
		{"shown in time", true, 5 * time.Millisecond, 5 * time.Millisecond, 0},
		{"shown too late", true, time.Second, createPatience, kerr.UnknownTopicOrPartition.Code},
		{"not wanted", false, time.Hour, 0, kerr.UnknownTopicOrPartition.Code},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d *Dispatcher
				d, decider := forwarding(t, func(req kmsg.Request) (kmsg.Response, error) {
					clock.Sleep(t.Context(), clock.Machine, c.shown)
					d.h.Images.Publish(imageOf(t, topicRecords("new", metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...))
					return created(req)
				})
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error)
				go func() { ended <- d.Run(ctx) }()
				synctest.Wait()
				begun := clock.Machine.Now()
				req := metadataRequest(13, "new")
				req.AllowAutoTopicCreation = c.allow
				resp := aliceAsks(d, req).Response().(*kmsg.MetadataResponse)
				assert.Equal(t, c.waited, clock.Machine.Now().Sub(begun))
				require.Len(t, resp.Topics, 1)
				assert.Equal(t, c.code, resp.Topics[0].ErrorCode)
				cancel()
				require.NoError(t, <-ended)
				assert.Equal(t, c.allow, len(decider.calls) == 1)
			})
		})
	}
}
