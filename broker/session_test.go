package broker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/protocol"
)

func controllerAddr(n *node) string { return n.b.Ready().Listeners["CONTROLLER"][0] }

// A broker that its controller does not hear for a session is fenced, also where both are one process, and gets back
// in by itself, with the epoch that it had.
func TestASilentBrokerIsFencedAndComesBack(t *testing.T) {
	for name, harm := range map[string]func(*memnet.Network, string){"silence": (*memnet.Network).Hold, "refusal": (*memnet.Network).Cut} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := memnet.New()
				n, err := start(t, net, vfs.NewMem(), nil)
				require.NoError(t, err)
				id, err := n.createTopic("t", 1)
				require.NoError(t, err)
				epoch := n.b.Image().Brokers.Get(1).Epoch
				harm(net, controllerAddr(n))
				time.Sleep(30 * time.Second)
				require.True(t, n.b.Image().Brokers.Get(1).Fenced)
				net.Heal(controllerAddr(n))
				time.Sleep(10 * time.Second)
				require.False(t, n.b.Image().Brokers.Get(1).Fenced)
				require.Equal(t, epoch, n.b.Image().Brokers.Get(1).Epoch)
				_, err = n.produce("t", id, 0, -1, -1, -1, []string{"x"})
				require.NoError(t, err)
				require.NoError(t, n.stop())
			})
		})
	}
}

// The wait for the controller to let go is bounded; the logs are closed cleanly all the same.
func TestAStopWithoutAControllerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, mem := memnet.New(), vfs.NewMem()
		n, err := start(t, net, mem, nil)
		require.NoError(t, err)
		id, err := n.createTopic("t", 1)
		require.NoError(t, err)
		_, err = n.produce("t", id, 0, 1, -1, -1, []string{"x"})
		require.NoError(t, err)
		net.Hold(controllerAddr(n))
		began := time.Now()
		require.NoError(t, n.stop())
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
		_, err = mem.Stat("/data/.kafka_cleanshutdown")
		require.NoError(t, err)
		n, err = start(t, memnet.New(), mem, nil)
		require.NoError(t, err)
		log, ok := n.b.Store().Log(protocol.TopicPartition{Topic: "t"})
		require.True(t, ok)
		require.EqualValues(t, 1, log.LogEndOffset())
		require.NoError(t, n.stop())
	})
}

// A registration under our id by another process is refused while we live, and a cluster that is not ours always.
func TestStrangersAreNotRegistered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := start(t, memnet.New(), vfs.NewMem(), nil)
		require.NoError(t, err)
		self := n.b.Image().Brokers.Get(1)
		register := func(change func(*kmsg.BrokerRegistrationRequest)) error {
			req := kmsg.NewPtrBrokerRegistrationRequest()
			req.BrokerID, req.ClusterID, req.IncarnationID, req.LogDirs = 1, n.b.Ready().ClusterID, [16]byte{7}, nil
			for _, d := range self.LogDirs {
				req.LogDirs = append(req.LogDirs, d)
			}
			for name, f := range self.Features {
				req.Features = append(req.Features, kmsg.BrokerRegistrationRequestFeature{Name: name, MinSupportedVersion: f.Min, MaxSupportedVersion: f.Max})
			}
			l := kmsg.NewBrokerRegistrationRequestListener()
			l.Name, l.Host, l.Port = "PLAINTEXT", "127.0.0.1", 1
			req.Listeners = append(req.Listeners, l)
			change(req)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			resp, err := n.client.Send(ctx, controllerAddr(n), req)
			require.NoError(t, err)
			return kerr.ErrorForCode(resp.(*kmsg.BrokerRegistrationResponse).ErrorCode)
		}
		require.ErrorIs(t, register(func(*kmsg.BrokerRegistrationRequest) {}), kerr.DuplicateBrokerRegistration)
		require.ErrorIs(t, register(func(r *kmsg.BrokerRegistrationRequest) { r.ClusterID = "another" }), kerr.InconsistentClusterID)
		time.Sleep(time.Minute)
		require.Equal(t, self.Epoch, n.b.Image().Brokers.Get(1).Epoch)
		require.NoError(t, n.stop())
	})
}
