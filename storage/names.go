package storage

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/protocol"
)

// File names inside a partition directory. The first five follow a base offset of twenty digits.
const (
	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	txnIndexSuffix  = ".txnindex"
	snapshotSuffix  = ".snapshot"

	deletedSuffix = ".deleted" // appended: renamed away, removed after file.delete.delay.ms
	cleanedSuffix = ".cleaned" // appended: a compaction that has not finished
	swapSuffix    = ".swap"    // appended: a compaction that has finished and only needs its renames
	tempSuffix    = ".tmp"

	epochCheckpointName = "leader-epoch-checkpoint"
	partitionMetaName   = "partition.metadata"
)

// File and directory names inside a log directory.
const (
	recoveryPointName   = "recovery-point-offset-checkpoint"
	logStartName        = "log-start-offset-checkpoint"
	highWatermarkName   = "replication-offset-checkpoint"
	cleanerName         = "cleaner-offset-checkpoint"
	cleanShutdownName   = ".kafka_cleanshutdown"
	lockName            = ".lock"
	metaPropertiesName  = "meta.properties"
	metadataTopicPrefix = "__cluster_metadata-"

	deleteDirSuffix = "-delete"
	strayDirSuffix  = "-stray"
	futureDirSuffix = "-future"
)

// segmentSuffixes are the files of one segment, the log last: a segment whose log is gone is gone.
var segmentSuffixes = [...]string{indexSuffix, timeIndexSuffix, txnIndexSuffix, logSuffix}

// offsetName is the twenty-digit name of a segment or snapshot.
func offsetName(offset int64, suffix string) string { return fmt.Sprintf("%020d%s", offset, suffix) }

// parseOffsetName splits "00000000000000000042.log" into 42 and ".log"; ok is false for other names.
func parseOffsetName(name string) (offset int64, suffix string, ok bool) {
	digits, _, found := strings.Cut(name, ".")
	if !found || len(digits) != 20 {
		return 0, "", false
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || offset < 0 {
		return 0, "", false
	}
	return offset, name[len(digits):], true
}

// dirKind is what the suffix of a partition directory says.
type dirKind uint8

const (
	dirCurrent dirKind = iota
	dirDelete          // renamed by a topic deletion, to be removed
	dirStray           // Kafka found no such partition in the metadata and set it aside
	dirFuture          // the new home of a partition that moves between log directories
)

// parseDirName reads "topic-3", "topic-3.<32 hex digits>-delete", "-stray" or "-future".
func parseDirName(name string) (tp protocol.TopicPartition, kind dirKind, ok bool) {
	for suffix, k := range map[string]dirKind{deleteDirSuffix: dirDelete, strayDirSuffix: dirStray, futureDirSuffix: dirFuture} {
		if strings.HasSuffix(name, suffix) {
			dot := strings.LastIndexByte(name, '.')
			if dot < 0 {
				break // "topic-delete" has no partition number either and fails below
			}
			name, kind = name[:dot], k
			break
		}
	}
	dash := strings.LastIndexByte(name, '-')
	if dash <= 0 {
		return tp, 0, false
	}
	n, err := strconv.ParseInt(name[dash+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[dash+1:] {
		return tp, 0, false
	}
	tp = protocol.TopicPartition{Topic: name[:dash], Partition: int32(n)}
	return tp, kind, kind == dirDelete || checkTopicName(tp.Topic) == nil
}

// checkTopicName refuses a name that must not become a path, whoever let it come this far.
func checkTopicName(topic string) error {
	if len(topic) == 0 || len(topic) > 249 || topic == "." || topic == ".." {
		return fmt.Errorf("topic name %q cannot be a directory", topic)
	}
	for i := range len(topic) {
		c := topic[i]
		if c != '.' && c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return fmt.Errorf("topic name %q cannot be a directory", topic)
		}
	}
	return nil
}

// takenDirName is the name a partition's directory gets when its topic is deleted, or when it is set aside: at most 255
// bytes, so a long topic name is cut.
func takenDirName(tp protocol.TopicPartition, rng *rand.Rand, suffix string) string {
	suffix = fmt.Sprintf("-%d.%016x%016x%s", tp.Partition, rng.Uint64(), rng.Uint64(), suffix)
	topic := tp.Topic
	if len(topic)+len(suffix) > 255 {
		topic = topic[:255-len(suffix)]
	}
	return topic + suffix
}
