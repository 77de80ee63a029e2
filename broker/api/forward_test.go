package api

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/controller"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/cost"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// deciding is a controller that answers with a function.
type deciding struct {
	calls []controller.Call
	f     func(req kmsg.Request) (kmsg.Response, error)
}

func (d *deciding) Handle(_ context.Context, call controller.Call, req kmsg.Request) (kmsg.Response, error) {
	d.calls = append(d.calls, call)
	return d.f(req)
}

// forwarding is a broker whose controller sits in the same dispatcher, reached through an Envelope.
func forwarding(t *testing.T, f func(req kmsg.Request) (kmsg.Response, error)) (*Dispatcher, *deciding) {
	d := pictured(t, nil)
	decider := &deciding{f: f}
	d.h.Controller, d.h.Controllers = decider, loop{d}
	d.h.Data.Clocks = clock.System()
	return d, decider
}

// client asks a broker's row in the name of alice.
func aliceAsks(d *Dispatcher, req kmsg.Request) server.Answer {
	row, _ := d.Lookup(req.Key(), false)
	id := "alice-client"
	return row.Handle(&server.Ctx{Header: protocol.RequestHeader{Key: req.Key(), Version: req.GetVersion(), ClientID: &id, CorrelationID: 5}, Listener: "PLAINTEXT",
		Principal: "User:alice", Client: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}, Conn: &server.ConnState{ID: 3}, Now: clock.Machine.Now(), Context: context.Background()}, req)
}

func createRequest(v int16, names ...string) *kmsg.CreateTopicsRequest {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = v, 5000
	for _, name := range names {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 1, 1
		req.Topics = append(req.Topics, topic)
	}
	return req
}

func created(req kmsg.Request) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.CreateTopicsResponse)
	for _, asked := range req.(*kmsg.CreateTopicsRequest).Topics {
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.TopicID = asked.Topic, topicID(asked.Topic)
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

func TestForwardedRequestCarriesItsCaller(t *testing.T) {
	d, decider := forwarding(t, func(req kmsg.Request) (kmsg.Response, error) {
		return req.ResponseKind(), nil
	})
	req := kmsg.NewPtrListPartitionReassignmentsRequest()
	answer := aliceAsks(d, req)
	require.NotNil(t, answer.Response())
	require.Len(t, decider.calls, 1)
	call := decider.calls[0]
	assert.Equal(t, "User:alice", call.Principal)
	assert.Equal(t, "alice-client", call.ClientID)
	assert.Equal(t, "192.0.2.7", call.ClientHost)
	assert.Zero(t, call.Connection, "a session never hangs on a forwarding connection")
}

func TestCreateTopicsIsAnsweredWhenThisBrokerShowsIt(t *testing.T) {
	for _, v := range []int16{4, 7} {
		synctest.Test(t, func(t *testing.T) {
			d, _ := forwarding(t, created)
			done := make(chan *kmsg.CreateTopicsResponse)
			begun := clock.Machine.Now()
			go func() { done <- aliceAsks(d, createRequest(v, "a", "b")).Response().(*kmsg.CreateTopicsResponse) }()
			publish := func(names ...string) {
				clock.Sleep(context.Background(), clock.Machine, time.Second)
				var records []metadata.Record
				for _, name := range names {
					records = append(records, topicRecords(name, metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1})...)
				}
				d.h.Images.Publish(imageOf(t, records...))
			}
			publish("a")
			publish("a", "b")
			resp := <-done
			assert.Equal(t, 2*time.Second, clock.Machine.Now().Sub(begun))
			assert.Len(t, resp.Topics, 2)
		})
	}
}

func TestCreateTopicsThatNeverShowsIsAnsweredAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := forwarding(t, created)
		begun := clock.Machine.Now()
		resp := aliceAsks(d, createRequest(7, "a")).Response().(*kmsg.CreateTopicsResponse)
		assert.Equal(t, 5*time.Second, clock.Machine.Now().Sub(begun))
		assert.Zero(t, resp.Topics[0].ErrorCode, "the answer stays the controller's")
	})
}

func TestFailedAndValidatedTopicsAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := forwarding(t, func(req kmsg.Request) (kmsg.Response, error) {
			return errorResponse(req, kerr.TopicAlreadyExists), nil
		})
		begun := clock.Machine.Now()
		resp := aliceAsks(d, createRequest(7, "a")).Response().(*kmsg.CreateTopicsResponse)
		assert.Equal(t, kerr.TopicAlreadyExists.Code, resp.Topics[0].ErrorCode)
		d, _ = forwarding(t, created)
		req := createRequest(7, "a")
		req.ValidateOnly = true
		aliceAsks(d, req)
		assert.Zero(t, clock.Machine.Now().Sub(begun))
	})
}

func TestDeletedAndGrownTopicsShow(t *testing.T) {
	one := metadata.PartitionRecord{Replicas: []int32{1}, Leader: 1}
	with, without := imageOf(t, topicRecords("a", one, one)...), imageOf(t)
	gone := kmsg.NewPtrDeleteTopicsResponse()
	name := "a"
	byName, byID := kmsg.NewDeleteTopicsResponseTopic(), kmsg.NewDeleteTopicsResponseTopic()
	byName.Topic = &name
	byID.TopicID = topicID("a")
	for _, item := range []kmsg.DeleteTopicsResponseTopic{byName, byID} {
		gone.Topics = []kmsg.DeleteTopicsResponseTopic{item}
		assert.False(t, deletedTopicsGone(with, nil, gone))
		assert.True(t, deletedTopicsGone(without, nil, gone))
	}
	grow := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic = "a"
	grow.Topics = append(grow.Topics, topic)
	for count, shown := range map[int32]bool{2: true, 3: false} {
		grow.Topics[0].Count = count
		assert.Equal(t, shown, createdPartitionsShown(with, grow, kmsg.NewPtrCreatePartitionsResponse()))
	}
}

// answering is a ControllerClient with one answer.
type answering struct {
	resp *kmsg.EnvelopeResponse
	err  error
}

func (a answering) Send(context.Context, kmsg.Request) (kmsg.Response, error) { return a.resp, a.err }

func TestEnvelopeErrorsOnTheBroker(t *testing.T) {
	d := pictured(t, nil)
	envelopeOf := func(code int16) *kmsg.EnvelopeResponse {
		resp := kmsg.NewPtrEnvelopeResponse()
		resp.ErrorCode = code
		return resp
	}
	d.h.Controllers = answering{resp: envelopeOf(kerr.UnsupportedVersion.Code)}
	assert.ErrorIs(t, aliceAsks(d, createRequest(7, "a")).Err(), errEnvelopeVersion, "the client negotiates again")
	for _, c := range []struct {
		client answering
		code   int16
	}{
		{answering{resp: envelopeOf(kerr.PrincipalDeserializationFailure.Code)}, -1},
		{answering{resp: envelopeOf(0)}, -1},
		{answering{err: context.DeadlineExceeded}, kerr.RequestTimedOut.Code},
		{answering{err: errors.New("broken")}, -1},
	} {
		d.h.Controllers = c.client
		resp := aliceAsks(d, createRequest(7, "a")).Response().(*kmsg.CreateTopicsResponse)
		assert.Equal(t, c.code, resp.Topics[0].ErrorCode)
	}
}

