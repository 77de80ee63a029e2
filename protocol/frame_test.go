package protocol

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFramesOfEveryKeyAndVersionRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	everyMessage(func(name string, key, version int16, response bool, make func() aMessage) {
		m := make()
		randomMessage(rng, reflect.ValueOf(m).Elem())
		m.SetVersion(version)
		if !response {
			req := m.(kmsg.Request)
			frame := AppendRequest([]byte("before"), "me", 42, req)[6:]
			require.EqualValues(t, len(frame)-4, binary.BigEndian.Uint32(frame), name)
			h, body, err := ParseRequestHeader(frame[4:])
			require.NoError(t, err, name)
			require.Equal(t, RequestHeader{key, version, 42, kmsg.StringPtr("me")}, h, name)
			back, err := DecodeRequest(h, body)
			require.NoError(t, err, name)
			require.Equal(t, req.AppendTo(nil), back.AppendTo(nil), name)
			return
		}
		resp := m.(kmsg.Response)
		if a, ok := resp.(*kmsg.ApiVersionsResponse); ok {
			a.ErrorCode = 0
		}
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		frame := AppendResponse([]byte("before"), 43, resp)[6:]
		require.EqualValues(t, len(frame)-4, binary.BigEndian.Uint32(frame), name)
		id, back, err := DecodeResponse(req, frame[4:])
		require.NoError(t, err, name)
		require.EqualValues(t, 43, id, name)
		require.Equal(t, resp.AppendTo(nil), back.AppendTo(nil), name)
	})
}

func TestApiVersionsAnswerAlwaysHasHeaderZero(t *testing.T) {
	for version := int16(0); version <= 5; version++ {
		resp := kmsg.NewPtrApiVersionsResponse()
		resp.Version = version
		frame := AppendResponse(nil, 1, resp)
		require.Equal(t, []byte{0, 0, 0, 1, 0, 0}, frame[4:10], "no tag byte between correlation id and error code")
	}
}

func TestUnknownApiVersionsIsReadAsVersionZeroAndAnsweredSo(t *testing.T) {
	// What Apache Kafka 4.4 answers to ApiVersions version 99.
	golden := []byte{0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5}
	h, body, err := ParseRequestHeader([]byte{0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 2, 3})
	require.NoError(t, err)
	req, err := DecodeRequest(h, body)
	require.NoError(t, err)
	require.EqualValues(t, 0, req.GetVersion())
	require.EqualValues(t, 99, h.Version)
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	resp.ErrorCode = kerr.UnsupportedVersion.Code
	resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 18, MinVersion: 0, MaxVersion: 5}}
	require.Equal(t, golden, AppendResponse(nil, h.CorrelationID, resp)[4:])

	asked := kmsg.NewPtrApiVersionsRequest()
	asked.Version = 4
	id, got, err := DecodeResponse(asked, golden)
	require.NoError(t, err)
	require.EqualValues(t, 1, id)
	require.EqualValues(t, 0, got.GetVersion())
	require.Len(t, got.(*kmsg.ApiVersionsResponse).ApiKeys, 1)
}

func TestBytesAfterABodyAreIgnored(t *testing.T) { // as Apache Kafka 4.4 does
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	_, err := DecodeRequest(RequestHeader{Key: 3, Version: 12}, append(req.AppendTo(nil), 1, 2, 3))
	require.NoError(t, err)
}

func TestCutResponsesAreRefused(t *testing.T) {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 12
	resp.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 1, Host: "a", Port: 2}}
	frame := AppendResponse(nil, 5, resp)[4:]
	for n := range frame {
		_, _, err := DecodeResponse(req, frame[:n])
		require.ErrorIs(t, err, ErrMalformed, "cut to %d", n)
	}
}

func TestAnswersOfKafkaAreReadAndWrittenAsTheyWere(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-4.4.0-responses.txt")
	require.NoError(t, err)
	seen := 0
	for line := range strings.Lines(string(text)) {
		var key, version int16
		var digits string
		if _, err := fmt.Sscanf(line, "%d %d %s", &key, &version, &digits); err != nil {
			continue
		}
		frame, err := hex.DecodeString(digits)
		require.NoError(t, err)
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		id, resp, err := DecodeResponse(req, frame)
		require.NoError(t, err, "key %d version %d", key, version)
		require.Equal(t, frame, AppendResponse(nil, id, resp)[4:], "key %d version %d", key, version)
		seen++
	}
	require.Greater(t, seen, 15)
}
