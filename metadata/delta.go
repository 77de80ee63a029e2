package metadata

import "fmt"

// A Delta is an image with changes on top. It has one owner and is spent by Apply; what it says about the changes
// stays valid. The zero Delta is not usable, see NewDelta.
type Delta struct {
	before     *Image
	offset     int64
	epoch      int32
	appendTime int64

	features    FeaturesDelta
	brokers     BrokersDelta
	controllers ControllersDelta
	topics      TopicsDelta
	configs     ConfigsDelta
	quotas      QuotasDelta
	producerIDs ProducerIDsDelta
	acls        ACLsDelta
	scram       ScramDelta
	tokens      TokensDelta
}

// NewDelta starts without changes.
func NewDelta(img *Image) *Delta {
	d := &Delta{before: img, offset: img.Offset, epoch: img.Epoch, appendTime: img.AppendTime}
	d.features.value = img.Features
	d.brokers = BrokersDelta{before: img.Brokers}
	d.brokers.byID.before = img.Brokers.byID
	d.controllers.byID.before = img.Controllers.byID
	d.topics = TopicsDelta{before: img.Topics}
	d.topics.byID.before = img.Topics.byID
	d.topics.byName.before = img.Topics.byName
	d.configs.byResource.before = img.Configs.byResource
	d.quotas.byEntity.before = img.Quotas.byEntity
	d.producerIDs.value = img.ProducerIDs
	d.acls.byID.before = img.ACLs.byID
	d.scram.byUser.before = img.Scram.byUser
	d.tokens.byID.before = img.Tokens.byID
	return d
}

// NewSnapshotDelta starts the loading of a snapshot: the result holds only what is replayed, and the changes are the
// differences to img. Call FinishSnapshot before Apply.
func NewSnapshotDelta(img *Image) *Delta {
	d := NewDelta(img)
	d.features = FeaturesDelta{Changed: true}
	d.producerIDs = ProducerIDsDelta{Changed: true}
	d.brokers.byID.fresh = true
	d.controllers.byID.fresh = true
	d.topics.byID.fresh, d.topics.byName.fresh = true, true
	d.configs.byResource.fresh = true
	d.quotas.byEntity.fresh = true
	d.acls.byID.fresh = true
	d.scram.byUser.fresh = true
	d.tokens.byID.fresh = true
	return d
}

// NewWholeDelta leads from nothing to img: all that is in it is new. It shares img's values and is there to be read.
func NewWholeDelta(img *Image) *Delta {
	d := NewDelta(Empty())
	d.At(img.Offset, img.Epoch, img.AppendTime)
	d.features = FeaturesDelta{value: img.Features, Changed: true}
	d.producerIDs = ProducerIDsDelta{value: img.ProducerIDs, Changed: true}
	d.brokers.byID.all(img.Brokers.byID)
	d.controllers.byID.all(img.Controllers.byID)
	d.topics.byID.all(img.Topics.byID)
	d.topics.byName.all(img.Topics.byName)
	d.configs.byResource.all(img.Configs.byResource)
	d.quotas.byEntity.all(img.Quotas.byEntity)
	d.acls.byID.all(img.ACLs.byID)
	d.scram.byUser.all(img.Scram.byUser)
	d.tokens.byID.all(img.Tokens.byID)
	return d
}

// Before is the image below the changes.
func (d *Delta) Before() *Image { return d.before }

// What changed, per aspect. The results are read-only and never nil.
func (d *Delta) Features() *FeaturesDelta       { return &d.features }
func (d *Delta) Brokers() *BrokersDelta         { return &d.brokers }
func (d *Delta) Controllers() *ControllersDelta { return &d.controllers }
func (d *Delta) Topics() *TopicsDelta           { return &d.topics }
func (d *Delta) Configs() *ConfigsDelta         { return &d.configs }
func (d *Delta) Quotas() *QuotasDelta           { return &d.quotas }
func (d *Delta) ProducerIDs() *ProducerIDsDelta { return &d.producerIDs }
func (d *Delta) ACLs() *ACLsDelta               { return &d.acls }
func (d *Delta) Scram() *ScramDelta             { return &d.scram }
func (d *Delta) Tokens() *TokensDelta           { return &d.tokens }

