package protocol

import "github.com/twmb/franz-go/pkg/kerr"

// Listener bits of APIVersions.Listeners.
const (
	OnBroker     uint8 = 1 << iota // served on client listeners
	OnController                   // served on controller listeners
)

// Keys that are special somewhere in this package.
const (
	keyAPIVersions = 18
)

// APIVersions is what Kafka 4.4.0 serves of one key.
type APIVersions struct {
	Min, Max  int16
	Flexible  int16 // the first version with compact lengths and tagged fields; math.MaxInt16 if none
	Unstable  bool  // Max is hidden unless unstable versions are enabled
	Listeners uint8 // OnBroker, OnController
}

// VersionsOf gives Kafka 4.4.0's row of a key; false for a key that was never assigned or is retired (4-7).
func VersionsOf(key int16) (APIVersions, bool) {
	if a := apiOf(key); a != nil {
		return a.APIVersions, true
	}
	return APIVersions{}, false
}

func apiOf(key int16) *api {
	if key < 0 || int(key) >= len(apis) || apis[key].walks == nil {
		return nil
	}
	return &apis[key]
}

// MaxKey is the highest key that VersionsOf knows.
func MaxKey() int16 { return int16(len(apis) - 1) }

// HighestStable is Max, or the version below it when Max is hidden.
func (v APIVersions) HighestStable() int16 {
	if v.Unstable {
		return v.Max - 1
	}
	return v.Max
}

// IsFlexible reports whether a version has compact lengths and tagged fields.
func (v APIVersions) IsFlexible(version int16) bool { return version >= v.Flexible }

// Admission is what a listener does with a request before looking into its body.
type Admission uint8

const (
	Answered   Admission = iota // decode and serve it
	Downgraded                  // ApiVersions of an unknown version: answer version 0 with UNSUPPORTED_VERSION
	Closed                      // close the connection without an answer
)

// Admit judges a request by key, version and listener. The error is for the log, and tells Kafka's
// two cases apart: UNSUPPORTED_VERSION for a known key outside its range, INVALID_REQUEST for an
// unknown or retired key, a key of the other listener and a hidden version. On the wire they are
// one: all but ApiVersions are closed (KIP-896). ApiVersions of any version is answered, in version
// 0 if it is unknown (KIP-511).
func Admit(key, version int16, controller bool) (Admission, error) {
	v, ok := VersionsOf(key)
	listener := OnBroker
	if controller {
		listener = OnController
	}
	known := ok && v.Min <= version && version <= v.Max
	switch {
	case !ok:
		return Closed, kerr.InvalidRequest
	case key == keyAPIVersions && !known:
		return Downgraded, nil
	case !known:
		return Closed, kerr.UnsupportedVersion
	case v.Listeners&listener == 0, version > v.HighestStable():
		return Closed, kerr.InvalidRequest
	}
	return Answered, nil
}

// requestHeaderVersion is 2 for flexible versions, else 1; ok is false for unknown keys. It holds for
// versions outside the range too: ApiVersions of a later version has header 2.
func requestHeaderVersion(key, version int16) (header int, ok bool) {
	a := apiOf(key)
	switch {
	case a == nil:
		return 0, false
	case a.IsFlexible(version):
		return 2, true
	}
	return 1, true
}

// responseHeaderVersion is 1 for flexible versions, else 0. ApiVersions always has 0, because a client
// reads that answer before it knows what the broker speaks (KIP-511).
func responseHeaderVersion(key, version int16) int {
	if a := apiOf(key); a != nil && key != keyAPIVersions && a.IsFlexible(version) {
		return 1
	}
	return 0
}
