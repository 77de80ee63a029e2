package controller

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/dohle-io/dohle/metadata"
)

type scramMechanism struct {
	name     string
	number   int8
	hash     func() hash.Hash
	size     int
	min, max int
}

var scramMechanisms = []scramMechanism{
	{"SCRAM-SHA-256", metadata.ScramSHA256, sha256.New, sha256.Size, 4096, 16384},
	{"SCRAM-SHA-512", metadata.ScramSHA512, sha512.New, sha512.Size, 4096, 16384},
}

// scramRecords reads --add-scram arguments: SCRAM-SHA-256=[name=alice,password=secret] and
// SCRAM-SHA-512=[name=bob,iterations=8192,salt="…",saltedpassword="…"] (KIP-900).
func scramRecords(args []string, rng *rand.Rand) ([]metadata.Record, error) {
	var records []metadata.Record
	for _, arg := range args {
		r, err := scramRecord(arg, rng)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

func scramRecord(arg string, rng *rand.Rand) (*metadata.UserScramCredentialRecord, error) {
	arg = strings.TrimSpace(arg)
	name, text, ok := strings.Cut(arg, "=")
	if !ok {
		return nil, fmt.Errorf("Failed to find equals sign in SCRAM argument '%s'", arg)
	}
	at := slices.IndexFunc(scramMechanisms, func(m scramMechanism) bool { return m.name == name })
	if at < 0 {
		return nil, fmt.Errorf("The add-scram mechanism %s is not supported.", name)
	}
	if text, ok = strings.CutPrefix(text, "["); !ok {
		return nil, errors.New("Expected configuration string to start with [")
	}
	if text, ok = strings.CutSuffix(text, "]"); !ok {
		return nil, errors.New("Expected configuration string to end with ]")
	}
	parts := map[string]string{}
	for _, part := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("No equals sign found in SCRAM component: %s", part)
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		parts[key] = value
	}
	return scramMechanisms[at].record(parts, rng)
}

func (m scramMechanism) record(parts map[string]string, rng *rand.Rand) (*metadata.UserScramCredentialRecord, error) {
	pop := func(key string) (string, bool) {
		v, ok := parts[key]
		delete(parts, key)
		return v, ok
	}
	r := &metadata.UserScramCredentialRecord{Mechanism: m.number, Iterations: 4096}
	var ok bool
	if r.Name, ok = pop("name"); !ok {
		return nil, errors.New("You must supply 'name' to add-scram")
	}
	var err error
	salt, salted := pop("salt")
	if salted {
		if r.Salt, err = base64.StdEncoding.DecodeString(salt); err != nil {
			return nil, fmt.Errorf("Failed to decode given salt: %s", salt)
		}
	} else {
		r.Salt = randomSalt(rng)
	}
	if text, ok := pop("iterations"); ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("Failed to parse iterations count: %s", text)
		}
		r.Iterations = int32(n)
	}
	password, hasPassword := pop("password")
	hashed, hasHashed := pop("saltedpassword")
	var key []byte
	switch {
	case !hasPassword && !hasHashed:
		return nil, errors.New("You must supply one of 'password' or 'saltedpassword' to add-scram")
	case !hasPassword && !salted:
		return nil, errors.New("You must supply 'salt' with 'saltedpassword' to add-scram")
	case !hasPassword:
		if key, err = base64.StdEncoding.DecodeString(hashed); err != nil {
			return nil, fmt.Errorf("Failed to decode given saltedPassword: %s", hashed)
		}
	case hasHashed:
		parts["saltedpassword"] = hashed // one too many
	}
	if len(parts) > 0 {
		return nil, fmt.Errorf("Unknown SCRAM configurations: %s", strings.Join(slices.Sorted(maps.Keys(parts)), ", "))
	}
	if int(r.Iterations) < m.min {
		return nil, fmt.Errorf("The 'iterations' value must be >= %d for add-scram using %s", m.min, m.name)
	}
	if int(r.Iterations) > m.max {
		return nil, fmt.Errorf("The 'iterations' value must be <= %d for add-scram using %s", m.max, m.name)
	}
	if hasPassword {
		if key, err = pbkdf2.Key(m.hash, password, r.Salt, int(r.Iterations), m.size); err != nil {
			return nil, err
		}
	}
	stored := m.hash()
	stored.Write(m.mac(key, "Client Key"))
	r.StoredKey, r.ServerKey = stored.Sum(nil), m.mac(key, "Server Key")
	return r, nil
}

func (m scramMechanism) mac(key []byte, text string) []byte {
	h := hmac.New(m.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func randomSalt(rng *rand.Rand) []byte {
	salt := make([]byte, 16)
	binary.BigEndian.PutUint64(salt, rng.Uint64())
	binary.BigEndian.PutUint64(salt[8:], rng.Uint64())
	return salt
}
