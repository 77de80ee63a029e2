package quorum

// Membership is what control records said at one offset of the log: the voter set, the kraft.version, or both.
type Membership struct {
	Offset       int64 // of the record; of the last contained record when it stood in a snapshot (-1 for 0-0)
	Voters       VoterSet
	HasVoters    bool
	KRaftVersion int16
	HasVersion   bool
}

// voterHistory remembers every membership record still in log or snapshot. The newest counts, committed or not; a cut
// of the log takes it back (rule 7).
type voterHistory struct {
	static  VoterSet // controller.quorum.voters; counts until the first Voters record
	entries []Membership
	changes int // counts every change of entries
}

func (h *voterHistory) add(m Membership) {
	if m.HasVoters || m.HasVersion {
		h.entries = append(h.entries, m)
		h.changes++
	}
}

func (h *voterHistory) reset() {
	h.entries = nil
	h.changes++
}

// truncateTo drops what stood at or above the new log end.
func (h *voterHistory) truncateTo(end int64) {
	for len(h.entries) > 0 && h.entries[len(h.entries)-1].Offset >= end {
		h.entries = h.entries[:len(h.entries)-1]
		h.changes++
	}
}

// voters is the newest set and the offset of its record; ok is false when it is the static one.
func (h *voterHistory) voters() (set VoterSet, offset int64, ok bool) {
	return h.votersAt(maxOffset)
}

const maxOffset = int64(1<<63 - 1)

// votersAt is the newest set at or below offset.
func (h *voterHistory) votersAt(offset int64) (set VoterSet, at int64, ok bool) {
	for i := len(h.entries) - 1; i >= 0; i-- {
		if e := h.entries[i]; e.HasVoters && e.Offset <= offset {
			return e.Voters, e.Offset, true
		}
	}
	return h.static, -1, false
}

// versionAt is the kraft.version at or below offset, 0 when never set.
func (h *voterHistory) versionAt(offset int64) int16 {
	for i := len(h.entries) - 1; i >= 0; i-- {
		if e := h.entries[i]; e.HasVersion && e.Offset <= offset {
			return e.KRaftVersion
		}
	}
	return 0
}

func (h *voterHistory) version() int16 { return h.versionAt(maxOffset) }
