package metadata

import (
	"fmt"
	"strings"
)

// A Level is a level of the feature metadata.version. It decides which records may be written and at which version.
// Levels are compared with < and >; 0 means that no level was set yet.
type Level int16

// FeatureMetadataVersion is the name of the feature whose levels are of type Level.
const FeatureMetadataVersion = "metadata.version"

// The ladder, oldest first. A level that says "records" changes what may stand in the log, so going down across it
// loses something.
const (
	// Level3_3_IV3 is the lowest level there is. Brokers tell that they are in controlled shutdown (KIP-841). Records.
	Level3_3_IV3 Level = 7
	// Level3_4_IV0 knew migration from ZooKeeper (KIP-866): RegisterBrokerRecord v2. Records.
	Level3_4_IV0 Level = 8
	// Level3_5_IV0 came with tiered storage (KIP-405); followers fetch at version 14.
	Level3_5_IV0 Level = 9
	// Level3_5_IV1 puts the replica's epoch into Fetch (KIP-903), version 15.
	Level3_5_IV1 Level = 10
	// Level3_5_IV2 keeps SCRAM credentials in the log (KIP-900). Records.
	Level3_5_IV2 Level = 11
	// Level3_6_IV0 no longer raises the leader epoch when an ISR shrinks (KAFKA-15021).
	Level3_6_IV0 Level = 12
	// Level3_6_IV1 has transactions in the metadata log (KIP-868). Records.
	Level3_6_IV1 Level = 13
	// Level3_6_IV2 keeps delegation tokens in the log. Records.
	Level3_6_IV2 Level = 14
	// Level3_7_IV0 registers controllers (KIP-919). Records.
	Level3_7_IV0 Level = 15
	// Level3_7_IV1 is reserved.
	Level3_7_IV1 Level = 16
	// Level3_7_IV2 assigns replicas to log directories (KIP-858): PartitionRecord and PartitionChangeRecord v1,
	// RegisterBrokerRecord v3, BrokerRegistrationChangeRecord v2. Records.
	Level3_7_IV2 Level = 17
	// Level3_7_IV3 is reserved.
	Level3_7_IV3 Level = 18
	// Level3_7_IV4 fetches at version 16 (KIP-951).
	Level3_7_IV4 Level = 19
	// Level3_8_IV0 marks the release.
	Level3_8_IV0 Level = 20
	// Level3_9_IV0 lists offsets at version 9 (KIP-1005) and fetches at 17.
	Level3_9_IV0 Level = 21
	// Level4_0_IV0 brings group.version 1 to new clusters (KIP-848).
	Level4_0_IV0 Level = 22
	// Level4_0_IV1 can keep eligible leader replicas (KIP-966): partition records v2, ClearElrRecord. Records.
	Level4_0_IV1 Level = 23
	// Level4_0_IV2 brings transaction.version 2 to new clusters (KIP-890).
	Level4_0_IV2 Level = 24
	// Level4_0_IV3 lists offsets at version 10 (KIP-1075).
	Level4_0_IV3 Level = 25
	// Level4_1_IV0 brings eligible leader replicas to new clusters.
	Level4_1_IV0 Level = 26
	// Level4_1_IV1 fetches at version 18 (KIP-1166).
	Level4_1_IV1 Level = 27
	// Level4_2_IV0 brings share groups to new clusters (KIP-932).
	Level4_2_IV0 Level = 28
	// Level4_2_IV1 brings streams groups to new clusters (KIP-1071) and lists offsets at version 11.
	Level4_2_IV1 Level = 29
	// Level4_3_IV0 keeps cordoned log directories: RegisterBrokerRecord v4, BrokerRegistrationChangeRecord v3. Records.
	Level4_3_IV0 Level = 30
	// Level4_4_IV0 brings share.version 2 to new clusters.
	Level4_4_IV0 Level = 31
	// Level4_4_IV1 accepts address ranges as hosts of ACLs. Records.
	Level4_4_IV1 Level = 32
	// Level4_4_IV2 can unregister a controller: UnregisterControllerRecord. Records.
	Level4_4_IV2 Level = 33

	// MinLevel and LatestLevel bound what this build finalizes.
	MinLevel    = Level3_3_IV3
	LatestLevel = Level4_4_IV2
)

type rung struct {
	release string // "4.3"
	sub     string // "IV0"
	records bool   // the level changes what may stand in the log
}

// ladder holds MinLevel at index 0.
var ladder = [...]rung{
	{"3.3", "IV3", true},
	{"3.4", "IV0", true},
	{"3.5", "IV0", false}, {"3.5", "IV1", false}, {"3.5", "IV2", true},
	{"3.6", "IV0", false}, {"3.6", "IV1", true}, {"3.6", "IV2", true},
	{"3.7", "IV0", true}, {"3.7", "IV1", false}, {"3.7", "IV2", true}, {"3.7", "IV3", false}, {"3.7", "IV4", false},
	{"3.8", "IV0", false},
	{"3.9", "IV0", false},
	{"4.0", "IV0", false}, {"4.0", "IV1", true}, {"4.0", "IV2", false}, {"4.0", "IV3", false},
	{"4.1", "IV0", false}, {"4.1", "IV1", false},
	{"4.2", "IV0", false}, {"4.2", "IV1", false},
	{"4.3", "IV0", true},
	{"4.4", "IV0", false}, {"4.4", "IV1", true}, {"4.4", "IV2", true},
}

