package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// text prints an image completely and in a fixed order, so that two images are equal when their texts are.
func text(img *Image) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("features %s %v", img.Features.Level, img.Features.Levels)
	for br := range img.Brokers.All() {
		rack := "-"
		if br.Rack != nil {
			rack = *br.Rack
		}
		p("broker %d epoch=%d incarnation=%s rack=%s fenced=%t leaving=%t migrating=%t dirs=%v cordoned=%v(%t) endpoints=%v features=%v",
			br.ID, br.Epoch, br.IncarnationID, rack, br.Fenced, br.InControlledShutdown, br.Migrating, br.LogDirs, br.CordonedLogDirs,
			br.CordonedLogDirs == nil, br.Endpoints, br.Features)
	}
	for c := range img.Controllers.All() {
		p("controller %d incarnation=%s zk=%t endpoints=%v features=%v", c.ID, c.IncarnationID, c.ZkMigrationReady, c.Endpoints, c.Features)
	}
	for _, t := range img.Topics.Sorted() {
		p("topic %s %s", t.Name, t.ID)
		for i, q := range t.Partitions {
			p("  %d replicas=%v dirs=%v isr=%v elr=%v last=%v removing=%v adding=%v leader=%d/%d epoch=%d recovery=%d", i, q.Replicas,
				q.Directories, q.ISR, q.ELR, q.LastKnownELR, q.RemovingReplicas, q.AddingReplicas, q.Leader, q.LeaderEpoch, q.PartitionEpoch, q.LeaderRecoveryState)
		}
	}
	for res, m := range img.Configs.All() {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			p("config %d %q %s=%s", res.Type, res.Name, k, m[k])
		}
	}
	for e, m := range img.Quotas.All() {
		p("quota %+v %v", e, m)
	}
	p("producer ids %+v", img.ProducerIDs)
	for a := range img.ACLs.All() {
		p("acl %+v", a)
	}
	for u, c := range img.Scram.All() {
		p("scram %+v %x %x %x %d", u, c.Salt, c.StoredKey, c.ServerKey, c.Iterations)
	}
	for t := range img.Tokens.All() {
		p("token %+v", *t)
	}
	return b.String()
}
