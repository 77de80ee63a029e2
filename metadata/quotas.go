package metadata

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/pmap"
)

// A QuotaName is one part of a quota's entity. Absent parts do not take part in matching; Default is the entity that
// Kafka writes with a null name.
type QuotaName struct {
	Present bool
	Default bool
	Name    string
}

func (n QuotaName) compare(o QuotaName) int {
	rank := func(n QuotaName) int {
		switch {
		case !n.Present:
			return 0
		case n.Default:
			return 1
		}
		return 2
	}
	return cmp.Or(rank(n)-rank(o), strings.Compare(n.Name, o.Name))
}

// Types of a quota entity's parts, Kafka's names.
const (
	QuotaUser     = "user"
	QuotaClientID = "client-id"
	QuotaIP       = "ip"
)

// A QuotaEntity is whom a quota binds: a user, a client id, both, or an address.
type QuotaEntity struct{ User, ClientID, IP QuotaName }

func compareEntities(a, b QuotaEntity) int {
	return cmp.Or(a.User.compare(b.User), a.ClientID.compare(b.ClientID), a.IP.compare(b.IP))
}

// QuotasImage holds client quotas: bytes or connections per second, or percent of a request thread.
type QuotasImage struct {
	byEntity pmap.Map[QuotaEntity, map[string]float64]
}

// Len is the number of entities with a quota.
func (q QuotasImage) Len() int { return q.byEntity.Len() }

// Of returns the quotas of exactly this entity; nil when there are none. The map must not be written to.
func (q QuotasImage) Of(e QuotaEntity) map[string]float64 {
	m, _ := q.byEntity.Get(e)
	return m
}

// All yields the entities in a fixed order.
func (q QuotasImage) All() iter.Seq2[QuotaEntity, map[string]float64] {
	return func(yield func(QuotaEntity, map[string]float64) bool) {
		for _, e := range sorted(q.byEntity, compareEntities) {
			if !yield(e, q.Of(e)) {
				return
			}
		}
	}
}

// QuotasDelta collects changes to quotas.
type QuotasDelta struct {
	byEntity changes[QuotaEntity, map[string]float64]
}

// Changed are the touched entities.
func (d *QuotasDelta) Changed() []QuotaEntity { return d.byEntity.keys(compareEntities) }

func (d *QuotasDelta) set(r *ClientQuotaRecord) error {
	var e QuotaEntity
	for _, part := range r.Entity {
		n := QuotaName{Present: true, Default: part.EntityName == nil}
		if part.EntityName != nil {
			n.Name = *part.EntityName
		}
		switch part.EntityType {
		case QuotaUser:
			e.User = n
		case QuotaClientID:
			e.ClientID = n
		case QuotaIP:
			e.IP = n
		default:
			return fmt.Errorf("unknown type of quota entity %q", part.EntityType)
		}
	}
	m, ok := d.byEntity.get(e)
	if r.Remove && !ok {
		return nil
	}
	m = maps.Clone(m)
	if m == nil {
		m = map[string]float64{}
	}
	if r.Remove {
		delete(m, r.Key)
	} else {
		m[r.Key] = r.Value
	}
	if len(m) == 0 {
		d.byEntity.delete(e)
	} else {
		d.byEntity.set(e, m)
	}
	return nil
}

func (q QuotasImage) records(yield func(Record) bool) bool {
	for e, m := range q.All() {
		var parts []ClientQuotaRecordEntityData
		for _, p := range []struct {
			typ  string
			name QuotaName
		}{{QuotaUser, e.User}, {QuotaClientID, e.ClientID}, {QuotaIP, e.IP}} {
			if !p.name.Present {
				continue
			}
			part := ClientQuotaRecordEntityData{EntityType: p.typ}
			if !p.name.Default {
				name := p.name.Name
				part.EntityName = &name
			}
			parts = append(parts, part)
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(&ClientQuotaRecord{Entity: parts, Key: key, Value: m[key]}) {
				return false
			}
		}
	}
	return true
}
