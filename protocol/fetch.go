package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Fetch answer is written in pieces, so that records go from the log to the socket without passing
// through an encoder: a head made here, and each partition's records spliced in at a cut.
//
//	head[:cuts[0]] records 0 head[cuts[0]:cuts[1]] records 1 ... head[cuts[n-1]:]

// EncodeFetchHead appends a Fetch response frame without its records to dst. sizes holds the bytes of
// records of each partition in order, topic by topic, -1 for null; RecordBatches of resp is not looked
// at. The frame's length counts the records already. cuts are offsets into head, counted from the start
// of dst: the k-th partition's records belong before head[cuts[k]:]. resp.Version must be 4 to 18.
func EncodeFetchHead(dst []byte, correlationID int32, resp *kmsg.FetchResponse, sizes []int) (head []byte, cuts []int) {
	return AppendFetchHead(dst, make([]int, 0, len(sizes)), correlationID, resp, sizes)
}

// AppendFetchHead is EncodeFetchHead with the cuts appended to a slice that the caller reuses; it
// allocates nothing when both slices have room.
func AppendFetchHead(dst []byte, cuts []int, correlationID int32, resp *kmsg.FetchResponse, sizes []int) ([]byte, []int) {
	version := resp.Version
	flex := version >= 12
	mark := len(dst)
	dst = AppendInt32(append(dst, 0, 0, 0, 0), correlationID)
	if flex {
		dst = append(dst, 0) // response header 1: no tags
	}
	dst = AppendInt32(dst, resp.ThrottleMillis)
	if version >= 7 {
		dst = AppendInt16(dst, resp.ErrorCode)
		dst = AppendInt32(dst, resp.SessionID)
	}
	dst = AppendCount(dst, len(resp.Topics), flex)
	records, k := 0, 0
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if version >= 13 {
			dst = append(dst, t.TopicID[:]...)
		} else {
			dst = AppendText(dst, t.Topic, flex)
		}
		dst = AppendCount(dst, len(t.Partitions), flex)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			size := sizes[k]
			k++
			dst = appendFetchPartition(dst, version, p)
			dst = AppendCount(dst, size, flex)
			cuts = append(cuts, len(dst))
			records += max(size, 0)
			if flex {
				dst = appendFetchPartitionTags(dst, p)
			}
		}
		if flex {
			dst = appendUnknownTags(dst, &t.UnknownTags)
		}
	}
	if flex {
		dst = appendFetchTags(dst, version, resp)
	}
	binary.BigEndian.PutUint32(dst[mark:], uint32(len(dst)-mark-4+records))
	return dst, cuts
}

// appendFetchPartition writes what stands before the records.
func appendFetchPartition(dst []byte, version int16, p *kmsg.FetchResponseTopicPartition) []byte {
	dst = AppendInt32(dst, p.Partition)
	dst = AppendInt16(dst, p.ErrorCode)
	dst = AppendInt64(dst, p.HighWatermark)
	dst = AppendInt64(dst, p.LastStableOffset)
	if version >= 5 {
		dst = AppendInt64(dst, p.LogStartOffset)
	}
	flex := version >= 12
	if p.AbortedTransactions == nil {
		dst = AppendCount(dst, -1, flex)
	} else {
		dst = AppendCount(dst, len(p.AbortedTransactions), flex)
	}
	for i := range p.AbortedTransactions {
		a := &p.AbortedTransactions[i]
		dst = AppendInt64(AppendInt64(dst, a.ProducerID), a.FirstOffset)
		if flex {
			dst = appendUnknownTags(dst, &a.UnknownTags)
		}
	}
	if version >= 11 {
		dst = AppendInt32(dst, p.PreferredReadReplica)
	}
	return dst
}

// appendFetchPartitionTags writes what stands after the records: diverging epoch (KIP-595), current
// leader (KIP-951), snapshot (KIP-630), each only when it says something.
func appendFetchPartitionTags(dst []byte, p *kmsg.FetchResponseTopicPartition) []byte {
	diverging, leader, snapshot := &p.DivergingEpoch, &p.CurrentLeader, &p.SnapshotID
	hasDiverging := diverging.Epoch != -1 || diverging.EndOffset != -1 || diverging.UnknownTags.Len() > 0
	hasLeader := leader.LeaderID != -1 || leader.LeaderEpoch != -1 || leader.UnknownTags.Len() > 0
	hasSnapshot := snapshot.EndOffset != -1 || snapshot.Epoch != -1 || snapshot.UnknownTags.Len() > 0
	dst = AppendUvarint(dst, uint32(p.UnknownTags.Len())+count(hasDiverging)+count(hasLeader)+count(hasSnapshot))
	if hasDiverging {
		dst = append(dst, 0)
		mark := len(dst)
		dst = AppendInt64(AppendInt32(dst, diverging.Epoch), diverging.EndOffset)
		dst = InsertSize(appendUnknownTags(dst, &diverging.UnknownTags), mark)
	}
	if hasLeader {
		dst = append(dst, 1)
		mark := len(dst)
		dst = AppendInt32(AppendInt32(dst, leader.LeaderID), leader.LeaderEpoch)
		dst = InsertSize(appendUnknownTags(dst, &leader.UnknownTags), mark)
	}
	if hasSnapshot {
		dst = append(dst, 2)
		mark := len(dst)
		dst = AppendInt32(AppendInt64(dst, snapshot.EndOffset), snapshot.Epoch)
		dst = InsertSize(appendUnknownTags(dst, &snapshot.UnknownTags), mark)
	}
	return p.UnknownTags.AppendEach(dst)
}

// appendFetchTags ends the message; the endpoints of leaders named in it come with version 16.
func appendFetchTags(dst []byte, version int16, resp *kmsg.FetchResponse) []byte {
	endpoints := version >= 16 && len(resp.Brokers) > 0
	dst = AppendUvarint(dst, uint32(resp.UnknownTags.Len())+count(endpoints))
	if endpoints {
		dst = append(dst, 0)
		mark := len(dst)
		dst = AppendCount(dst, len(resp.Brokers), true)
		for i := range resp.Brokers {
			b := &resp.Brokers[i]
			dst = AppendText(AppendInt32(dst, b.NodeID), b.Host, true)
			dst = AppendNullableText(AppendInt32(dst, b.Port), b.Rack, true)
			dst = appendUnknownTags(dst, &b.UnknownTags)
		}
		dst = InsertSize(dst, mark)
	}
	return resp.UnknownTags.AppendEach(dst)
}

func count(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func appendUnknownTags(dst []byte, t *kmsg.Tags) []byte {
	return t.AppendEach(AppendUvarint(dst, uint32(t.Len())))
}
