package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Clone is the disk as a killed process leaves it: everything written is there. Locks are free again.
func (m *Mem) Clone() *Mem {
	return m.clone(func(d *memData) *memData {
		d.mu.Lock()
		defer d.mu.Unlock()
		return &memData{now: d.now.share(), durable: d.durable.share(), pending: slices.Clone(d.pending)}
	}, nil)
}

// CrashClone is the disk as a power cut leaves it. Bytes that were synced and entries whose directory was synced are
// there. Of the rest a random part is: of each directory some first changes, of each file some of its writes, each
// whole, not at all, or torn; a lost write before a kept one reads as zeros or as the bytes before it.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	return m.clone(func(d *memData) *memData {
		d.mu.Lock()
		defer d.mu.Unlock()
		im := d.durable.share()
		mood := rng.IntN(4) // per file: keep most, keep some, keep little, keep none
		for _, c := range d.pending {
			if mood == 3 || rng.IntN(4) < mood {
				continue
			}
			if c.length < 0 {
				im.truncate(c.off)
				continue
			}
			n := c.length
			if rng.IntN(3) == 0 { // torn
				n = rng.Int64N(n + 1)
				if rng.IntN(2) == 0 {
					n &^= 511
				}
			}
			buf := make([]byte, n)
			got := d.now.readAt(buf, c.off)
			im.write(buf[:got], c.off)
		}
		return &memData{now: im.share(), durable: im}
	}, rng)
}

// clone copies the tree; file makes the copy of a file's bytes. With rng, directories lose changes too.
func (m *Mem) clone(file func(*memData) *memData, rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[*memNode]*memNode{} // a node can stand in the seen and in the durable entries
	var copyNode func(n *memNode) *memNode
	copyEntries := func(entries map[string]*memNode) map[string]*memNode {
		out := make(map[string]*memNode, len(entries))
		for _, name := range slices.Sorted(maps.Keys(entries)) { // the order of draws must not depend on the map
			out[name] = copyNode(entries[name])
		}
		return out
	}
	copyNode = func(n *memNode) *memNode {
		if c := seen[n]; c != nil {
			return c
		}
		c := &memNode{}
		seen[n] = c
		if n.file != nil {
			c.file = file(n.file)
			return c
		}
		if rng == nil {
			c.entries, c.durable = copyEntries(n.entries), copyEntries(n.durable)
			for _, p := range n.pending {
				if p.node != nil {
					p.node = copyNode(p.node)
				}
				c.pending = append(c.pending, p)
			}
			return c
		}
		left := maps.Clone(n.durable)
		for _, p := range n.pending[:rng.IntN(len(n.pending)+1)] {
			if p.oldName != "" {
				delete(left, p.oldName)
			}
			if p.node == nil {
				delete(left, p.name)
			} else {
				left[p.name] = p.node
			}
		}
		c.entries = copyEntries(left)
		c.durable = maps.Clone(c.entries)
		return c
	}
	return &Mem{capacity: m.capacity, root: copyNode(m.root), locks: map[string]bool{}}
}
