package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

const maxMetaFile = 64 << 10

// MetaProperties is the identity of a log directory: meta.properties, version 1 (KIP-858).
type MetaProperties struct {
	ClusterID   string
	NodeID      int32
	DirectoryID protocol.UUID
}

// ErrNotFormatted says that a directory has no meta.properties.
var ErrNotFormatted = errors.New("not formatted: meta.properties is missing")

// ReadMetaProperties reads dir's identity; ErrNotFormatted without one. An unreadable file is an error: a node that
// does not know who it is must not start.
func ReadMetaProperties(fsys vfs.FS, dir string) (MetaProperties, error) {
	name := path.Join(dir, metaPropertiesName)
	b, err := vfs.ReadFile(fsys, name, maxMetaFile)
	if errors.Is(err, fs.ErrNotExist) {
		return MetaProperties{}, fmt.Errorf("%s: %w", dir, ErrNotFormatted)
	}
	if err != nil {
		return MetaProperties{}, err
	}
	m, err := parseMetaProperties(name, b)
	if _, damaged := errors.AsType[*CorruptError](err); damaged {
		err = fmt.Errorf("%w. Restore the file; it holds cluster.id, node.id, directory.id and version=1", err)
	}
	return m, err
}

func parseMetaProperties(name string, b []byte) (m MetaProperties, err error) {
	keys := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		k, v, ok := strings.Cut(line, "=")
		if !ok {
			return m, &CorruptError{name, -1, fmt.Sprintf("line %q", line)}
		}
		keys[strings.TrimSpace(k)] = strings.ReplaceAll(strings.TrimSpace(v), `\`, "")
	}
	if v, err := strconv.Atoi(keys["version"]); err == nil && v > 1 {
		return m, fmt.Errorf("%s has version %d and was written by a newer release, this one reads version 1: start that release, or restore the directory as it was before it", name, v)
	}
	if keys["version"] != "1" {
		return m, &CorruptError{name, -1, fmt.Sprintf("version %q is not 1", keys["version"])}
	}
	node, err := strconv.ParseInt(keys["node.id"], 10, 32)
	if err != nil || node < 0 {
		return m, &CorruptError{name, -1, fmt.Sprintf("node.id %q", keys["node.id"])}
	}
	m = MetaProperties{ClusterID: keys["cluster.id"], NodeID: int32(node)}
	if m.ClusterID == "" {
		return m, &CorruptError{name, -1, "cluster.id is missing"}
	}
	if id := keys["directory.id"]; id != "" { // directories formatted before Kafka 3.7 have none
		if m.DirectoryID, err = protocol.ParseUUID(id); err != nil {
			return m, &CorruptError{name, -1, fmt.Sprintf("directory.id %q", id)}
		}
	}
	return m, nil
}

// WriteMetaProperties writes dir's identity, durably. now goes into a comment, as Java does it.
func WriteMetaProperties(fsys vfs.FS, dir string, m MetaProperties, now time.Time) error {
	return vfs.WriteFileAtomic(fsys, path.Join(dir, metaPropertiesName), encodeMetaProperties(m, now), true)
}

func encodeMetaProperties(m MetaProperties, now time.Time) []byte {
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`, "=", `\=`, "#", `\#`, "!", `\!`)
	return fmt.Appendf(nil, "#\n#%s\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=1\n",
		now.UTC().Format("Mon Jan 02 15:04:05 MST 2006"), escape.Replace(m.ClusterID), m.DirectoryID, m.NodeID)
}

// partition.metadata: which topic the directory belongs to (KIP-516).

func encodePartitionMeta(topicID protocol.UUID) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", topicID)
}

func parsePartitionMeta(name string, b []byte) (protocol.UUID, error) {
	version, id, ok := strings.Cut(strings.TrimSpace(string(b)), "\n")
	if !ok || strings.TrimSpace(version) != "version: 0" || !strings.HasPrefix(id, "topic_id: ") {
		return protocol.UUID{}, &CorruptError{name, -1, "not a partition.metadata of version 0"}
	}
	topicID, err := protocol.ParseUUID(strings.TrimSpace(strings.TrimPrefix(id, "topic_id: ")))
	if err != nil {
		return protocol.UUID{}, &CorruptError{name, -1, "the topic id is not one"}
	}
	return topicID, nil
}

// cleanShutdown is the marker of a clean stop (KIP-966 added the broker epoch).
type cleanShutdown struct {
	Version     int   `json:"version"`
	BrokerEpoch int64 `json:"brokerEpoch"`
}

func encodeCleanShutdown(brokerEpoch int64) []byte {
	b, _ := json.Marshal(cleanShutdown{0, brokerEpoch}) // two integers always encode
	return b
}

// parseCleanShutdown is the epoch in a marker; -1 when it cannot be read, as with Kafka's older, empty ones.
func parseCleanShutdown(b []byte) int64 {
	c := struct {
		BrokerEpoch *int64 `json:"brokerEpoch"`
	}{}
	if json.Unmarshal(b, &c) != nil || c.BrokerEpoch == nil {
		return -1
	}
	return *c.BrokerEpoch
}
