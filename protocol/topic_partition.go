package protocol

import "strconv"

// TopicPartition names one partition. The zero value is no partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String is "topic-3", which is also the name of the partition's directory.
func (tp TopicPartition) String() string {
	return tp.Topic + "-" + strconv.Itoa(int(tp.Partition))
}

// Compare orders by topic name, then by partition.
func (tp TopicPartition) Compare(other TopicPartition) int {
	switch {
	case tp.Topic < other.Topic:
		return -1
	case tp.Topic > other.Topic:
		return 1
	}
	return int(tp.Partition) - int(other.Partition)
}
