// Package dohletest gives a Go test a Kafka broker of its own, ready when Start returns and gone with the test.
//
//	func TestOrders(t *testing.T) {
//		b := dohletest.Start(t, dohletest.Topic("orders", 3))
//		client, _ := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()))
//		…
//	}
//
// It is the same broker as the binary: real segments, a real controller quorum of one, Kafka's own RPCs inside. Its
// disk is in memory unless Dir says otherwise. Several run side by side; nothing is global.
//
// Inside a testing/synctest bubble, give it a Network and let the client dial through Broker.Dial; then the clock of
// the bubble is the clock of the broker, and an hour passes at once. Bubble time costs what the broker does in it,
// about three seconds a day: heartbeats, and a NoOpRecord twice a second. With metadata.max.idle.interval.ms=0 and
// longer heartbeats, eight days take one. MovableTime moves broker time (retention, expiry, timestamps) without a
// bubble, or on top of one, while sockets stay real; what fell due starts at once, and in a bubble synctest.Wait tells
// when it is done.
//
// Consumer groups work as they do anywhere; WaitGroupStable, Group and ExpireMembers are for tests that care when.
//
// A franz-go client that reads zstd in a bubble needs a kgo.WithDecompressor of its own: the decoders of the default
// one are closed by finalizers, which run outside of the bubble, and that ends the process.
//
// A start and a stop take about five milliseconds in memory, so a broker per test is the normal use. The failure of an
// option, such as an invalid value, fails the test with a sentence that names it.
//
// Locks and goroutines: none of its own; it starts a broker.Broker and stops it in t.Cleanup.
package dohletest
