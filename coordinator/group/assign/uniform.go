package assign

import "slices"

// Uniform gives every member as many partitions as every other, give or take one, and leaves partitions where they are as
// far as that allows. With mixed subscriptions it comes as near to that as subscriptions let it.
func Uniform(s Spec) ([]Assignment, error) {
	if len(s.Members) == 0 {
		return nil, nil
	}
	if s.Mixed {
		return mixed(s)
	}
	return uniform(s)
}

// uniform serves a group with equal subscriptions. Of P partitions and M members, each has a quota of P/M, and P%M of them
// one more. Whoever has more than its quota gives up its last partitions. The extra ones go to the first members, by member
// id, that have them already; to the last members when there are not enough such. Then those below their quota are filled
// up, with what nobody had first and what was given up after it.
func uniform(s Spec) ([]Assignment, error) {
	out := make([]Assignment, len(s.Members))
	topics := distinct(s.Members[0].Topics)
	if len(topics) == 0 {
		return out, nil
	}
	t, err := newTable(topics, s.Partitions)
	if err != nil {
		return nil, err
	}
	order := s.members(byID)

	had := make([][]int32, len(order))        // numbers of partitions, by place in order
	whole := make([]bool, len(order))         // nothing of the current assignment is gone
	current := make([]Assignment, len(order)) // in normal form
	for place, i := range order {
		current[place] = normal(s.Members[i].Current)
		had[place], whole[place] = t.take(int32(place), current[place], func(int32) bool { return true })
	}
	free := make([]int32, 0, len(t.owner))
	for n, owner := range t.owner {
		if owner == nobody {
			free = append(free, int32(n))
		}
	}

	quota, extra := len(t.owner)/len(order), len(t.owner)%len(order)
	wants := make([]int, len(order)) // how many partitions a member is short of its quota
	for place := range order {
		mine, bonus := quota, extra > 0
		if bonus {
			mine++
		}
		if len(had[place]) > mine {
			free = append(free, had[place][mine:]...)
			had[place], whole[place] = had[place][:mine:mine], false
		}
		mine -= len(had[place])
		if mine > 0 && bonus && len(order)-place > extra {
			mine-- // somebody after this one may have the extra partition already
			bonus = false
		}
		wants[place] = mine
		if bonus {
			extra--
		}
	}

	for place, i := range order {
		if n := min(wants[place], len(free)); n > 0 {
			had[place] = append(had[place], free[:n]...)
			slices.Sort(had[place])
			free, whole[place] = free[n:], false
		}
		if whole[place] {
			out[i] = current[place]
		} else {
			out[i] = t.assignment(had[place])
		}
	}
	return out, nil
}
