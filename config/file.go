package config

// File is the static configuration of a node: what the properties file, the environment and the overrides say, over the defaults.
// Immutable once made.
type File struct {
	values map[string]string // as written, trimmed by nobody
	roles  Roles
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

// Warning is one sentence about the configuration for the log at start.
type Warning struct {
	Key     string // may be empty
	Message string
}

// Load reads server.properties at path ("" = none), then the KAFKA_* variables of environ ("NAME=value" entries), then
// overrides ("key=value" entries); later layers win. The result is validated with Kafka's rules.
// strict turns unknown keys into an error.
func Load(path string, overrides []string, environ []string, strict bool) (*File, []Warning, error) {
	return load(path, overrides, environ, strict)
}

// NewStatic makes a File of key-value pairs, validated as Load does.
func NewStatic(values map[string]string) (*File, error) {
	f, _, err := build(values, false)
	return f, err
}
