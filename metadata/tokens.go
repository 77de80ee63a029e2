package metadata

import (
	"iter"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/internal/pmap"
)

// A Token is a delegation token (KIP-48) without its secret, which every node derives from the configured key.
// Principals are "User:alice"; times are milliseconds since 1970. Immutable.
type Token struct {
	ID         string
	Owner      string
	Requester  string
	Renewers   []string
	Issued     int64
	Max        int64
	Expiration int64
}

// Equal compares everything.
func (t *Token) Equal(o *Token) bool {
	return t.ID == o.ID && t.Owner == o.Owner && t.Requester == o.Requester && slices.Equal(t.Renewers, o.Renewers) &&
		t.Issued == o.Issued && t.Max == o.Max && t.Expiration == o.Expiration
}

// TokensImage is the set of delegation tokens.
type TokensImage struct {
	byID pmap.Map[string, *Token]
}

// Len is the number of tokens.
func (t TokensImage) Len() int { return t.byID.Len() }

// Get finds a token, or nil.
func (t TokensImage) Get(id string) *Token {
	token, _ := t.byID.Get(id)
	return token
}

// All yields the tokens in order of id.
func (t TokensImage) All() iter.Seq[*Token] {
	return func(yield func(*Token) bool) {
		for _, id := range sorted(t.byID, strings.Compare) {
			if !yield(t.Get(id)) {
				return
			}
		}
	}
}

// TokensDelta collects changes to tokens.
type TokensDelta struct {
	byID changes[string, *Token]
}

// Changed are the ids of touched tokens.
func (d *TokensDelta) Changed() []string { return d.byID.keys(strings.Compare) }

func (d *TokensDelta) set(r *DelegationTokenRecord) {
	d.byID.set(r.TokenId, &Token{ID: r.TokenId, Owner: r.Owner, Requester: r.Requester, Renewers: r.Renewers,
		Issued: r.IssueTimestamp, Max: r.MaxTimestamp, Expiration: r.ExpirationTimestamp})
}

// remove of an unknown token is no error: Kafka expires tokens without looking twice.
func (d *TokensDelta) remove(r *RemoveDelegationTokenRecord) { d.byID.delete(r.TokenId) }

func (t TokensImage) records(level Level, yield func(Record) bool) bool {
	if !level.DelegationTokensSupported() {
		return true
	}
	for token := range t.All() {
		if !yield(&DelegationTokenRecord{Owner: token.Owner, Requester: token.Requester, Renewers: token.Renewers,
			IssueTimestamp: token.Issued, MaxTimestamp: token.Max, ExpirationTimestamp: token.Expiration, TokenId: token.ID}) {
			return false
		}
	}
	return true
}
