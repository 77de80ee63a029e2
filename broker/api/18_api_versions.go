package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// ApiVersions, v0-5. What this listener serves, derived from the table.
//
// Versions:  1 throttle time · 3 client name and version, features, flexible body with a plain header
// (KIP-511) · 4 features may have minimum 0 (KAFKA-17011) · 5 cluster id and node id check (KIP-1242)
// Errors:    UNSUPPORTED_VERSION for any other version, in the form of version 0 with ApiVersions' own range;
// INVALID_REQUEST for a bad client name, REBOOTSTRAP_REQUIRED when the client meant another node
// Needs:     nothing, also before login
// Differs from Kafka: keys and features come sorted.
var apiVersions = defineTable(0, 5, Everywhere, (*Dispatcher).apiVersions).unsupported(apiVersionsUnsupported)

func (d *Dispatcher) apiVersions(c *server.Ctx, req *kmsg.ApiVersionsRequest) *kmsg.ApiVersionsResponse {
	h := d.h
	resp := req.ResponseKind().(*kmsg.ApiVersionsResponse)
	if req.Version >= 3 {
		if !softwareName(req.ClientSoftwareName) || !softwareName(req.ClientSoftwareVersion) {
			resp.ErrorCode = kerr.InvalidRequest.Code
			return resp
		}
		if c.Conn != nil {
			c.Conn.SoftwareName, c.Conn.SoftwareVersion = req.ClientSoftwareName, req.ClientSoftwareVersion
		}
	}
	if req.Version >= 5 {
		if code := h.checkIdentity(req, c.Controller); code != 0 {
			resp.ErrorCode = code
			return resp
		}
	}
	on := OnBroker
	if c.Controller {
		on = OnController
	}
	resp.ApiKeys = d.advertised[on]
	supported := metadata.SupportedFeatures()
	for _, name := range slices.Sorted(maps.Keys(supported)) {
		if supported[name].Min == 0 && req.Version < 4 {
			continue // Q4: older clients throw on a minimum of 0
		}
		f := kmsg.NewApiVersionsResponseSupportedFeature()
		f.Name, f.MinVersion, f.MaxVersion = name, supported[name].Min, supported[name].Max
		resp.SupportedFeatures = append(resp.SupportedFeatures, f)
	}
	img := h.Images.Image()
	resp.FinalizedFeaturesEpoch = img.Offset
	for _, f := range h.finalized(img) {
		level := kmsg.NewApiVersionsResponseFinalizedFeature()
		level.Name, level.MinVersionLevel, level.MaxVersionLevel = f.name, f.level, f.level
		resp.FinalizedFeatures = append(resp.FinalizedFeatures, level)
	}
	return resp
}

func apiVersionsUnsupported(*server.Ctx) server.Answer {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version, resp.ErrorCode = 0, kerr.UnsupportedVersion.Code
	own := kmsg.NewApiVersionsResponseApiKey()
	own.ApiKey, own.MinVersion, own.MaxVersion = 18, 0, 5
	resp.ApiKeys = append(resp.ApiKeys, own)
	return server.Reply(resp)
}

// checkIdentity compares the node that the client believes it talks to (Q6). -1 and null are "not given". A controller
// only asks for both or neither.
func (h *Handlers) checkIdentity(req *kmsg.ApiVersionsRequest, controller bool) int16 {
	switch {
	case (req.ClusterID == nil) != (req.NodeID == -1):
		return kerr.InvalidRequest.Code
	case req.ClusterID == nil, controller, *req.ClusterID == h.ClusterID && req.NodeID == h.NodeID:
		return 0
	}
	return kerr.RebootstrapRequired.Code
}

// softwareName: letters, digits, '-' and '.', a letter or digit at both ends (KIP-511).
func softwareName(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case (c == '-' || c == '.') && i > 0 && i < len(s)-1:
		default:
			return false
		}
	}
	return s != ""
}

type featureLevel struct {
	name  string
	level int16
}

// finalized are the levels above 0, sorted, with the quorum's own kraft.version.
func (h *Handlers) finalized(img *metadata.Image) []featureLevel {
	levels := maps.Clone(img.Features.Levels)
	if levels == nil {
		levels = map[string]int16{}
	}
	levels[metadata.FeatureMetadataVersion] = int16(img.Features.Level)
	if q, ok := h.Quorum.(KRaftVersioned); ok {
		levels[metadata.FeatureKRaftVersion] = q.KRaftVersion()
	}
	var out []featureLevel
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		if levels[name] > 0 {
			out = append(out, featureLevel{name, levels[name]})
		}
	}
	return out
}

// advertise derives the ApiVersions list of one kind of listener from the rows.
func advertise(rows []API, on Listeners) []kmsg.ApiVersionsResponseApiKey {
	keys := make([]kmsg.ApiVersionsResponseApiKey, 0, len(rows))
	for _, a := range rows {
		if a.On()&on == 0 || a.hidden {
			continue
		}
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = a.Key, a.Min, a.Max
		if on == OnBroker {
			k.MinVersion = a.advertisedMin
		}
		if v, ok := protocol.VersionsOf(a.Key); ok {
			k.MaxVersion = min(k.MaxVersion, v.HighestStable())
		}
		keys = append(keys, k)
	}
	return keys
}
