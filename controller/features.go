package controller

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// Kinds of feature updates, Kafka's numbers.
const (
	featureUpgrade         int8 = 1
	featureSafeDowngrade   int8 = 2
	featureUnsafeDowngrade int8 = 3
)

// finalized are all finalized levels but kraft.version's.
func (s *State) finalized() map[string]int16 {
	m := maps.Clone(s.Image.Features.Levels)
	if m == nil {
		m = map[string]int16{}
	}
	m[metadata.FeatureMetadataVersion] = int16(s.Image.Level())
	return m
}

// UpdateFeatures decides about levels of features (key 57, KIP-584, KIP-778): all of a request or none of it. The level
// of kraft.version is the quorum's and can't be changed here.
func UpdateFeatures(s *State, req *kmsg.UpdateFeaturesRequest) Decision {
	resp := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	resp.Results = []kmsg.UpdateFeaturesResponseResult{}
	d := Decision{Reply: resp}
	proposed := s.finalized()
	last := map[string]int{} // a feature that is named twice is set once
	for i, u := range req.FeatureUpdates {
		proposed[u.Feature], last[u.Feature] = u.MaxVersionLevel, i
	}
	var records []metadata.Record
	for i, u := range req.FeatureUpdates {
		if last[u.Feature] != i {
			continue
		}
		kind := u.UpgradeType
		if req.Version == 0 {
			kind = featureUpgrade // Kafka reads the newer field, and never this version's AllowDowngrade
		}
		r, err := s.updateFeature(u.Feature, u.MaxVersionLevel, kind, proposed)
		if err != nil {
			text := "The update failed for all features since the following feature had an error: " + err.message
			resp.ErrorCode, resp.ErrorMessage = err.code.Code, &text
			return d
		}
		records = append(records, r...)
	}
	if req.Version <= 1 {
		none := "NONE" // what Kafka calls success here
		for _, u := range req.FeatureUpdates {
			out := kmsg.NewUpdateFeaturesResponseResult()
			out.Feature, out.ErrorMessage = u.Feature, &none
			resp.Results = append(resp.Results, out)
		}
	}
	if !req.ValidateOnly {
		d.Records = records
	}
	return d
}

func invalidUpdate(name string, level int16, why string) *refusal {
	return refuse(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s", level, name, why)
}

func (s *State) updateFeature(name string, level int16, kind int8, proposed map[string]int16) ([]metadata.Record, *refusal) {
	if kind < featureUpgrade || kind > featureUnsafeDowngrade {
		return nil, invalidUpdate(name, level, "The controller does not support the given upgrade type.")
	}
	now := s.Image.Features.Of(name)
	if name == metadata.FeatureKRaftVersion {
		now = s.KRaft
	}
	if level < 0 {
		return nil, invalidUpdate(name, level, "A feature version cannot be less than 0.")
	}
	if why := s.unsupported(name, level); why != "" {
		return nil, invalidUpdate(name, level, why)
	}
	switch {
	case level < now && kind == featureUpgrade:
		return nil, invalidUpdate(name, level, "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case level > now && kind != featureUpgrade:
		return nil, invalidUpdate(name, level, "Can't downgrade to a newer version.")
	}
	record := &metadata.FeatureLevelRecord{Name: name, FeatureLevel: level}
	switch name {
	case metadata.FeatureMetadataVersion:
		if level < now && metadata.RecordsChange(metadata.Level(now), metadata.Level(level)) {
			why := "Refusing to perform the requested downgrade because it might delete metadata information."
			if kind == featureUnsafeDowngrade {
				why = "Unsafe metadata downgrade is not supported in this version."
			}
			return nil, refuse(kerr.InvalidUpdateVersion, "Unsupported metadata.version downgrade from %d to %d. %s", now, level, why)
		}
		return []metadata.Record{record}, nil
	case metadata.FeatureKRaftVersion:
		if level == now {
			return nil, nil
		}
		return nil, invalidUpdate(name, level, "Can't change the version of this feature here.")
	}
	f := metadata.FeatureByName(name)
	if f == nil { // level 0 of what nobody knows
		return nil, invalidUpdate(name, level, fmt.Sprintf("Feature %s not found.", name))
	}
	if level >= 1 && f.Needs > 0 && proposed[metadata.FeatureMetadataVersion] < int16(f.Needs) {
		return nil, invalidUpdate(name, level, fmt.Sprintf("%s could not be set to %d because it depends on metadata.version level %d", name, level, f.Needs))
	}
	var records []metadata.Record
	if name == metadata.FeatureELRVersion && level > 0 && now == 0 {
		records = s.pinMinISR()
	}
	return append(records, record), nil
}

// pinMinISR: with eligible leader replicas, min.insync.replicas is one value for the cluster. The one that counts now
// is written down and those of single brokers are removed (KIP-966).
func (s *State) pinMinISR() []metadata.Record {
	var records []metadata.Record
	name := config.MinInsyncReplicas.Name()
	if _, ok := s.Image.Configs.Broker("")[name]; !ok {
		records = append(records, minISRRecord(s.Config))
	}
	for b := range s.Image.Configs.All() {
		if b.Type == metadata.ConfigBroker && b.Name != "" {
			if _, ok := s.Image.Configs.Broker(b.Name)[name]; ok {
				records = append(records, &metadata.ConfigRecord{ResourceType: metadata.ConfigBroker, ResourceName: b.Name, Name: name})
			}
		}
	}
	return records
}

// minISRRecord writes down the min.insync.replicas that a node's own configuration gives.
func minISRRecord(static *config.File) *metadata.ConfigRecord {
	value := strconv.Itoa(int(config.MinInsyncReplicas.Get(config.TopicView(config.BrokerView(static, nil, nil), nil))))
	return &metadata.ConfigRecord{ResourceType: metadata.ConfigBroker, Name: config.MinInsyncReplicas.Name(), Value: &value}
}

// unsupported says why some node of the cluster could not follow; "" if all can.
func (s *State) unsupported(name string, level int16) string {
	check := func(what string, r metadata.VersionRange) string {
		switch {
		case r.Contains(level):
			return ""
		case r.Max == 0:
			return what + " does not support this feature."
		}
		return what + " only supports versions " + r.String()
	}
	if why := check(fmt.Sprintf("Local controller %d", s.NodeID), metadata.SupportedFeatures()[name]); why != "" {
		return why
	}
	for b := range s.Image.Brokers.All() {
		if why := check(fmt.Sprintf("Broker %d", b.ID), b.Features[name]); why != "" {
			return why
		}
	}
	for c := range s.Image.Controllers.All() {
		if c.ID == s.NodeID {
			continue
		}
		if why := check(fmt.Sprintf("Controller %d", c.ID), c.Features[name]); why != "" {
			return why
		}
	}
	return ""
}
