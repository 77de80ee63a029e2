package metadata

// ProducerIDsImage says which block of producer ids is handed out next.
type ProducerIDsImage struct {
	Next        int64 // first id of the next block
	BrokerID    int32 // who got the last block, under which epoch
	BrokerEpoch int64
}

// ProducerIDsDelta collects changes to producer ids.
type ProducerIDsDelta struct {
	value   ProducerIDsImage
	Changed bool
}

func (d *ProducerIDsDelta) set(r *ProducerIdsRecord) {
	d.value = ProducerIDsImage{Next: r.NextProducerId, BrokerID: r.BrokerId, BrokerEpoch: r.BrokerEpoch}
	d.Changed = true
}

func (p ProducerIDsImage) records(yield func(Record) bool) bool {
	if p == (ProducerIDsImage{}) {
		return true
	}
	return yield(&ProducerIdsRecord{BrokerId: p.BrokerID, BrokerEpoch: p.BrokerEpoch, NextProducerId: p.Next})
}
