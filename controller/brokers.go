package controller

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
)

// RegisterBroker decides about a broker that starts (key 62, KIP-631).
//
// A broker id is taken only while its incarnation was heard of within a session and its connection to this controller
// is open. (Apache Kafka refuses a restart for the rest of the old session, whatever became of the connection.) The
// same incarnation amends its registration and keeps its epoch. A new one gets a new epoch, the offset of its record,
// and starts fenced; what its predecessor left in ISRs is cleaned up first.
func RegisterBroker(s *State, call Call, req *kmsg.BrokerRegistrationRequest) Decision {
	resp := req.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	resp.BrokerEpoch = -1
	d := Decision{Reply: resp, Split: true}
	record, records, err := s.registration(req)
	if err != nil {
		resp.ErrorCode = err.code.Code
		return d
	}
	old := s.Image.Brokers.Get(req.BrokerID)
	fresh := old == nil || old.IncarnationID != record.IncarnationId
	if fresh {
		record.BrokerEpoch = s.NextOffset + int64(len(records))
	}
	d.Records = append(records, record)
	resp.BrokerEpoch = record.BrokerEpoch
	id, epoch, now, sessions := req.BrokerID, record.BrokerEpoch, s.Now, s.Sessions
	d.Then = func(last int64) {
		n := sessions.of(id, epoch)
		if fresh {
			n.registered = max(epoch, last)
		}
		n.contact, n.conn = now, call.Connection
	}
	return d
}

func (s *State) registration(req *kmsg.BrokerRegistrationRequest) (*metadata.RegisterBrokerRecord, []metadata.Record, *refusal) {
	if req.ClusterID != s.Cluster {
		return nil, nil, refuse(kerr.InconsistentClusterID, "Expected cluster ID %s, but got cluster ID %s", s.Cluster, req.ClusterID)
	}
	incarnation := protocol.UUID(req.IncarnationID)
	old := s.Image.Brokers.Get(req.BrokerID)
	if old != nil && old.IncarnationID != incarnation && s.Sessions.live(old.ID, old.Epoch, s.Now) {
		return nil, nil, refuse(kerr.DuplicateBrokerRegistration, "Another broker is registered with that broker id.")
	}
	if req.IsMigratingZkBroker {
		return nil, nil, refuse(kerr.BrokerIDNotRegistered, "Controller does not support registering ZK brokers.")
	}
	level := s.Image.Level()
	r := &metadata.RegisterBrokerRecord{BrokerId: req.BrokerID, IncarnationId: incarnation, Rack: req.Rack, Fenced: true}
	if level.DirectoryAssignmentSupported() {
		for _, id := range req.LogDirs {
			r.LogDirs = append(r.LogDirs, id)
		}
		if err := s.checkDirectories(req.BrokerID, r.LogDirs); err != nil {
			return nil, nil, err
		}
	}
	for _, l := range req.Listeners {
		if l.SecurityProtocol < 0 || l.SecurityProtocol > 3 {
			return nil, nil, refuse(kerr.UnknownServerError, "Unknown security protocol %d in listener %s", l.SecurityProtocol, l.Name)
		}
		r.EndPoints = append(r.EndPoints, metadata.RegisterBrokerRecordBrokerEndpoint{Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol})
	}
	if err := s.checkFeatures(req.Features, r); err != nil {
		return nil, nil, err
	}
	if old != nil && old.IncarnationID == incarnation {
		r.Fenced, r.InControlledShutdown, r.BrokerEpoch = old.Fenced, old.InControlledShutdown, old.Epoch
		return r, nil, nil
	}
	clean := req.Version >= 3 && old != nil && old.Epoch == req.PreviousBrokerEpoch
	return r, s.returned(req.BrokerID, clean), nil
}

func (s *State) checkDirectories(broker int32, dirs []protocol.UUID) *refusal {
	if len(dirs) == 0 {
		return refuse(kerr.InvalidRegistration, "No directories specified in request")
	}
	seen := map[protocol.UUID]bool{}
	for _, d := range dirs {
		if metadata.ReservedDirectory(d) {
			return refuse(kerr.InvalidRegistration, "Reserved directory ID in request")
		}
		if seen[d] {
			return refuse(kerr.InvalidRegistration, "Duplicate directory ID in request")
		}
		seen[d] = true
	}
	for b := range s.Image.Brokers.All() {
		for _, d := range b.LogDirs {
			if b.ID != broker && seen[d] {
				return refuse(kerr.InvalidRegistration, "Broker %d is already registered with directory %s", b.ID, d)
			}
		}
	}
	return nil
}

// checkFeatures asks that the broker supports every finalized level, kraft.version's too.
func (s *State) checkFeatures(features []kmsg.BrokerRegistrationRequestFeature, r *metadata.RegisterBrokerRecord) *refusal {
	finalized := s.finalized()
	finalized[metadata.FeatureKRaftVersion] = s.KRaft
	check := func(name string, lowest, highest int16) *refusal {
		if level := finalized[name]; level < lowest || level > highest {
			return refuse(kerr.UnsupportedVersion, "Unable to register because the broker does not support finalized version %d of %s. "+
				"The broker wants a version between %d and %d, inclusive.", level, name, lowest, highest)
		}
		return nil
	}
	named := map[string]bool{}
	for _, f := range features {
		if err := check(f.Name, f.MinSupportedVersion, f.MaxSupportedVersion); err != nil {
			return err
		}
		named[f.Name] = true
		r.Features = append(r.Features, metadata.RegisterBrokerRecordBrokerFeature{Name: f.Name,
			MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion})
	}
	if !named[metadata.FeatureMetadataVersion] {
		return refuse(kerr.InvalidRegistration, "Request features do not contain '%s'", metadata.FeatureMetadataVersion)
	}
	for _, name := range slices.Sorted(maps.Keys(finalized)) {
		if !named[name] && finalized[name] != 0 {
			if err := check(name, 0, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// UnregisterBroker forgets a broker for good (key 64).
func UnregisterBroker(s *State, req *kmsg.UnregisterBrokerRequest) Decision {
	resp := req.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	d := Decision{Reply: resp, Split: true}
	b := s.Image.Brokers.Get(req.BrokerID)
	if b == nil {
		refuse(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", req.BrokerID).on(&resp.ErrorCode, &resp.ErrorMessage)
		return d
	}
	d.Records = s.gone(b)
	sessions := s.Sessions
	d.Then = func(int64) { sessions.forget(b.ID) }
	return d
}

// checkBrokerEpoch refuses requests of brokers that are not registered with this epoch (M3).
func (s *State) checkBrokerEpoch(id int32, epoch int64) (*metadata.Broker, *refusal) {
	b := s.Image.Brokers.Get(id)
	if b == nil {
		return nil, refuse(kerr.StaleBrokerEpoch, "No broker registration found for broker id %d", id)
	}
	if b.Epoch != epoch {
		return nil, refuse(kerr.StaleBrokerEpoch, "Expected broker epoch %d, but got broker epoch %d", b.Epoch, epoch)
	}
	return b, nil
}
