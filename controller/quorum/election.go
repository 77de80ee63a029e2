package quorum

// election counts the votes of one round. It was opened with a voter set and keeps to it.
type election struct {
	voters           VoterSet
	granted, refused []int32
}

func (e *election) record(id int32, granted bool) {
	if _, ok := e.voters.byID(id); !ok || contains(e.granted, id) {
		return
	}
	if granted {
		e.granted = append(e.granted, id)
	} else if !contains(e.refused, id) {
		e.refused = append(e.refused, id)
	}
}

func (e *election) majority() int { return len(e.voters)/2 + 1 }

func (e *election) won() bool { return len(e.granted) >= e.majority() }

// rejected: so many refused that the rest is no majority.
func (e *election) rejected() bool { return len(e.voters)-len(e.refused) < e.majority() }

// open says whether that voter has not answered yet.
func (e *election) open(id int32) bool { return !contains(e.granted, id) && !contains(e.refused, id) }

func contains(ids []int32, id int32) bool {
	for _, x := range ids {
		if x == id {
			return true
		}
	}
	return false
}
