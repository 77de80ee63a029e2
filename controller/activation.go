package controller

import (
	"slices"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/metadata"
)

// bootstrap are the records that formatting left in 0-0.checkpoint. The quorum never replicates that file, so the first
// controller writes them into the log.
type bootstrap []metadata.Record

func (b bootstrap) level(name string) int16 {
	for _, r := range b {
		if f, ok := r.(*metadata.FeatureLevelRecord); ok && f.Name == name {
			return f.FeatureLevel
		}
	}
	return 0
}

// activate is what a controller writes before anything else.
//
// An empty log gets the bootstrap records, in a transaction where metadata.version has them (KIP-868), and, with
// eligible leader replicas, the cluster's min.insync.replicas. A transaction that an earlier controller left open is
// aborted first.
func activate(img *metadata.Image, openTxn bool, boot bootstrap, static *config.File) []metadata.Record {
	var records []metadata.Record
	reason, name := "Controller failover", "Bootstrap records"
	if openTxn {
		records = append(records, &metadata.AbortTransactionRecord{Reason: &reason})
	}
	if img.Features.Level != 0 {
		return records
	}
	if len(boot) == 0 {
		boot = DefaultBootstrap(metadata.LatestLevel)
	}
	level := metadata.Level(boot.level(metadata.FeatureMetadataVersion))
	if level.TransactionsSupported() {
		records = append(records, &metadata.BeginTransactionRecord{Name: &name})
	}
	records = append(records, boot...)
	if boot.level(metadata.FeatureELRVersion) > 0 {
		records = append(records, minISRRecord(static))
	}
	if level.TransactionsSupported() {
		records = append(records, &metadata.EndTransactionRecord{})
	}
	return records
}

// DefaultBootstrap are the feature records of a cluster formatted at a level: metadata.version first, the others by
// name, those at level 0 left out.
func DefaultBootstrap(level metadata.Level) []metadata.Record {
	levels := map[string]int16{}
	for _, f := range metadata.Features {
		if f.Name != metadata.FeatureKRaftVersion {
			levels[f.Name] = f.Default(level)
		}
	}
	return featureRecords(level, levels)
}

func featureRecords(level metadata.Level, levels map[string]int16) []metadata.Record {
	records := []metadata.Record{&metadata.FeatureLevelRecord{Name: metadata.FeatureMetadataVersion, FeatureLevel: int16(level)}}
	var names []string
	for name, l := range levels {
		if l > 0 && name != metadata.FeatureKRaftVersion && name != metadata.FeatureMetadataVersion {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		records = append(records, &metadata.FeatureLevelRecord{Name: name, FeatureLevel: levels[name]})
	}
	return records
}
