package metadata

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"strings"

	"github.com/dohle-io/dohle/internal/pmap"
)

// SCRAM mechanisms, Kafka's numbers.
const (
	ScramSHA256 int8 = 1
	ScramSHA512 int8 = 2
)

// A ScramUser is whose credential, for which mechanism.
type ScramUser struct {
	Mechanism int8
	Name      string
}

func compareScramUsers(a, b ScramUser) int {
	return cmp.Or(cmp.Compare(a.Mechanism, b.Mechanism), strings.Compare(a.Name, b.Name))
}

// A ScramCredential is what a server keeps of a password (RFC 5802). Never log it.
type ScramCredential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int32
}

// Equal compares everything.
func (c *ScramCredential) Equal(o *ScramCredential) bool {
	return c.Iterations == o.Iterations && bytes.Equal(c.Salt, o.Salt) && bytes.Equal(c.StoredKey, o.StoredKey) &&
		bytes.Equal(c.ServerKey, o.ServerKey)
}

// ScramImage is the set of SCRAM credentials.
type ScramImage struct {
	byUser pmap.Map[ScramUser, *ScramCredential]
}

// Len is the number of credentials.
func (s ScramImage) Len() int { return s.byUser.Len() }

// Get finds a credential, or nil.
func (s ScramImage) Get(mechanism int8, user string) *ScramCredential {
	c, _ := s.byUser.Get(ScramUser{mechanism, user})
	return c
}

// All yields the credentials in order of mechanism and user.
func (s ScramImage) All() iter.Seq2[ScramUser, *ScramCredential] {
	return func(yield func(ScramUser, *ScramCredential) bool) {
		for _, u := range sorted(s.byUser, compareScramUsers) {
			if !yield(u, s.Get(u.Mechanism, u.Name)) {
				return
			}
		}
	}
}

// ScramDelta collects changes to credentials.
type ScramDelta struct {
	byUser changes[ScramUser, *ScramCredential]
}

// Changed are the touched users.
func (d *ScramDelta) Changed() []ScramUser { return d.byUser.keys(compareScramUsers) }

func (d *ScramDelta) set(r *UserScramCredentialRecord) {
	d.byUser.set(ScramUser{r.Mechanism, r.Name},
		&ScramCredential{Salt: r.Salt, StoredKey: r.StoredKey, ServerKey: r.ServerKey, Iterations: r.Iterations})
}

func (d *ScramDelta) remove(r *RemoveUserScramCredentialRecord) error {
	u := ScramUser{r.Mechanism, r.Name}
	if _, ok := d.byUser.get(u); !ok {
		return fmt.Errorf("no credential of user %q for mechanism %d", r.Name, r.Mechanism)
	}
	d.byUser.delete(u)
	return nil
}

func (s ScramImage) records(level Level, yield func(Record) bool) bool {
	if !level.ScramSupported() {
		return true
	}
	for u, c := range s.All() {
		if !yield(&UserScramCredentialRecord{Name: u.Name, Mechanism: u.Mechanism, Salt: c.Salt, StoredKey: c.StoredKey,
			ServerKey: c.ServerKey, Iterations: c.Iterations}) {
			return false
		}
	}
	return true
}
