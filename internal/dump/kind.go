package dump

import (
	"bufio"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/internal/vfs"
)

// kind is a file format.
type kind uint8

const (
	unknown kind = iota
	logFile
	snapshotFile // of the metadata log
	offsetIndex
	timeIndex
	txnIndex
	producerSnapshot
	offsetCheckpoint
	epochCheckpoint
	partitionMetadata
	metaProperties
	quorumState
	cleanShutdown
)

func (k kind) String() string {
	return [...]string{"unknown", "log", "metadataSnapshot", "offsetIndex", "timeIndex", "transactionIndex", "producerSnapshot",
		"offsetCheckpoint", "leaderEpochCheckpoint", "partitionMetadata", "metaProperties", "quorumState", "cleanShutdown"}[k]
}

// offsetName is what the offset in the file's name says.
func (k kind) offsetName() string {
	switch k {
	case snapshotFile:
		return "endOffset" // exclusive
	case producerSnapshot:
		return "offset" // the state before this offset
	default:
		return "baseOffset"
	}
}

// names are files with a fixed name.
var names = map[string]kind{
	"leader-epoch-checkpoint":          epochCheckpoint,
	"recovery-point-offset-checkpoint": offsetCheckpoint,
	"replication-offset-checkpoint":    offsetCheckpoint,
	"log-start-offset-checkpoint":      offsetCheckpoint,
	"cleaner-offset-checkpoint":        offsetCheckpoint,
	"partition.metadata":               partitionMetadata,
	"meta.properties":                  metaProperties,
	"quorum-state":                     quorumState,
	".kafka_cleanshutdown":             cleanShutdown,
	"bootstrap.checkpoint":             snapshotFile, // of releases that formatted without a 0-0 snapshot
}

// endings follow an offset of twenty digits.
var endings = map[string]kind{
	".log": logFile, ".index": offsetIndex, ".timeindex": timeIndex, ".txnindex": txnIndex, ".snapshot": producerSnapshot,
}

// marks are appended to a name: the file is on its way out or in. Its content is that of the name before.
var marks = []string{"deleted", "swap", "cleaned", "part", "installing", "tmp"}

// identity is what a file's name says.
type identity struct {
	kind      kind
	offset    int64
	epoch     int32
	hasOffset bool
	hasEpoch  bool
	mark      string
}

// identify reads a file name without its directory.
func identify(name string) (id identity) {
	for _, m := range marks {
		if before, ok := strings.CutSuffix(name, "."+m); ok {
			name, id.mark = before, m
			break
		}
	}
	if k, ok := names[name]; ok {
		id.kind = k
		return id
	}
	const digits, epochDigits = 20, 10
	if len(name) <= digits {
		return id
	}
	offset, err := strconv.ParseUint(name[:digits], 10, 63)
	if err != nil {
		return id
	}
	rest := name[digits:]
	if k, ok := endings[rest]; ok {
		id.kind, id.offset, id.hasOffset = k, int64(offset), true
		return id
	}
	// <end offset>-<epoch>.checkpoint; a fetched one that waits for its installation has no ending before its mark.
	if rest[0] != '-' || len(rest) < 1+epochDigits {
		return id
	}
	epoch, err := strconv.ParseUint(rest[1:1+epochDigits], 10, 31)
	ending := rest[1+epochDigits:]
	if err != nil || ending != ".checkpoint" && (ending != "" || id.mark != "installing") {
		return id
	}
	id.kind, id.offset, id.epoch, id.hasOffset, id.hasEpoch = snapshotFile, int64(offset), int32(epoch), true, true
	return id
}

// isMetadataLog says whether a segment belongs to the metadata log: by the directory's name, or, when the path does not
// hold one, by the quorum's state beside it.
func isMetadataLog(fsys vfs.FS, name string) bool {
	dir := path.Dir(name)
	if strings.HasPrefix(path.Base(dir), "__cluster_metadata-") {
		return true
	}
	if base := path.Base(dir); base != "." && base != ".." {
		return false
	}
	_, err := fsys.Stat(path.Join(dir, "quorum-state"))
	return err == nil
}

// source is an open file.
type source struct {
	file vfs.File
	size int64 // when it was opened; what is appended later is not read
	path string
	id   identity
}

const window = 64 << 10 // bytes read at once

// reader reads the file from off to its end.
func (s *source) reader(off int64) *bufio.Reader {
	return bufio.NewReaderSize(io.NewSectionReader(s.file, off, s.size-off), int(min(window, max(s.size-off, 16))))
}
