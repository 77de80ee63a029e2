// Package assign is the server side assignors of consumer groups (KIP-848): who of a group reads which partition.
//
//	uniform  every member gets as many partitions as every other, give or take one, and keeps what it had. Two methods:
//	         uniform.go when all members subscribe to the same topics, mixed.go with balancer.go when they do not
//	range    each topic on its own is cut into ranges of neighbouring partitions, in the order of the members, so that
//	         topics with equally many partitions go together; it does not look at what members had
//
// Who calls it: coordinator/group, when a group's epoch has moved and a new target assignment is due.
//
// Invariants. Each partition of a subscribed topic that has a subscriber is given to exactly one of its subscribers. The
// result depends on the Spec alone, not on the order in which it lists members or topics, nor on the order of a map. What
// the Spec holds is not changed; the result may share memory with it.
//
// The outcome is that of Apache Kafka 4.4.0 for the same input, where Kafka walks its own hash maps in the order that we
// walk ours: members by member id, topics by id. Kafka's order of members is that of a Java HashMap and means nothing; so
// does its order of topics in the uniform assignor of equal subscriptions. Racks decide nothing: members and partitions
// have them in the protocol and in Kafka's interfaces, but no assignor of Kafka 4.x looks at them.
//
// Pure: no state, goroutines or locks. It does not know groups, epochs or who owns a partition at the moment.
//
// KIPs: 848; 345 (static members keep their range).
package assign
