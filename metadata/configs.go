package metadata

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/pmap"
)

// Types of config resources, Kafka's numbers.
const (
	ConfigTopic         int8 = 2
	ConfigBroker        int8 = 4
	ConfigBrokerLogger  int8 = 8
	ConfigClientMetrics int8 = 16
	ConfigGroup         int8 = 32
)

// A ConfigResource is what a set of configs belongs to. The name of a broker is its id; "" is the default of all.
type ConfigResource struct {
	Type int8
	Name string
}

func compareResources(a, b ConfigResource) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
}

// ConfigsImage holds the configs that were set by someone; defaults and files are not here.
type ConfigsImage struct {
	byResource pmap.Map[ConfigResource, map[string]string]
}

// Len is the number of resources with at least one config.
func (c ConfigsImage) Len() int { return c.byResource.Len() }

// Of returns the configs of a resource; nil when none is set. The map must not be written to.
func (c ConfigsImage) Of(typ int8, name string) map[string]string {
	m, _ := c.byResource.Get(ConfigResource{typ, name})
	return m
}

// Topic, Broker and Group return configs by kind of resource; the broker "" is the cluster-wide default.
func (c ConfigsImage) Topic(name string) map[string]string { return c.Of(ConfigTopic, name) }
func (c ConfigsImage) Broker(id string) map[string]string  { return c.Of(ConfigBroker, id) }
func (c ConfigsImage) Group(name string) map[string]string { return c.Of(ConfigGroup, name) }

// All yields the resources in order of type and name.
func (c ConfigsImage) All() iter.Seq2[ConfigResource, map[string]string] {
	return func(yield func(ConfigResource, map[string]string) bool) {
		for _, r := range sorted(c.byResource, compareResources) {
			if !yield(r, c.Of(r.Type, r.Name)) {
				return
			}
		}
	}
}

// ConfigsDelta collects changes to configs.
type ConfigsDelta struct {
	byResource changes[ConfigResource, map[string]string]
	own        map[ConfigResource]bool
}

// Changed are the touched resources in order of type and name.
func (d *ConfigsDelta) Changed() []ConfigResource { return d.byResource.keys(compareResources) }

// Empty reports whether no resource was touched.
func (d *ConfigsDelta) Empty() bool { return len(d.byResource.touched) == 0 }

func (d *ConfigsDelta) set(r *ConfigRecord) {
	res := ConfigResource{r.ResourceType, r.ResourceName}
	m, ok := d.byResource.get(res)
	if r.Value == nil && !ok {
		return
	}
	if !d.own[res] {
		if d.own == nil {
			d.own = map[ConfigResource]bool{}
		}
		d.own[res] = true
		m = maps.Clone(m)
	}
	if m == nil {
		m = map[string]string{}
	}
	if r.Value != nil {
		m[r.Name] = *r.Value
	} else {
		delete(m, r.Name)
	}
	if len(m) == 0 {
		d.remove(res)
		return
	}
	d.byResource.set(res, m)
}

func (d *ConfigsDelta) remove(res ConfigResource) {
	if _, ok := d.byResource.get(res); ok {
		d.byResource.delete(res)
	}
	delete(d.own, res)
}

func (c ConfigsImage) records(yield func(Record) bool) bool {
	for res, m := range c.All() {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			value := m[name]
			if !yield(&ConfigRecord{ResourceType: res.Type, ResourceName: res.Name, Name: name, Value: &value}) {
				return false
			}
		}
	}
	return true
}
