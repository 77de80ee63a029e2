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
// the bubble is the clock of the broker, and an hour passes at once. MovableTime moves broker time (retention,
// expiry, timestamps) without a bubble, while sockets stay real.
//
// Locks and goroutines: none of its own; it starts a broker.Broker and stops it in t.Cleanup.
package dohletest
