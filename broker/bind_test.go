package broker

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/dohle-io/dohle/broker/api"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/memnet"
	"github.com/dohle-io/dohle/internal/vfs"
	"github.com/dohle-io/dohle/metadata"
)

// load reads a configuration as LoadFrom gives it to a node.
func load(t *testing.T, set map[string]string) *config.File {
	t.Helper()
	file, _, err := config.LoadFrom(config.Sources{Base: set, FS: vfs.NewMem()})
	require.NoError(t, err)
	return file
}

func combined(listeners, advertised string) map[string]string {
	set := map[string]string{"process.roles": "broker,controller", "node.id": "1", "log.dirs": "/d", "listeners": listeners,
		"controller.listener.names": "CONTROLLER", "controller.quorum.bootstrap.servers": "127.0.0.1:0",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SECOND:PLAINTEXT,CONTROLLER:PLAINTEXT"}
	if advertised != "" {
		set["advertised.listeners"] = advertised
	}
	return set
}

func TestAdvertisedAddresses(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	for name, c := range map[string]struct {
		listeners, advertised string
		want                  []string // of clients' listeners
		bootstrap             string
	}{
		"as bound":             {"PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:0", "", []string{"PLAINTEXT 127.0.0.1:9092"}, "127.0.0.1:9092"},
		"a free port":          {"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "", []string{"PLAINTEXT 127.0.0.1:40001"}, "127.0.0.1:40001"},
		"IPv6":                 {"PLAINTEXT://[fd00::1]:9092,CONTROLLER://127.0.0.1:0", "", []string{"PLAINTEXT [fd00::1]:9092"}, "[fd00::1]:9092"},
		"every interface":      {"PLAINTEXT://:9092,CONTROLLER://127.0.0.1:0", "", []string{"PLAINTEXT " + host + ":9092"}, "127.0.0.1:9092"},
		"named":                {"PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:0", "PLAINTEXT://kafka.example:19092", []string{"PLAINTEXT kafka.example:19092"}, "127.0.0.1:9092"},
		"named, port as bound": {"PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0", "PLAINTEXT://kafka.example:0", []string{"PLAINTEXT kafka.example:40001"}, "127.0.0.1:40001"},
		"two": {"PLAINTEXT://127.0.0.1:0,SECOND://127.0.0.2:0,CONTROLLER://127.0.0.1:0", "SECOND://b:7,PLAINTEXT://a:0",
			[]string{"SECOND b:7", "PLAINTEXT a:40001"}, "127.0.0.1:40001"},
		"controller first": {"CONTROLLER://127.0.0.1:7,PLAINTEXT://127.0.0.1:8", "", []string{"PLAINTEXT 127.0.0.1:8"}, "127.0.0.1:8"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &Broker{o: Options{Net: memnet.New()}, cfg: load(t, combined(c.listeners, c.advertised))}
			b.o.defaults()
			b.roles = b.cfg.Roles()
			require.NoError(t, b.bind(nil))
			defer b.bound.close()
			list, err := b.cfg.AdvertisedListeners()
			require.NoError(t, err)
			list, err = b.bound.advertised(list)
			require.NoError(t, err)
			var got []string
			for _, l := range list {
				got = append(got, l.Name+" "+net.JoinHostPort(l.Host, itoa(l.Port)))
			}
			require.Equal(t, c.want, got)
			require.Equal(t, c.bootstrap, b.bound.bootstrap())
		})
	}
}

func itoa(n int) string { return (&net.TCPAddr{Port: n}).String()[1:] }

func TestTheMetaAddressIsNotAdvertised(t *testing.T) {
	const sentence = "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
	_, err := (&bound{}).advertised([]config.Listener{{Name: "PLAINTEXT", Host: "0.0.0.0", Port: 1}})
	require.EqualError(t, err, sentence)
	_, err = (&bound{}).advertised([]config.Listener{{Name: "PLAINTEXT", Host: "::", Port: 1}})
	require.EqualError(t, err, sentence)
	_, _, err = config.LoadFrom(config.Sources{Base: combined("PLAINTEXT://0.0.0.0:0,CONTROLLER://127.0.0.1:0", ""), FS: vfs.NewMem()})
	require.ErrorContains(t, err, sentence)
}

func TestPairsOfKeyAndNumber(t *testing.T) {
	require.Empty(t, splitPairs(""))
	require.Equal(t, [][2]string{{"10.0.0.1", "5"}, {"::1", "7"}}, splitPairs("10.0.0.1:5, ::1:7,nonsense,:3"))
}

// The node's start waits for what its image shows.
func TestWaitingForAnImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		images := api.NewImages()
		has := func(offset int64) func(*metadata.Image) bool {
			return func(img *metadata.Image) bool { return img.Offset >= offset }
		}
		require.NoError(t, waitFor(t.Context(), images, has(-1)))
		done := make(chan error)
		go func() { done <- waitFor(t.Context(), images, has(7)) }()
		for offset := range int64(8) {
			synctest.Wait()
			select {
			case <-done:
				t.Fatalf("image %d is not enough", offset-1)
			default:
			}
			img := *metadata.Empty()
			img.Offset = offset
			images.Publish(&img)
		}
		require.NoError(t, <-done)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- waitFor(ctx, images, has(8)) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
}
