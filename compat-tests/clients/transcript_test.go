package clients

import "fmt"

// A step is one line that a program prints: its name, a colon and what must follow.
type step struct{ name, line string }

// transcript is what every client prints, in this order.
func transcript() []step {
	list := []step{
		{"connect", "1 broker"},
		{"describe-cluster", "brokers 1, controller 1"},
		{"create-topic", "created"},
		{"describe-topic", "5 partitions, leader 1, replicas [1], isr [1]"},
		{"describe-config", "retention.ms=-1"},
		{"alter-config", "max.message.bytes=500000"},
	}
	digests := []struct{ codec, sum string }{{"none", "d1f2a46c"}, {"gzip", "cc6961f8"}, {"snappy", "111596bb"}, {"lz4", "3aa1f061"}, {"zstd", "295feeb2"}}
	for _, d := range digests {
		list = append(list, step{"produce-" + d.codec, "20 records at 0..19"})
	}
	list = append(list, step{"list-topics", "in the list"})
	for _, d := range digests {
		// SHA-256 over the lines "offset TAB key TAB value TAB codec=header" of the 20 records: its first four bytes.
		list = append(list, step{"consume-" + d.codec, fmt.Sprintf("20 records, sha256 %s", d.sum)})
	}
	return append(list,
		step{"timestamp", "offset 10, key k10"},
		step{"group", "resumed exactly"},
		step{"group-consumer", "resumed exactly"},
		step{"restart", "5 records written, read at 20..24"},
		step{"delete-records", "partition 0 starts at 5"},
		step{"create-partitions", "6 partitions"},
		step{"delete-topic", "gone"},
	)
}
