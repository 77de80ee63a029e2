package metadata

// An Image is the state of the cluster after the records up to and including Offset. It is immutable.
type Image struct {
	// Offset is that of the last record, inclusive; -1 while there is none. Epoch and AppendTime (milliseconds since
	// 1970, 0 if unknown) are those of the batch that held it.
	Offset     int64
	Epoch      int32
	AppendTime int64

	Features    FeaturesImage
	Brokers     BrokersImage
	Controllers ControllersImage
	Topics      TopicsImage
	Configs     ConfigsImage
	Quotas      QuotasImage
	ProducerIDs ProducerIDsImage
	ACLs        ACLsImage
	Scram       ScramImage
	Tokens      TokensImage
}

// Empty is the image before the first record.
func Empty() *Image { return &Image{Offset: -1, Epoch: -1} }

// Level is the finalized level of metadata.version; MinLevel while none was written.
func (img *Image) Level() Level {
	if img.Features.Level == 0 {
		return MinLevel
	}
	return img.Features.Level
}