// Replay adds one record, which stands at offset in a batch of epoch. After an error the delta must be thrown away.
//
// BeginTransaction, EndTransaction and AbortTransaction are the Loader's business and refused here.
func (d *Delta) Replay(offset int64, epoch int32, r Record) error {
	if err := d.replay(r); err != nil {
		return fmt.Errorf("metadata record at offset %d: %w", offset, err)
	}
	d.offset, d.epoch = offset, epoch
	return nil
}

// At says where the delta ends, for offsets that hold no record of the state: control batches, transaction marks.
func (d *Delta) At(offset int64, epoch int32, appendTime int64) {
	d.offset, d.epoch, d.appendTime = offset, epoch, appendTime
}

func (d *Delta) replay(r Record) error {
	switch r := r.(type) {
	case *RegisterBrokerRecord:
		d.brokers.register(r)
	case *UnregisterBrokerRecord:
		return d.brokers.unregister(r)
	case *TopicRecord:
		return d.topics.create(r)
	case *PartitionRecord:
		return d.topics.setPartition(r)
	case *ConfigRecord:
		d.configs.set(r)
	case *PartitionChangeRecord:
		return d.topics.changePartition(r)
	case *FenceBrokerRecord:
		return d.brokers.fence(r.Id, r.Epoch, true)
	case *UnfenceBrokerRecord:
		return d.brokers.fence(r.Id, r.Epoch, false)
	case *RemoveTopicRecord:
		name, err := d.topics.remove(r)
		if err != nil {
			return err
		}
		d.configs.remove(ConfigResource{ConfigTopic, name})
	case *DelegationTokenRecord:
		d.tokens.set(r)
	case *UserScramCredentialRecord:
		d.scram.set(r)
	case *FeatureLevelRecord:
		return d.features.set(r)
	case *ClientQuotaRecord:
		return d.quotas.set(r)
	case *ProducerIdsRecord:
		d.producerIDs.set(r)
	case *BrokerRegistrationChangeRecord:
		return d.brokers.change(r)
	case *AccessControlEntryRecord:
		d.acls.set(r)
	case *RemoveAccessControlEntryRecord:
		return d.acls.remove(r)
	case *NoOpRecord, *ZkMigrationStateRecord: // the latter means nothing since 4.0
	case *RemoveUserScramCredentialRecord:
		return d.scram.remove(r)
	case *RemoveDelegationTokenRecord:
		d.tokens.remove(r)
	case *RegisterControllerRecord:
		d.controllers.register(r)
	case *UnregisterControllerRecord:
		d.controllers.unregister(r)
	case *ClearElrRecord:
		return d.topics.clearELR(r)
	default:
		return fmt.Errorf("no rule for record type %d (%T)", r.APIKey(), r)
	}
	return nil
}

// FinishSnapshot ends what NewSnapshotDelta began, at the snapshot's last contained offset.
func (d *Delta) FinishSnapshot(lastOffset int64, epoch int32, appendTime int64) {
	d.topics.finish()
	d.brokers.byID.finish((*Broker).Equal)
	d.controllers.byID.finish((*Controller).Equal)
	d.configs.byResource.finish(equalMaps[string, string])
	d.quotas.byEntity.finish(equalMaps[string, float64])
	d.acls.byID.finish(func(a, b ACL) bool { return a == b })
	d.scram.byUser.finish((*ScramCredential).Equal)
	d.tokens.byID.finish((*Token).Equal)
	d.At(lastOffset, epoch, appendTime)
}

// Apply is the image with the changes. The delta must not be replayed onto afterwards.
func (d *Delta) Apply() *Image {
	return &Image{
		Offset: d.offset, Epoch: d.epoch, AppendTime: d.appendTime,
		Features:    d.features.value,
		Brokers:     BrokersImage{d.brokers.byID.apply()},
		Controllers: ControllersImage{d.controllers.byID.apply()},
		Topics:      d.topics.result(),
		Configs:     ConfigsImage{d.configs.byResource.apply()},
		Quotas:      QuotasImage{d.quotas.byEntity.apply()},
		ProducerIDs: d.producerIDs.value,
		ACLs:        ACLsImage{d.acls.byID.apply()},
		Scram:       ScramImage{d.scram.byUser.apply()},
		Tokens:      TokensImage{d.tokens.byID.apply()},
	}
}
