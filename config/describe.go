package config

// Layers are the parts of a broker's configuration, for DescribeConfigs, which names them one by one.
type Layers struct {
	Static  *File
	Default map[string]string // CONFIG records of the empty broker name
	Broker  map[string]string // CONFIG records of this broker's id
}

// View is the configuration that the layers amount to.
func (l Layers) View() View { return BrokerView(l.Static, l.Default, l.Broker) }

// Entry is one line of a DescribeConfigs answer.
type Entry struct {
	Name      string
	Value     *string // nil for null and for sensitive values
	Source    Source
	ReadOnly  bool
	Sensitive bool
	Type      Type
	Doc       string // what the key does here, in our words; "" = nothing to say
	Synonyms  []EntrySynonym
}

// EntrySynonym is one of the places that a value could come from, the winning one first.
type EntrySynonym struct {
	Name   string
	Value  *string
	Source Source
}