// Known reports whether l is a level of the ladder.
func (l Level) Known() bool { return l >= MinLevel && l <= LatestLevel }

// String is Kafka's name of the level: "4.3-IV0".
func (l Level) String() string {
	if !l.Known() {
		return fmt.Sprintf("unknown level %d", int16(l))
	}
	r := ladder[l-MinLevel]
	return r.release + "-" + r.sub
}

// Release is the release that brought the level: "4.3".
func (l Level) Release() string {
	if !l.Known() {
		return ""
	}
	return ladder[l-MinLevel].release
}

// ParseLevel reads what a release is called on the command line: "4.3", "4.3.1", "4.3-IV0". A release without IV is
// its highest level; what follows the second dot is ignored, as in Kafka. The error is Kafka's text.
func ParseLevel(s string) (Level, error) {
	key := s
	if parts := strings.Split(s, "."); len(parts) > 2 {
		key = parts[0] + "." + parts[1]
	}
	for i := len(ladder) - 1; i >= 0; i-- {
		l := MinLevel + Level(i)
		if ladder[i].release == key || l.String() == key {
			return l, nil
		}
	}
	return 0, fmt.Errorf("Unknown metadata.version '%s'. Supported metadata.version are: %s", s, LevelNames())
}

// LevelNames lists the names of all levels, oldest first, as Kafka's messages do.
func LevelNames() string {
	names := make([]string, len(ladder))
	for i := range ladder {
		names[i] = (MinLevel + Level(i)).String()
	}
	return strings.Join(names, ", ")
}

// RecordsChange reports whether a level in (low, high] changes metadata records; order of the arguments does not
// matter.
func RecordsChange(a, b Level) bool {
	low, high := min(a, b), max(a, b)
	for l := low + 1; l <= high; l++ {
		if l.Known() && ladder[l-MinLevel].records {
			return true
		}
	}
	return false
}

// What a level permits.

func (l Level) ScramSupported() bool                    { return l >= Level3_5_IV2 }
func (l Level) LeaderEpochBumpOnISRShrink() bool        { return l < Level3_6_IV0 }
func (l Level) TransactionsSupported() bool             { return l >= Level3_6_IV1 }
func (l Level) DelegationTokensSupported() bool         { return l >= Level3_6_IV2 }
func (l Level) ControllerRegistrationSupported() bool   { return l >= Level3_7_IV0 }
func (l Level) DirectoryAssignmentSupported() bool      { return l >= Level3_7_IV2 }
func (l Level) ELRSupported() bool                      { return l >= Level4_0_IV1 }
func (l Level) CordonedLogDirsSupported() bool          { return l >= Level4_3_IV0 }
func (l Level) CIDRHostsSupported() bool                { return l >= Level4_4_IV1 }
func (l Level) ControllerUnregistrationSupported() bool { return l >= Level4_4_IV2 }

// FetchVersion is the version of Fetch that followers use.
func (l Level) FetchVersion() int16 {
	switch {
	case l >= Level4_1_IV1:
		return 18
	case l >= Level3_9_IV0:
		return 17
	case l >= Level3_7_IV4:
		return 16
	case l >= Level3_5_IV1:
		return 15
	case l >= Level3_5_IV0:
		return 14
	}
	return 13
}

// ListOffsetsVersion is the version of ListOffsets that followers use.
func (l Level) ListOffsetsVersion() int16 {
	switch {
	case l >= Level4_2_IV1:
		return 11
	case l >= Level4_0_IV3:
		return 10
	case l >= Level3_9_IV0:
		return 9
	case l >= Level3_5_IV0:
		return 8
	}
	return 7
}

// RecordVersion is the version at which a record is written while l is finalized. The version of a record is chosen
// nowhere else.
func (l Level) RecordVersion(r Record) int16 {
	switch r := r.(type) {
	case *RegisterBrokerRecord:
		switch {
		case l.CordonedLogDirsSupported():
			return 4
		case l.DirectoryAssignmentSupported():
			return 3
		case l >= Level3_4_IV0:
			return 2
		}
		return 1
	case *BrokerRegistrationChangeRecord: // Kafka writes the lowest version that holds the change
		switch {
		case r.CordonedLogDirs != nil:
			return 3
		case len(r.LogDirs) > 0:
			return 2
		case r.InControlledShutdown != 0:
			return 1
		}
	case *PartitionRecord, *PartitionChangeRecord:
		switch {
		case l.ELRSupported():
			return 2
		case l.DirectoryAssignmentSupported():
			return 1
		}
	}
	return 0
}
