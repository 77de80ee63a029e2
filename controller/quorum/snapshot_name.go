package quorum

import (
	"fmt"
	"strconv"
	"strings"
)

// Endings of snapshot files. Kafka names one <end offset, 20 digits>-<epoch, 10 digits>.checkpoint.
const (
	snapshotEnding = ".checkpoint"
	partEnding     = ".checkpoint.part"    // being written or fetched; removed at open
	deletedEnding  = ".checkpoint.deleted" // removed after a delay; removed at open
	// installingEnding marks a fetched snapshot whose log was not emptied yet. Kafka ignores the name.
	installingEnding = ".installing"
)

const digitsOfOffset, digitsOfEpoch = 20, 10

// parseSnapshotName reads the name of any file that belongs to a snapshot; ending is what follows the id.
func parseSnapshotName(name string) (id SnapshotID, ending string, ok bool) {
	const idLength = digitsOfOffset + 1 + digitsOfEpoch
	if len(name) <= idLength || name[digitsOfOffset] != '-' {
		return id, "", false
	}
	offset, err1 := strconv.ParseUint(name[:digitsOfOffset], 10, 63)
	epoch, err2 := strconv.ParseUint(name[digitsOfOffset+1:idLength], 10, 31)
	if err1 != nil || err2 != nil {
		return id, "", false
	}
	ending = name[idLength:]
	if strings.HasPrefix(ending, snapshotEnding) || ending == installingEnding {
		return SnapshotID{int64(offset), int32(epoch)}, ending, true
	}
	return id, "", false
}

// PartitionDir is the name of the metadata log's directory inside its log dir.
func PartitionDir() string { return fmt.Sprintf("%s-%d", TopicName, Partition) }
