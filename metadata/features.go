package metadata

import (
	"fmt"
	"maps"
	"slices"
)

// Names of the features that a cluster finalizes, besides metadata.version. kraft.version belongs to the quorum.
const (
	FeatureKRaftVersion       = "kraft.version"
	FeatureTransactionVersion = "transaction.version"
	FeatureGroupVersion       = "group.version"
	FeatureELRVersion         = "eligible.leader.replicas.version"
	FeatureShareVersion       = "share.version"
	FeatureStreamsVersion     = "streams.version"
)

// A Feature is one row of the table of features.
type Feature struct {
	Name string
	// Since[i] is the level of metadata.version from which level i comes by default.
	Since []Level
	// Needs is the level of metadata.version without which levels above 0 are refused; 0 = none.
	Needs Level
}

// Max is the highest level.
func (f *Feature) Max() int16 { return int16(len(f.Since) - 1) }

// Default is the level that a cluster formatted at l gets.
func (f *Feature) Default(l Level) int16 {
	level := int16(0)
	for i, since := range f.Since {
		if since <= l {
			level = int16(i)
		}
	}
	return level
}

// Features are all features but metadata.version, in Kafka's order.
var Features = []Feature{
	{Name: FeatureKRaftVersion, Since: []Level{MinLevel, Level3_9_IV0}},
	{Name: FeatureTransactionVersion, Since: []Level{MinLevel, Level4_0_IV2, Level4_0_IV2}},
	{Name: FeatureGroupVersion, Since: []Level{MinLevel, Level4_0_IV0}},
	{Name: FeatureELRVersion, Since: []Level{MinLevel, Level4_1_IV0}, Needs: Level4_0_IV1},
	{Name: FeatureShareVersion, Since: []Level{MinLevel, Level4_2_IV0, Level4_4_IV0}},
	{Name: FeatureStreamsVersion, Since: []Level{MinLevel, Level4_2_IV1}},
}

// FeatureByName finds a row, or nil.
func FeatureByName(name string) *Feature {
	for i := range Features {
		if Features[i].Name == name {
			return &Features[i]
		}
	}
	return nil
}

// SupportedFeatures is what a node of this build announces: every feature with its range.
func SupportedFeatures() map[string]VersionRange {
	m := map[string]VersionRange{FeatureMetadataVersion: {int16(MinLevel), int16(LatestLevel)}}
	for _, f := range Features {
		m[f.Name] = VersionRange{0, f.Max()}
	}
	return m
}

// FeaturesImage holds the finalized levels.
type FeaturesImage struct {
	Level  Level            // of metadata.version; 0 = none written yet
	Levels map[string]int16 // the others, levels above 0 only; must not be written to
}

// Of is the finalized level of a feature, 0 if it is not finalized.
func (f FeaturesImage) Of(name string) int16 {
	if name == FeatureMetadataVersion {
		return int16(f.Level)
	}
	return f.Levels[name]
}

// ELREnabled reports whether eligible leader replicas are kept.
func (f FeaturesImage) ELREnabled() bool { return f.Levels[FeatureELRVersion] >= 1 }

// FeaturesDelta collects changes to finalized features.
type FeaturesDelta struct {
	value   FeaturesImage
	own     bool
	Changed bool
}

func (d *FeaturesDelta) set(r *FeatureLevelRecord) error {
	switch r.Name {
	case FeatureMetadataVersion:
		if l := Level(r.FeatureLevel); !l.Known() {
			return fmt.Errorf("metadata.version %d lies outside %d-%d, what this release supports: start the release that wrote it", r.FeatureLevel, MinLevel, LatestLevel)
		}
		d.value.Level = Level(r.FeatureLevel)
	case FeatureKRaftVersion:
		return nil // KAFKA-18979: some logs hold it, it means nothing there
	default:
		if !d.own {
			d.own = true
			d.value.Levels = maps.Clone(d.value.Levels)
			if d.value.Levels == nil {
				d.value.Levels = map[string]int16{}
			}
		}
		if r.FeatureLevel == 0 {
			delete(d.value.Levels, r.Name)
		} else {
			d.value.Levels[r.Name] = r.FeatureLevel
		}
	}
	d.Changed = true
	return nil
}

// The level comes first: what follows is read by it.
func (f FeaturesImage) records(level Level, yield func(Record) bool) bool {
	if f.Level == 0 && len(f.Levels) == 0 {
		return true
	}
	if !yield(&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: int16(level)}) {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(f.Levels)) {
		if !yield(&FeatureLevelRecord{Name: name, FeatureLevel: f.Levels[name]}) {
			return false
		}
	}
	return true
}
