package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// RegisterController decides about a controller that tells where it listens and what it supports (key 70, KIP-919).
func RegisterController(s *State, req *kmsg.ControllerRegistrationRequest) Decision {
	resp := req.ResponseKind().(*kmsg.ControllerRegistrationResponse)
	d := Decision{Reply: resp}
	if !s.Image.Level().ControllerRegistrationSupported() {
		refuse(kerr.UnsupportedVersion, "The current MetadataVersion is too old to support controller registrations.").
			on(&resp.ErrorCode, &resp.ErrorMessage)
		return d
	}
	r := &metadata.RegisterControllerRecord{ControllerId: req.ControllerID, IncarnationId: req.IncarnationID}
	for _, l := range req.Listeners {
		if l.SecurityProtocol < 0 || l.SecurityProtocol > 3 {
			refuse(kerr.UnknownServerError, "Unknown security protocol %d in listener %s", l.SecurityProtocol, l.Name).
				on(&resp.ErrorCode, &resp.ErrorMessage)
			return d
		}
		r.EndPoints = append(r.EndPoints, metadata.RegisterControllerRecordControllerEndpoint{Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol})
	}
	for _, f := range req.Features {
		r.Features = append(r.Features, metadata.RegisterControllerRecordControllerFeature{Name: f.Name,
			MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion})
	}
	d.Records = []metadata.Record{r}
	return d
}
