package config

// Keys of our own. Apache Kafka does not have them: each is a row in docs/divergence.md, each can be turned off, and
// DescribeConfigs lists one only when it is asked for by name or set.

// ownRows are declared here, sorted by name; everything else about them is derived as for Kafka's keys.
var ownRows = []Row{
	{Name: "dohle.group.consumer.unsettled.heartbeat.ms", Ident: "DohleGroupConsumerUnsettledHeartbeatMs", Type: Int, Default: "200", Internal: true, Mode: ClusterWide, Check: CheckRange, Min: "0"},
}

var (
	// DohleGroupConsumerUnsettledHeartbeatMs is the shortest heartbeat interval that members of a consumer group are told
	// while the group is not settled, and for 10 s after: 4 ms for each member, within this and the group's usual interval.
	// 0 = always the usual one, as Kafka.
	DohleGroupConsumerUnsettledHeartbeatMs = durKey(&ownRows[0])
)

// ownEffects says what our keys do, by name.
var ownEffects = map[string]string{
	"dohle.group.consumer.unsettled.heartbeat.ms": "Shortest heartbeat interval of consumer group members while the group is not settled; 0 leaves it at the usual interval.",
}

// OwnRows is the table of our own keys. Read only.
func OwnRows() []Row { return ownRows }