func TestEnvelopeErrorsOnTheController(t *testing.T) {
	d, decider := forwarding(t, created)
	good := func() *kmsg.EnvelopeRequest {
		e := kmsg.NewPtrEnvelopeRequest()
		e.RequestData = protocol.AppendRequest(nil, "x", 9, createRequest(7, "a"))[4:]
		e.RequestPrincipal = encodePrincipal("User:alice")
		e.ClientHostAddress = []byte{127, 0, 0, 1}
		return e
	}
	for name, c := range map[string]struct {
		spoil func(e *kmsg.EnvelopeRequest)
		code  int16
	}{
		"good":               {func(*kmsg.EnvelopeRequest) {}, 0},
		"no principal":       {func(e *kmsg.EnvelopeRequest) { e.RequestPrincipal = nil }, kerr.PrincipalDeserializationFailure.Code},
		"principal of later": {func(e *kmsg.EnvelopeRequest) { e.RequestPrincipal[1] = 1 }, kerr.PrincipalDeserializationFailure.Code},
		"address of 5":       {func(e *kmsg.EnvelopeRequest) { e.ClientHostAddress = make([]byte, 5) }, kerr.InvalidRequest.Code},
		"half a header":      {func(e *kmsg.EnvelopeRequest) { e.RequestData = e.RequestData[:5] }, kerr.UnsupportedVersion.Code},
		"half a body":        {func(e *kmsg.EnvelopeRequest) { e.RequestData = e.RequestData[:20] }, kerr.UnsupportedVersion.Code},
		"not forwardable": {func(e *kmsg.EnvelopeRequest) {
			e.RequestData = protocol.AppendRequest(nil, "x", 9, versionsRequest(3))[4:]
		}, kerr.InvalidRequest.Code},
		"version of later": {func(e *kmsg.EnvelopeRequest) { e.RequestData[3] = 99 }, kerr.UnsupportedVersion.Code},
		"not the controller": {func(*kmsg.EnvelopeRequest) {
			decider.f = func(req kmsg.Request) (kmsg.Response, error) { return errorResponse(req, kerr.NotController), nil }
		}, kerr.NotController.Code},
	} {
		decider.f = created
		e := good()
		c.spoil(e)
		resp := put[*kmsg.EnvelopeResponse](t, d, "CONTROLLER", true, e)
		assert.Equal(t, c.code, resp.ErrorCode, name)
		assert.Equal(t, c.code == 0, resp.ResponseData != nil, name)
	}
}

func TestPrincipalIsKafkasDefaultPrincipalData(t *testing.T) {
	// version 0, "User", "alice", not by token, no tags
	assert.Equal(t, []byte{0, 0, 5, 'U', 's', 'e', 'r', 6, 'a', 'l', 'i', 'c', 'e', 0, 0}, encodePrincipal("User:alice"))
	for _, p := range []string{"User:ANONYMOUS", "User:a:b", "Group:x", "User:"} {
		got, err := decodePrincipal(encodePrincipal(p))
		require.NoError(t, err)
		assert.Equal(t, p, got)
	}
	assert.Equal(t, []byte{10, 0, 0, 1}, addressBytes(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}))
	assert.Len(t, addressBytes(&net.TCPAddr{IP: net.ParseIP("2001:db8::1")}), 16)
	assert.Equal(t, []byte{127, 0, 0, 1}, addressBytes(nil))
}

func FuzzDecodePrincipal(f *testing.F) {
	f.Add(encodePrincipal("User:alice"))
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		cost.Bounded(t, len(b), 64<<10, func() { decodePrincipal(b) })
		if p, err := decodePrincipal(b); err == nil {
			again, err := decodePrincipal(encodePrincipal(p))
			if err != nil || again != p {
				t.Fatalf("%q became %q, %v", p, again, err)
			}
		}
	})
}

// TestNullableArraysAreNotNull: of the answers served, only CreateTopics configs, the ELR lists and Fetch's aborted
// transactions and records are nullable arrays. Java's admin client throws on null in the first two.
func TestNullableArraysAreNotNull(t *testing.T) {
	resp := errorResponse(createRequest(7, "a"), kerr.NotController).(*kmsg.CreateTopicsResponse)
	assert.NotNil(t, resp.Topics[0].Configs)
}

func TestErrorResponseNamesEveryItem(t *testing.T) {
	for _, a := range Table {
		for v := a.Min; v <= a.Max; v++ {
			req := kmsg.RequestForKey(a.Key)
			req.SetVersion(v)
			frame := protocol.AppendResponse(nil, 1, errorResponse(req, kerr.NotController))
			_, _, err := protocol.DecodeResponse(req, frame[4:])
			require.NoError(t, err, "%s v%d", a.Name, v)
		}
	}
}
