package group

import (
	"github.com/dohle-io/dohle/coordinator"
)

// Kind is the type of a group, by the name that ListGroups gives it.
type Kind string

const (
	KindClassic  Kind = "classic"
	KindConsumer Kind = "consumer"
)

// Group is what the coordinator asks of a group of any kind. Errors are *kerr.Error values, nil = allowed.
type Group interface {
	ID() string
	Kind() Kind
	StateName() string    // as Kafka writes it: "Stable", "PreparingRebalance"
	ProtocolType() string // "consumer", "connect"; "" = none

	// Empty says that there is no member.
	Empty() bool

	// SubscribedTo says whether a member reads the topic, so that its offsets neither expire nor may be deleted.
	// It is true for every topic of a group whose subscription is not known.
	SubscribedTo(topic string) bool

	// CheckCommit, CheckFetch and CheckDelete say whether offsets may be committed, read and deleted by the sender.
	CheckCommit(c OffsetSender) error
	CheckFetch(memberID *string, memberEpoch int32) error
	CheckOffsetDelete() error

	// ExpireFrom says from when on an offset's retention counts: ok is false while offsets do not expire at all.
	ExpireFrom(o *offset) (millis int64, ok bool)

	// CheckDelete says whether the group may be deleted; Tombstones are the records that do it, Vanishes whether an empty
	// group without offsets is dropped by the same records.
	CheckDelete() error
	Tombstones() []coordinator.Record
	Vanishes() bool
}

// OffsetSender is who commits offsets: MemberID "" and Generation -1 is a simple consumer.
type OffsetSender struct {
	MemberID      string
	InstanceID    *string
	Generation    int32 // generation of a classic group, member epoch of a consumer group
	Version       int16 // of the request
	Transactional bool
}
