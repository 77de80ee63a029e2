package metadata

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/protocol"
)

// A Controller is a registered controller (KIP-919): where it listens and which features it supports. Registration is
// not membership; voters are the quorum's business. Immutable.
type Controller struct {
	ID               int32
	IncarnationID    protocol.UUID
	ZkMigrationReady bool
	Endpoints        []Endpoint
	Features         map[string]VersionRange
}

// Equal compares everything.
func (c *Controller) Equal(o *Controller) bool {
	return c.ID == o.ID && c.IncarnationID == o.IncarnationID && c.ZkMigrationReady == o.ZkMigrationReady &&
		slices.Equal(c.Endpoints, o.Endpoints) && maps.Equal(c.Features, o.Features)
}

// ControllersImage is the set of registered controllers.
type ControllersImage struct {
	byID pmap.Map[int32, *Controller]
}

// Len is the number of registered controllers.
func (c ControllersImage) Len() int { return c.byID.Len() }

// Get finds a controller, or nil.
func (c ControllersImage) Get(id int32) *Controller {
	controller, _ := c.byID.Get(id)
	return controller
}

// All yields the controllers by id, ascending.
func (c ControllersImage) All() iter.Seq[*Controller] {
	return func(yield func(*Controller) bool) {
		for _, id := range sorted(c.byID, cmp.Compare) {
			if !yield(c.Get(id)) {
				return
			}
		}
	}
}

// ControllersDelta collects changes to controllers.
type ControllersDelta struct{ byID changes[int32, *Controller] }

// Changed are the ids of touched controllers, ascending.
func (d *ControllersDelta) Changed() []int32 { return d.byID.keys(cmp.Compare) }

func (d *ControllersDelta) register(r *RegisterControllerRecord) {
	c := &Controller{ID: r.ControllerId, IncarnationID: r.IncarnationId, ZkMigrationReady: r.ZkMigrationReady,
		Features: make(map[string]VersionRange, len(r.Features))}
	for _, e := range r.EndPoints {
		c.Endpoints = append(c.Endpoints, Endpoint{e.Name, e.Host, e.Port, e.SecurityProtocol})
	}
	for _, f := range r.Features {
		c.Features[f.Name] = VersionRange{f.MinSupportedVersion, f.MaxSupportedVersion}
	}
	d.byID.set(c.ID, c)
}

func (d *ControllersDelta) unregister(r *UnregisterControllerRecord) { d.byID.delete(r.ControllerId) }

func (c ControllersImage) records(level Level, yield func(Record) bool) bool {
	if !level.ControllerRegistrationSupported() {
		return true
	}
	for controller := range c.All() {
		r := &RegisterControllerRecord{ControllerId: controller.ID, IncarnationId: controller.IncarnationID,
			ZkMigrationReady: controller.ZkMigrationReady}
		for _, e := range controller.Endpoints {
			r.EndPoints = append(r.EndPoints, RegisterControllerRecordControllerEndpoint{Name: e.Name, Host: e.Host, Port: e.Port, SecurityProtocol: e.SecurityProtocol})
		}
		for _, name := range slices.Sorted(maps.Keys(controller.Features)) {
			v := controller.Features[name]
			r.Features = append(r.Features, RegisterControllerRecordControllerFeature{Name: name, MinSupportedVersion: v.Min, MaxSupportedVersion: v.Max})
		}
		if !yield(r) {
			return false
		}
	}
	return true
}
