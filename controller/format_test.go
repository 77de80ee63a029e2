package controller

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol/compress"
	"github.com/dohle-io/dohle/protocol/record"
	"github.com/dohle-io/dohle/storage"
)

const bootFile = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint"

type still struct{}

func (still) Now() time.Time                     { return time.UnixMilli(1_795_640_411_000) }
func (still) NewTimer(time.Duration) clock.Timer { return nil }

func formatOptions(t *testing.T, f *config.File, edit func(*FormatOptions)) (FormatOptions, *bytes.Buffer) {
	out := new(bytes.Buffer)
	o := FormatOptions{FS: vfs.NewMem(), Rand: rand.New(rand.NewPCG(1, 2)), Clock: still{}, Config: f, ClusterID: "cid", Out: out}
	edit(&o)
	return o, out
}

func dynamicFile(t *testing.T) *config.File {
	return properties(t, "controller.quorum.bootstrap.servers", "127.0.0.1:19261", "listeners", "PLAINTEXT://127.0.0.1:19260,CONTROLLER://127.0.0.1:19261", "log.dirs", "/data/d1,/data/d2")
}

func staticFile(t *testing.T) *config.File {
	return properties(t, "controller.quorum.bootstrap.servers", "", "controller.quorum.voters", "1@127.0.0.1:19261", "listeners", "PLAINTEXT://127.0.0.1:19260,CONTROLLER://127.0.0.1:19261", "log.dirs", "/data/d1,/data/d2")
}

// dump prints a snapshot's batches and records, without times and checksums. Directory ids can be hidden.
func dump(t *testing.T, b []byte, hide func(string) string) string {
	var out strings.Builder
	for len(b) > 0 {
		batch, rest, err := record.Next(b)
		require.NoError(t, err)
		require.True(t, batch.VerifyCRC())
		b = rest
		fmt.Fprintf(&out, "batch %d+%d control=%t epoch=%d attributes=%d size=%d\n", batch.BaseOffset(), batch.Count(), batch.IsControl(), batch.PartitionLeaderEpoch(), batch.Attributes(), batch.Size())
		for r, err := range batch.Records(compress.NewCodecs(), 1<<20) {
			require.NoError(t, err)
			value := hex.EncodeToString(r.Value)
			if batch.IsControl() && r.Key[3] == 3 { // SnapshotHeader: its timestamp
				value = value[:4] + strings.Repeat("?", len(value)-4)
			}
			fmt.Fprintf(&out, "  %x %s headers=%d\n", r.Key, hide(value), r.HeaderCount)
		}
	}
	return out.String()
}

// The records, their order, versions and batches are those of Apache Kafka's own tool; only times and random ids differ.
func TestFormatWritesWhatKafkaWrites(t *testing.T) {
	for _, test := range []struct {
		name string
		file *config.File
		edit func(*FormatOptions)
	}{
		{"standalone", dynamicFile(t), func(o *FormatOptions) {
			o.Standalone = true
			o.Scram = []string{`SCRAM-SHA-256=[name=alice,password=alice-secret,salt="MWx2NHBkbnc0ZndxN25vdGN4bTB5Mnp2cHE=",iterations=4096]`,
				`SCRAM-SHA-512=[name=bob,saltedpassword="YWJj",salt="c2FsdA=="]`}
		}},
		{"no-initial-4.3", dynamicFile(t), func(o *FormatOptions) { o.NoInitial, o.ReleaseVersion = true, "4.3" }},
		{"static", staticFile(t), func(o *FormatOptions) {}},
		{"initial", dynamicFile(t), func(o *FormatOptions) {
			o.InitialControllers = "1@127.0.0.1:19261:JEXY6aqzQY-32P5TStzaFg,2@[::1]:8083:MvDxzVmcRsaTz33bUuRU6A"
			o.Features = []string{"group.version=0"}
		}},
		{"old", staticFile(t), func(o *FormatOptions) { o.ReleaseVersion = "3.3" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, out := formatOptions(t, test.file, test.edit)
			require.NoError(t, Format(o))
			theirs, err := os.ReadFile("testdata/format/" + test.name + ".checkpoint")
			require.NoError(t, err)
			ours, err := vfs.ReadFile(o.FS, "/data/d1/"+bootFile, 1<<20)
			require.NoError(t, err)
			hide := func(s string) string {
				if test.name == "standalone" && strings.HasPrefix(s, "00000200000001") { // Voters: the id is random
					return s[:14] + "…" + s[46:]
				}
				return s
			}
			require.Equal(t, dump(t, theirs, hide), dump(t, ours, hide))
			m1, err := storage.ReadMetaProperties(o.FS, "/data/d1")
			require.NoError(t, err)
			m2, err := storage.ReadMetaProperties(o.FS, "/data/d2")
			require.NoError(t, err)
			require.Equal(t, "cid", m1.ClusterID)
			require.Equal(t, int32(1), m1.NodeID)
			require.NotEqual(t, m1.DirectoryID, m2.DirectoryID)
			if test.name == "initial" {
				require.Equal(t, "JEXY6aqzQY-32P5TStzaFg", m1.DirectoryID.String())
			}
			_, err = o.FS.Stat(path.Join("/data/d2", bootFile))
			require.ErrorIs(t, err, fs.ErrNotExist, "only the metadata log dir gets a snapshot")
			require.Contains(t, out.String(), "Formatting data directory /data/d2 with metadata.version ")
		})
	}
}

