package config
import ("strings";"strconv")
func splitList(s string) []string { return strings.Split(s,",") }
func distinct(l []string) []string { return l }
func javaDouble(s string) (float64, error) { return strconv.ParseFloat(s,64) }
func clampDynamic(v View, name, s string) string { return s }
type groupView struct{ layered }
type Roles struct{ Broker, Controller bool }
func load(path string, overrides []string, environ []string, strict bool) (*File, []Warning, error) { return build(map[string]string{}, strict) }
func build(values map[string]string, strict bool) (*File, []Warning, error) { return &File{values: values}, nil, nil }
type Listener struct { Name, Protocol, Host string; Port int }
func (f *File) Listeners() ([]Listener, error) { return nil, nil }
func (f *File) AdvertisedListeners() ([]Listener, error) { return nil, nil }
func (f *File) ControllerListeners() ([]Listener, error) { return nil, nil }
func (f *File) Roles() Roles { return f.roles }
func (f *File) NodeID() int32 { return NodeID.Get(f) }
func (f *File) LogDirs() []string { return LogDirs.Get(f) }
type Voter struct { ID int32; Host string; Port int }
type HostPort struct { Host string; Port int }
func (f *File) QuorumVoters() []Voter { return nil }
func (f *File) BootstrapServers() []HostPort { return nil }
