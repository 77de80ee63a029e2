package quorum

import (
	"fmt"

	"github.com/dohle-io/dohle/protocol/record"
)

// maxControlBytes bounds a decompressed control batch; Kafka never compresses one.
const maxControlBytes = MaxBatchBytes

// epochBatch is the first batch of an epoch (rule 4): LeaderChange and, when the voter set stands only in
// 0-0.checkpoint or this node's listeners changed, KRaftVersion and Voters with it.
func (c *Core) epochBatch(l *leader) record.Batch {
	if c.bugs.has(bugNoLeaderChange) {
		return nil
	}
	now := c.now.UnixMilli()
	w := controlBatch(c.log.End, c.state.Epoch)
	m := record.NewLeaderChangeMessage()
	m.LeaderId = c.cfg.Self.ID
	for _, id := range c.voters().ids() {
		m.Voters = append(m.Voters, record.LeaderChangeMessageVoter{VoterId: id})
	}
	for _, id := range l.granting {
		m.GrantingVoters = append(m.GrantingVoters, record.LeaderChangeMessageVoter{VoterId: id})
	}
	w.AddControl(now, record.ControlLeaderChange, m.AppendTo(nil, 0))
	if version := c.history.version(); version > 0 && !c.bugs.has(bugVotersStayInFile) {
		set, at, _ := c.history.voters()
		mine, _ := set.byID(c.cfg.Self.ID)
		if at == -1 || !sameVoter(mine, c.self()) {
			addMembership(w, now, version, set.with(c.self()), true)
		}
	}
	return mustBuild(w)
}

// addMembership writes KRaftVersion and, with one, Voters.
func addMembership(w *record.Builder, now int64, version int16, set VoterSet, voters bool) {
	k := record.NewKRaftVersionRecord()
	k.KRaftVersion = version
	w.AddControl(now, record.ControlKRaftVersion, k.AppendTo(nil, 0))
	if voters {
		w.AddControl(now, record.ControlVoters, set.record().AppendTo(nil, 0))
	}
}

func controlBatch(base int64, epoch int32) *record.Builder {
	o := record.NewOptions()
	o.BaseOffset, o.LeaderEpoch, o.Control = base, epoch, true
	return record.NewBuilder(o)
}

// mustBuild finishes a batch that is not compressed; nothing can fail.
func mustBuild(w *record.Builder) record.Batch {
	b, err := w.Build()
	if err != nil {
		panic(fmt.Sprintf("quorum: building a batch: %v", err))
	}
	return b
}

// membershipIn reads the KRaftVersion and Voters records of a control batch, each at its own offset.
func membershipIn(b record.Batch) ([]Membership, error) {
	var ms []Membership
	for r, err := range b.Records(nil, maxControlBytes) {
		if err != nil {
			return nil, err
		}
		m := Membership{Offset: r.Offset}
		if err := m.read(r); err != nil {
			return nil, fmt.Errorf("control record at %d: %w", r.Offset, err)
		}
		if m.HasVersion || m.HasVoters {
			ms = append(ms, m)
		}
	}
	return ms, nil
}

func (m *Membership) read(r record.Record) error {
	t, err := record.ParseControlKey(r.Key)
	if err != nil {
		return err
	}
	switch t {
	case record.ControlKRaftVersion:
		k := record.NewKRaftVersionRecord()
		if err := k.ReadFrom(r.Value, 0); err != nil {
			return err
		}
		if k.KRaftVersion < minKRaftVersion || k.KRaftVersion > maxKRaftVersion {
			return fmt.Errorf("kraft.version %d is not among the %d to %d that this node knows", k.KRaftVersion, minKRaftVersion, maxKRaftVersion)
		}
		m.KRaftVersion, m.HasVersion = k.KRaftVersion, true
	case record.ControlVoters:
		v := record.NewVotersRecord()
		if err := v.ReadFrom(r.Value, 0); err != nil {
			return err
		}
		m.Voters, m.HasVoters = votersOf(v), true
	}
	return nil
}
