package protocol

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestHeaderVersionFollowsFromKeyAndVersion(t *testing.T) {
	for _, c := range []struct {
		name     string
		frame    []byte
		clientID *string
		body     []byte
	}{
		{"header 1", []byte{0, 3, 0, 8, 0, 0, 0, 7, 0, 1, 'x', 9}, kmsg.StringPtr("x"), []byte{9}},
		{"header 2", []byte{0, 3, 0, 9, 0, 0, 0, 7, 0, 1, 'x', 0, 9}, kmsg.StringPtr("x"), []byte{9}},
		{"null client id", []byte{0, 3, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 0, 9}, nil, []byte{9}},
		{"header tags are dropped", []byte{0, 3, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 2, 1, 1, 5, 2, 0, 9}, nil, []byte{9}},
		{"ApiVersions 0", []byte{0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff}, nil, []byte{}},
		{"ApiVersions of the future has header 2", []byte{0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 2}, nil, []byte{1, 2}},
		{"SaslHandshake is never flexible", []byte{0, 17, 0, 1, 0, 0, 0, 7, 0, 0, 9}, kmsg.StringPtr(""), []byte{9}},
		{"controller key, flexible from 0", []byte{0, 52, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9}, kmsg.StringPtr(""), []byte{9}},
		{"controller key, flexible from 1", []byte{0, 53, 0, 0, 0, 0, 0, 7, 0, 0, 9}, kmsg.StringPtr(""), []byte{9}},
	} {
		h, body, err := ParseRequestHeader(c.frame)
		require.NoError(t, err, c.name)
		require.EqualValues(t, 7, h.CorrelationID, c.name)
		require.Equal(t, c.clientID, h.ClientID, c.name)
		require.Equal(t, c.body, body, c.name)
	}
}

func TestBrokenHeadersAreRefused(t *testing.T) {
	whole := []byte{0, 3, 0, 9, 0, 0, 0, 7, 0, 1, 'x', 1, 5, 1, 9}
	for n := range whole {
		_, _, err := ParseRequestHeader(whole[:n])
		require.ErrorIs(t, err, ErrMalformed, "cut to %d", n)
	}
	for name, frame := range map[string][]byte{
		"unknown key":         {0, 95, 0, 0, 0, 0, 0, 7, 0xff, 0xff},
		"negative key":        {0xff, 0xff, 0, 0, 0, 0, 0, 7, 0xff, 0xff},
		"retired key":         {0, 7, 0, 0, 0, 0, 0, 7, 0xff, 0xff},
		"client id length -2": {0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xfe},
		"tags descending":     {0, 3, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 2, 9, 0, 8, 0},
	} {
		h, _, err := ParseRequestHeader(frame)
		require.ErrorIs(t, err, ErrMalformed, name)
		require.Equal(t, int16(frame[0])<<8|int16(frame[1]), h.Key, name)
	}
}

func TestAdmission(t *testing.T) {
	for _, c := range []struct {
		name         string
		key, version int16
		controller   bool
		want         Admission
		err          error
	}{
		{"in range", 0, 13, false, Answered, nil},
		{"too old", 0, 2, false, Closed, kerr.UnsupportedVersion},
		{"too new", 0, 14, false, Closed, kerr.UnsupportedVersion},
		{"negative version", 3, -1, false, Closed, kerr.UnsupportedVersion},
		{"retired key", 4, 0, false, Closed, kerr.InvalidRequest},
		{"unknown key", 95, 0, false, Closed, kerr.InvalidRequest},
		{"negative key", -1, 0, false, Closed, kerr.InvalidRequest},
		{"controller key on a broker listener", 52, 0, false, Closed, kerr.InvalidRequest},
		{"controller key on its listener", 52, 0, true, Answered, nil},
		{"broker key on a controller listener", 0, 13, true, Closed, kerr.InvalidRequest},
		{"key of both", 1, 17, true, Answered, nil},
		{"hidden version", 22, 6, false, Closed, kerr.InvalidRequest},
		{"below the hidden version", 22, 5, false, Answered, nil},
		{"ApiVersions in range", 18, 5, false, Answered, nil},
		{"ApiVersions too new", 18, 6, false, Downgraded, nil},
		{"ApiVersions too new, controller", 18, 32767, true, Downgraded, nil},
		{"ApiVersions negative", 18, -1, false, Downgraded, nil},
	} {
		got, err := Admit(c.key, c.version, c.controller)
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.err, err, c.name)
	}
}

func TestTableCounts(t *testing.T) {
	broker, controller, both := 0, 0, 0
	for key := int16(-1); key <= MaxKey()+1; key++ {
		v, ok := VersionsOf(key)
		if !ok {
			continue
		}
		switch v.Listeners {
		case OnBroker:
			broker++
		case OnController:
			controller++
		case OnBroker | OnController:
			both++
		}
		require.NotNil(t, kmsg.RequestForKey(key))
		require.GreaterOrEqual(t, kmsg.RequestForKey(key).MaxVersion(), v.HighestStable(), "kmsg knows every stable version of key %d", key)
		for version := v.Min; version <= v.HighestStable(); version++ {
			req := kmsg.RequestForKey(key)
			req.SetVersion(version)
			require.Equal(t, req.IsFlexible(), v.IsFlexible(version), "key %d version %d", key, version)
		}
	}
	require.Equal(t, []int{49, 12, 30}, []int{broker, controller, both})
}

func FuzzParseRequestHeader(f *testing.F) {
	f.Add([]byte{0, 3, 0, 9, 0, 0, 0, 7, 0, 1, 'x', 1, 5, 1, 9})
	f.Add([]byte{0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0, 1, 2})
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseRequestHeader(frame)
		if err != nil {
			return
		}
		version, _ := requestHeaderVersion(h.Key, h.Version)
		again, rest, err := ParseRequestHeader(append(appendRequestHeader(nil, h, version), body...))
		require.NoError(t, err)
		require.Equal(t, h, again)
		require.Equal(t, len(body), len(rest))
	})
}
