package controller

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/controller/quorum"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
	"github.com/dohle-io/dohle/protocol"
	"github.com/dohle-io/dohle/storage"
)

// Format writes what kafka-storage format of Apache Kafka 4.4 writes: meta.properties into every log directory that has
// none, and 0-0.checkpoint into the metadata log directory, if that is one of them. Errors are texts for the user, the
// exit code is 1.
func Format(o FormatOptions) error {
	if o.Out == nil {
		o.Out = io.Discard
	}
	f := formatter{FormatOptions: o}
	if err := f.readArguments(); err != nil {
		return err
	}
	return f.write()
}

type formatter struct {
	FormatOptions
	level   metadata.Level
	levels  map[string]int16 // of all features but metadata.version
	voters  []quorum.Voter   // nil: none are written
	records []metadata.Record
	dynamic bool // the quorum is not in controller.quorum.voters
}

func (f *formatter) readArguments() error {
	if !f.Config.Roles().Broker && !f.Config.Roles().Controller {
		return errors.New("The kafka configuration file appears to be for a legacy cluster. Formatting is only supported for clusters in KRaft mode.")
	}
	if f.ClusterID == "" {
		return errors.New("You must specify the cluster id.")
	}
	f.dynamic = len(f.Config.QuorumVoters()) == 0
	if err := f.chooseVoters(); err != nil {
		return err
	}
	given, err := parseFeatures(f.Features)
	if err != nil {
		return err
	}
	if err := f.chooseLevel(given); err != nil {
		return err
	}
	if err := f.chooseFeatures(given); err != nil {
		return err
	}
	f.records = featureRecords(f.level, f.levels)
	if len(f.Scram) > 0 {
		if !f.level.ScramSupported() {
			return fmt.Errorf("SCRAM is only supported in metadata.version %s or later.", metadata.Level3_5_IV2)
		}
		users, err := scramRecords(f.Scram, f.Rand)
		if err != nil {
			return err
		}
		f.records = append(f.records, users...)
	}
	return nil
}

func (f *formatter) chooseVoters() error {
	const voters, servers = "controller.quorum.voters", "controller.quorum.bootstrap.servers"
	if !f.dynamic && (f.InitialControllers != "" || f.Standalone) {
		return fmt.Errorf("You cannot specify %s and format the node with --initial-controllers or --standalone. "+
			"If you want to use dynamic quorum, please remove %s and specify %s instead.", voters, voters, servers)
	}
	switch {
	case f.InitialControllers != "":
		var err error
		if f.voters, err = parseVoters(f.InitialControllers, f.listenerName()); err != nil {
			return err
		}
	case f.Standalone:
		v, err := f.self()
		if err != nil {
			return err
		}
		f.voters = []quorum.Voter{v}
	case !f.NoInitial && f.Config.Roles().Controller && f.dynamic:
		return fmt.Errorf("Because %s is not set on this controller, you must specify one of the following: "+
			"--standalone, --initial-controllers, or --no-initial-controllers.", voters)
	}
	return nil
}

// listenerName is the first controller listener, upper case as in the records of the quorum.
func (f *formatter) listenerName() string {
	names := config.ControllerListenerNames.Get(f.Config)
	if len(names) == 0 {
		return ""
	}
	return strings.ToUpper(names[0])
}

// self is this node as the only voter.
func (f *formatter) self() (quorum.Voter, error) {
	v := quorum.Voter{ID: f.Config.NodeID(), DirectoryID: f.newID(), MinVersion: 0, MaxVersion: 1, Endpoints: f.Endpoints}
	if !f.Config.Roles().Controller {
		return v, errors.New("You can only use --standalone on a controller.")
	}
	if len(v.Endpoints) > 0 {
		return v, nil
	}
	listeners, err := f.Config.AdvertisedControllerListeners()
	if err != nil {
		return v, err
	}
	if len(listeners) == 0 {
		return v, errors.New("No controller listeners found.")
	}
	l := listeners[0]
	if l.Host == "" {
		l.Host = "localhost"
	}
	v.Endpoints = []quorum.Endpoint{{Name: f.listenerName(), Host: l.Host, Port: uint16(l.Port)}}
	return v, nil
}

func (f *formatter) newID() protocol.UUID {
	for {
		if id := protocol.RandomUUID(f.Rand); !metadata.ReservedDirectory(id) {
			return id
		}
	}
}

func (f *formatter) chooseLevel(given map[string]int16) error {
	level, named := given[metadata.FeatureMetadataVersion]
	switch {
	case named && f.ReleaseVersion != "":
		return errors.New("Use --release-version instead of --feature metadata.version=X to avoid ambiguity.")
	case named:
		if f.level = metadata.Level(level); !f.level.Known() {
			return fmt.Errorf("No MetadataVersion with feature level %d. Valid feature levels are from %d to %d.", level, metadata.MinLevel, metadata.LatestLevel)
		}
	case f.ReleaseVersion != "":
		var err error
		if f.level, err = metadata.ParseLevel(f.ReleaseVersion); err != nil {
			return err
		}
	default:
		f.level = metadata.LatestLevel
	}
	return nil
}

