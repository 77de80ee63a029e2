package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/vfs"
)

// MaxFileSize bounds a properties file.
const MaxFileSize = 1 << 20

// File is the static configuration of a node: what the properties file, the environment and the overrides say, over the
// defaults. Immutable once made; it is a View by itself, that of a broker without dynamic configuration.
type File struct {
	values map[string]string // as written; broker.id and node.id stand for each other
}

// Lookup makes a File a View: static values over defaults.
func (f *File) Lookup(name string) (string, Source, bool) {
	if s, ok := f.values[name]; ok {
		return s, SourceStatic, true
	}
	row := BrokerRow(name)
	if row == nil {
		row = DynamicRow(name)
	}
	if row == nil || row.Null {
		return "", SourceDefault, false
	}
	return row.Default, SourceDefault, true
}

// Values is a copy of what was set, by name.
func (f *File) Values() map[string]string { return maps.Clone(f.values) }

// NoEffect lists the keys that are set and known, but do nothing here yet; sorted. The broker logs them in one line.
func (f *File) NoEffect() []string {
	var out []string
	for name := range f.values {
		row := BrokerRow(baseName(name))
		if row == nil || row.Effect() != "" || name == "broker.id" && f.values["node.id"] == f.values[name] {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Warning is one sentence about the configuration for the log at start.
type Warning struct {
	Key     string // the key it is about
	Message string
}

// Sources is where Load reads from, lowest layer first.
type Sources struct {
	FS        vfs.FS            // nil = the machine's disk
	Base      map[string]string // a profile; shown like values of the file
	Path      string            // a properties file; "" = none
	Environ   []string          // NAME=value entries; those named KAFKA_* count
	Overrides []string          // key=value entries
	Strict    bool              // what is probably mistyped is an error: an unknown key, one that stands twice
}

// Load reads server.properties at path ("" = none), then the KAFKA_* variables of environ ("NAME=value" entries), then
// overrides ("key=value" entries); later layers win. The result is validated with Kafka's rules, and an error is worded as Kafka words it.
// strict turns what is probably mistyped, an unknown key or one that stands twice, from a warning into an error.
func Load(path string, overrides []string, environ []string, strict bool) (*File, []Warning, error) {
	return LoadFrom(Sources{Path: path, Overrides: overrides, Environ: environ, Strict: strict})
}

// LoadFrom is Load with all its inputs.
func LoadFrom(s Sources) (*File, []Warning, error) {
	values := maps.Clone(s.Base)
	if values == nil {
		values = map[string]string{}
	}
	var warnings []Warning
	if s.Path != "" {
		fs := s.FS
		if fs == nil {
			fs = vfs.OS
		}
		data, err := vfs.ReadFile(fs, s.Path, MaxFileSize)
		if err != nil {
			return nil, nil, fmt.Errorf("the properties file can't be read: %w", err)
		}
		file, repeated, err := parseProperties(data)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", s.Path, err)
		}
		for _, key := range repeated {
			warnings = append(warnings, Warning{key, key + " stands more than once in " + s.Path + "; the last one counts: " + printed(key, file[key])})
		}
		set(values, file)
	}
	environ, variables := parseEnviron(s.Environ)
	set(values, environ)
	overrides, err := parseOverrides(s.Overrides)
	if err != nil {
		return nil, nil, err
	}
	set(values, overrides)
	if s.Strict && len(warnings) > 0 {
		return nil, warnings, invalid(warnings[0].Message)
	}
	f, more, err := build(values, variables, s.Strict)
	return f, append(warnings, more...), err
}

// printed is a value as it may be shown: that of a password, or of a key that nobody knows, is not.
func printed(name, value string) string {
	if row := BrokerRow(baseName(name)); row == nil || row.Sensitive() {
		return "(hidden)"
	}
	return value
}

// set puts a layer over the values. node.id and broker.id are one setting with two names: a layer that gives one takes the other away.
func set(values, layer map[string]string) {
	_, node := layer["node.id"]
	_, broker := layer["broker.id"]
	if node || broker {
		delete(values, "node.id")
		delete(values, "broker.id")
	}
	maps.Copy(values, layer)
}

// NewStatic makes a File of key-value pairs, validated as Load does.
func NewStatic(values map[string]string) (*File, error) {
	f, _, err := build(maps.Clone(values), nil, false)
	return f, err
}

// Defaults is the File in which nothing is set: every Key answers its default. It is not a configuration that a node can start with.
func Defaults() *File { return &File{values: map[string]string{}} }

// build validates values. variables are the names of those that an environment gave, by key.
func build(values, variables map[string]string, strict bool) (*File, []Warning, error) {
	if values == nil {
		values = map[string]string{}
	}
	f := &File{values: values}
	warnings := f.unknownKeys(variables)
	if strict && len(warnings) > 0 {
		return nil, warnings, invalid(warnings[0].Message)
	}
	if err := f.checkProtection(); err != nil {
		return nil, warnings, err
	}
	more, err := f.validate()
	warnings = append(warnings, more...)
	if err != nil {
		return nil, warnings, withHelp(err)
	}
	return f, warnings, nil
}

// validate applies all of Kafka's rules.
func (f *File) validate() ([]Warning, error) {
	node, hasNode := f.values["node.id"]
	broker, hasBroker := f.values["broker.id"]
	switch {
	case hasNode && !hasBroker:
		f.values["broker.id"] = node
	case hasBroker && !hasNode:
		f.values["node.id"] = broker
	}
	if err := f.checkValues(); err != nil {
		return nil, err
	}
	return f.checkTogether()
}

// unknownKeys warns of names that neither Kafka nor its built-in plug-ins know. Kafka itself says nothing.
func (f *File) unknownKeys(variables map[string]string) []Warning {
	var out []Warning
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if known(name) {
			continue
		}
		msg := "Unknown configuration key: " + name
		if v, ok := variables[name]; ok {
			msg += " (" + v + " in the environment)"
		}
		if near := nearest(name); near != "" {
			msg += ". Did you mean " + near + "?"
		}
		out = append(out, Warning{name, msg})
	}
	return out
}

// known: a row, a row behind a listener prefix, or a key that a built-in plug-in reads.
func known(name string) bool {
	if BrokerRow(baseName(name)) != nil || DynamicRow(name) != nil {
		return true
	}
	switch name {
	case "super.users", "allow.everyone.if.no.acl.found":
		return true
	}
	for _, prefix := range []string{"rsm.config.", "rlmm.config.", "config.providers."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// mechanismKeys may stand behind a listener and a mechanism.
var mechanismKeys = []string{"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class", "sasl.server.callback.handler.class",
	"connections.max.reauth.ms"}

// baseName is the key behind listener.name.<listener>. or listener.name.<listener>.<mechanism>., and any other name itself.
func baseName(name string) string {
	rest, ok := strings.CutPrefix(name, "listener.name.")
	if !ok {
		return name
	}
	_, base, ok := strings.Cut(rest, ".")
	if !ok {
		return name
	}
	for _, key := range mechanismKeys {
		if strings.HasSuffix(base, key) {
			return key
		}
	}
	return base
}

// checkValues applies every row's type and rule, and asks for the keys without a default.
func (f *File) checkValues() error {
	for _, rows := range [][]Row{brokerRows, ownRows} {
		for i := range rows {
			row := &rows[i]
			if text, ok := f.values[row.Name]; ok {
				if err := checkValue(row, text); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range []string{"process.roles", "node.id", "controller.listener.names"} {
		if _, ok := f.values[name]; !ok {
			return invalid("Missing required configuration \"" + name + "\" which has no default value.")
		}
	}
	return nil
}

// checkProtection refuses settings that ask for protection which is not there: better no node than an open one. It comes
// before Kafka's rules, which would first ask for settings that don't help here either.
func (f *File) checkProtection() error {
	protocols, _ := f.protocolMap() // validate tells of what is wrong with it
	asks := func(key, name string) error {
		protocol, ok := protocols[strings.ToUpper(name)]
		if !ok {
			protocol = strings.ToUpper(name)
		}
		if !protected(protocol) {
			return nil
		}
		return invalid("The listener " + name + " in " + key + " asks for " + protocol + ", which Dohle can't give yet. It does not start rather than serve plaintext: " +
			"name PLAINTEXT listeners only, where the network may be trusted.")
	}
	for _, l := range Listeners.Get(f) {
		name, _, _ := strings.Cut(l, "://")
		if err := asks("listeners", name); err != nil {
			return err
		}
	}
	for _, name := range ControllerListenerNames.Get(f) {
		if err := asks("controller.listener.names", name); err != nil {
			return err
		}
	}
	if name := AuthorizerClassName.Get(f); name != "" {
		return invalid("authorizer.class.name is set to " + name + ", but Dohle has no authorizer yet. It does not start rather than allow everything: " +
			"take the key out where everybody may do everything.")
	}
	if providers := ConfigProviders.Get(f); len(providers) > 0 {
		for _, name := range slices.Sorted(maps.Keys(f.values)) {
			if strings.Contains(f.values[name], "${") {
				return invalid("config.providers is set and " + name + " refers to a provider, but Dohle has none yet: " +
					"put the value itself there, or into the environment as " + variableName(name) + ".")
			}
		}
	}
	return nil
}
