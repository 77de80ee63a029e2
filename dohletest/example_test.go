package dohletest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dohle-io/dohle/dohletest"
)

func ExampleStart() {
	_ = func(t *testing.T) { // func TestOrders(t *testing.T)
		b := dohletest.Start(t, dohletest.Topic("orders", 3))

		client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		err = client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("tea")}).FirstErr()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A broker, a client and a day in a bubble.
func ExampleNet() {
	_ = func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := dohletest.Start(t, dohletest.Net(dohletest.NewNetwork()), dohletest.Topic("orders", 1, "retention.ms", "3600000"))
			client, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()), kgo.Dialer(b.Dial))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			client.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("tea")})
			time.Sleep(24 * time.Hour) // real time: seconds at most. The record is gone.
		})
	}
}

// A broker whose time a test moves, and whose sockets are real: for clients that cannot live in a bubble.
func ExampleMovableTime() {
	_ = func(t *testing.T) {
		b := dohletest.Start(t, dohletest.MovableTime(), dohletest.Topic("orders", 1))
		b.Advance(8 * 24 * time.Hour) // retention, rolls and expiry that fell due start now
	}
}

// A directory on disk outlives the broker: stop one, start another, find the data again.
func ExampleDir() {
	_ = func(t *testing.T) {
		dir := t.TempDir()
		dohletest.Start(t, dohletest.Dir(dir), dohletest.Topic("orders", 1)).Stop()
		again := dohletest.Start(t, dohletest.Dir(dir))
		t.Log(again.ClusterID())
	}
}

// Two members of a group; one falls silent, and the other reads on.
func ExampleBroker_WaitGroupStable() {
	_ = func(t *testing.T) {
		b := dohletest.Start(t, dohletest.Topic("orders", 4))
		for range 2 {
			member, err := kgo.NewClient(kgo.SeedBrokers(b.Bootstrap()), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("orders"))
			if err != nil {
				t.Fatal(err)
			}
			defer member.Close()
		}
		b.WaitGroupStable("readers", 2) // both have two partitions each
		silent := b.Group("readers").Members[0]
		b.ExpireMembers("readers", silent)
		b.WaitGroupStable("readers", 2) // the group has gone on, and who was silent is back
	}
}