func (f *formatter) chooseFeatures(given map[string]int16) error {
	f.levels = map[string]int16{}
	for name, level := range given {
		if name != metadata.FeatureMetadataVersion {
			if metadata.FeatureByName(name) == nil {
				return fmt.Errorf("Unsupported feature: %s. Supported features are: %s", name, featureNames())
			}
			f.levels[name] = level
		}
	}
	kraft, named := f.levels[metadata.FeatureKRaftVersion]
	switch {
	case named && kraft == 0 && f.dynamic:
		return errors.New("Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags --standalone, " +
			"--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try removing the --feature flag for kraft.version.")
	case named && kraft != 0 && !f.dynamic:
		return fmt.Errorf("Cannot set kraft.version to %d unless controller.quorum.voters is empty and one of the flags --standalone, "+
			"--initial-controllers, or --no-initial-controllers is used. For dynamic controllers support, try using one of "+
			"--standalone, --initial-controllers, or --no-initial-controllers and removing controller.quorum.voters.", kraft)
	case !named && f.dynamic:
		f.levels[metadata.FeatureKRaftVersion] = 1
	}
	for i := range metadata.Features {
		row := &metadata.Features[i]
		level, named := f.levels[row.Name]
		if !named && row.Name != metadata.FeatureKRaftVersion {
			level = row.Default(f.level)
			f.levels[row.Name] = level
		}
		switch {
		case level < 0 || level > row.Max():
			return fmt.Errorf("No feature:%s with feature level %d", row.Name, level)
		case level > 0 && row.Needs > f.level:
			return fmt.Errorf("%s could not be set to %d because it depends on metadata.version level %d", row.Name, level, row.Needs)
		}
	}
	return nil
}

func featureNames() string {
	var names []string
	for _, f := range metadata.Features {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (f *formatter) write() error {
	dirs := logDirs(f.Config)
	node := f.Config.NodeID()
	var empty []string
	formatted := ""
	seen := map[protocol.UUID]string{}
	for _, dir := range dirs {
		m, err := storage.ReadMetaProperties(f.FS, dir)
		switch {
		case errors.Is(err, storage.ErrNotFormatted):
			empty = append(empty, dir)
			continue
		case err != nil:
			fmt.Fprintf(f.Out, "I/O error trying to read log directory %s. Ignoring...\n", dir)
			continue
		case m.ClusterID != f.ClusterID:
			return fmt.Errorf("Invalid cluster.id in: %s/meta.properties. Expected %s, but read %s", dir, f.ClusterID, m.ClusterID)
		case m.NodeID != node:
			return fmt.Errorf("Stored node id %d doesn't match previous node id %d in %s/meta.properties. If you moved your data, "+
				"make sure your configured node id matches. If you intend to create a new node, you should remove all data in your data directories.", m.NodeID, node, dir)
		}
		if other, twice := seen[m.DirectoryID]; twice && !m.DirectoryID.IsZero() {
			return fmt.Errorf("Duplicate directory ID %s found. It was the ID of %s, but also of %s", m.DirectoryID, other, dir)
		}
		seen[m.DirectoryID] = dir
		if formatted == "" {
			formatted = dir
		}
	}
	if formatted != "" && !f.IgnoreFormatted {
		return fmt.Errorf("Log directory %s is already formatted. Use --ignore-formatted to ignore this directory and format the others.", formatted)
	}
	if len(empty) == 0 {
		if formatted == "" {
			return errors.New("No available log directories to format.")
		}
		fmt.Fprintln(f.Out, "All of the log directories are already formatted.")
		return nil
	}
	fmt.Fprintf(f.Out, "Bootstrap metadata: %s\n", f.describe())
	for _, dir := range empty {
		if err := f.writeDir(dir); err != nil {
			return fmt.Errorf("Error while writing meta.properties file %s: %w", dir, err)
		}
	}
	return nil
}

// writeDir formats one directory. meta.properties comes last: it is what makes a directory formatted.
func (f *formatter) writeDir(dir string) error {
	kind, id := "data directory", f.newID()
	isMetadata := dir == f.Config.MetadataDir()
	if isMetadata {
		kind = "metadata directory"
		if f.voters != nil {
			kind = "dynamic metadata directory"
			for _, v := range f.voters {
				if v.ID == f.Config.NodeID() {
					kind, id = "dynamic metadata voter directory", v.DirectoryID
				}
			}
		}
	}
	fmt.Fprintf(f.Out, "Formatting %s %s with metadata.version %s.\n", kind, dir, f.level)
	if err := vfs.MakeDir(f.FS, dir); err != nil {
		return err
	}
	now := f.Clock.Now()
	if isMetadata {
		b := quorum.Bootstrap{TimeMs: now.UnixMilli(), KRaftVersion: f.levels[metadata.FeatureKRaftVersion], Voters: f.voters}
		for _, r := range f.records {
			b.Records = append(b.Records, metadata.AppendRecord(nil, r, f.level.RecordVersion(r)))
		}
		if err := quorum.WriteBootstrap(f.FS, dir, b); err != nil {
			return err
		}
	}
	return storage.WriteMetaProperties(f.FS, dir, storage.MetaProperties{ClusterID: f.ClusterID, NodeID: f.Config.NodeID(), DirectoryID: id}, now)
}

// describe lists the bootstrap records for the user. Credentials are named, not shown.
func (f *formatter) describe() string {
	var parts []string
	for _, r := range f.records {
		switch r := r.(type) {
		case *metadata.FeatureLevelRecord:
			parts = append(parts, fmt.Sprintf("%s=%d", r.Name, r.FeatureLevel))
		case *metadata.UserScramCredentialRecord:
			parts = append(parts, fmt.Sprintf("scram user %s", r.Name))
		}
	}
	return strings.Join(parts, ", ")
}

// logDirs are all directories of a node, the metadata log's among them, sorted.
func logDirs(c *config.File) []string {
	dirs := append(slices.Clone(c.LogDirs()), c.MetadataDir())
	slices.Sort(dirs)
	return slices.Compact(dirs)
}