func TestFormatRefusesInKafkasWords(t *testing.T) {
	for _, test := range []struct {
		file *config.File
		edit func(*FormatOptions)
		text string
	}{
		{dynamicFile(t), func(o *FormatOptions) {}, "Because controller.quorum.voters is not set on this controller, you must specify one of the following: --standalone, --initial-controllers, or --no-initial-controllers."},
		{staticFile(t), func(o *FormatOptions) { o.Standalone = true }, "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify controller.quorum.bootstrap.servers instead."},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.Features = true, []string{"nope=1"} }, "Unsupported feature: nope. Supported features are: eligible.leader.replicas.version, group.version, kraft.version, share.version, streams.version, transaction.version"},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.Features = true, []string{"share.version=9"} }, "No feature:share.version with feature level 9"},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.Features = true, []string{"group.version"} }, "Can't parse feature=level string group.version: equals sign not found."},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.ReleaseVersion = true, "9.9" }, "Unknown metadata.version '9.9'. Supported metadata.version are: 3.3-IV3, 3.4-IV0, 3.5-IV0, 3.5-IV1, 3.5-IV2, 3.6-IV0, 3.6-IV1, 3.6-IV2, 3.7-IV0, 3.7-IV1, 3.7-IV2, 3.7-IV3, 3.7-IV4, 3.8-IV0, 3.9-IV0, 4.0-IV0, 4.0-IV1, 4.0-IV2, 4.0-IV3, 4.1-IV0, 4.1-IV1, 4.2-IV0, 4.2-IV1, 4.3-IV0, 4.4-IV0, 4.4-IV1, 4.4-IV2"},
		{dynamicFile(t), func(o *FormatOptions) {
			o.Standalone, o.ReleaseVersion, o.Features = true, "3.9", []string{"eligible.leader.replicas.version=1"}
		}, "eligible.leader.replicas.version could not be set to 1 because it depends on metadata.version level 23"},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.Features = true, []string{"kraft.version=0"} }, "Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version."},
		{dynamicFile(t), func(o *FormatOptions) {
			o.Standalone, o.ReleaseVersion, o.Features = true, "4.4", []string{"metadata.version=30"}
		}, "Use --release-version instead of --feature metadata.version=X to avoid ambiguity."},
		{dynamicFile(t), func(o *FormatOptions) { o.InitialControllers = "x@1:2:3" }, "Failed to parse node id in dynamic voter string."},
		{dynamicFile(t), func(o *FormatOptions) { o.Standalone, o.Scram = true, []string{"SCRAM-SHA-256=[name=alice]"} }, "You must supply one of 'password' or 'saltedpassword' to add-scram"},
		{dynamicFile(t), func(o *FormatOptions) {
			o.Standalone, o.Scram = true, []string{"SCRAM-SHA-256=[name=a,password=b,iterations=1]"}
		}, "The 'iterations' value must be >= 4096 for add-scram using SCRAM-SHA-256"},
		{staticFile(t), func(o *FormatOptions) {
			o.ReleaseVersion, o.Scram = "3.4", []string{"SCRAM-SHA-256=[name=a,password=b]"}
		}, "SCRAM is only supported in metadata.version 3.5-IV2 or later."},
	} {
		o, _ := formatOptions(t, test.file, test.edit)
		require.EqualError(t, Format(o), test.text)
	}
}

func TestFormattedDirectories(t *testing.T) {
	o, out := formatOptions(t, staticFile(t), func(*FormatOptions) {})
	clean, err := Info(o.FS, o.Config, out)
	require.NoError(t, err)
	require.False(t, clean)
	require.Equal(t, "Found problems:\n  /data/d1 does not exist\n  /data/d2 does not exist\n\n", out.String())
	require.NoError(t, Format(o))
	require.EqualError(t, Format(o), "Log directory /data/d1 is already formatted. Use --ignore-formatted to ignore this directory and format the others.")
	o.IgnoreFormatted = true
	out.Reset()
	require.NoError(t, Format(o))
	require.Equal(t, "All of the log directories are already formatted.\n", out.String())
	out.Reset()
	clean, err = Info(o.FS, o.Config, out)
	require.NoError(t, err)
	require.True(t, clean)
	require.Regexp(t, `^Found log directories:\n  /data/d1\n  /data/d2\n\nFound metadata: \{cluster.id=cid, directory.id=[\w-]{22}, node.id=1, version=1\}\n\n$`, out.String())
	o.ClusterID = "cid2"
	require.EqualError(t, Format(o), "Invalid cluster.id in: /data/d1/meta.properties. Expected cid2, but read cid")
}
