package metadata

import (
	"fmt"
	"iter"

	"github.com/dohle-io/dohle/internal/pmap"
	"github.com/dohle-io/dohle/protocol"
)

// An ACL is one access control entry. The numbers are Kafka's (ResourceType, PatternType, AclOperation,
// AclPermissionType).
type ACL struct {
	ID             protocol.UUID
	ResourceType   int8
	ResourceName   string
	PatternType    int8
	Principal      string // "User:alice"
	Host           string // "*" is every host
	Operation      int8
	PermissionType int8
}

// ACLsImage is the set of access control entries by id.
type ACLsImage struct {
	byID pmap.Map[protocol.UUID, ACL]
}

// Len is the number of entries.
func (a ACLsImage) Len() int { return a.byID.Len() }

// Get finds an entry.
func (a ACLsImage) Get(id protocol.UUID) (ACL, bool) { return a.byID.Get(id) }

// All yields the entries in order of id.
func (a ACLsImage) All() iter.Seq[ACL] {
	return func(yield func(ACL) bool) {
		for _, id := range sorted(a.byID, compareUUIDs) {
			acl, _ := a.byID.Get(id)
			if !yield(acl) {
				return
			}
		}
	}
}

// ACLsDelta collects changes to access control entries.
type ACLsDelta struct {
	byID changes[protocol.UUID, ACL]
}

// Changed are the ids of touched entries.
func (d *ACLsDelta) Changed() []protocol.UUID { return d.byID.keys(compareUUIDs) }

// Empty reports whether no entry was touched.
func (d *ACLsDelta) Empty() bool { return len(d.byID.touched) == 0 }

func (d *ACLsDelta) set(r *AccessControlEntryRecord) {
	d.byID.set(r.Id, ACL{ID: r.Id, ResourceType: r.ResourceType, ResourceName: r.ResourceName, PatternType: r.PatternType,
		Principal: r.Principal, Host: r.Host, Operation: r.Operation, PermissionType: r.PermissionType})
}

func (d *ACLsDelta) remove(r *RemoveAccessControlEntryRecord) error {
	if _, ok := d.byID.get(r.Id); !ok {
		return fmt.Errorf("no access control entry %s", r.Id)
	}
	d.byID.delete(r.Id)
	return nil
}

func (a ACLsImage) records(yield func(Record) bool) bool {
	for acl := range a.All() {
		if !yield(&AccessControlEntryRecord{Id: acl.ID, ResourceType: acl.ResourceType, ResourceName: acl.ResourceName,
			PatternType: acl.PatternType, Principal: acl.Principal, Host: acl.Host, Operation: acl.Operation,
			PermissionType: acl.PermissionType}) {
			return false
		}
	}
	return true
}
