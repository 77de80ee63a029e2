package dohletest

import (
	"fmt"

	"github.com/rs/zerolog"

	"github.com/dohle-io/dohle/internal/memnet"
)

// An Option changes what Start starts; nil changes nothing.
type Option func(*options)

type options struct {
	dir       string
	configs   map[string]string
	listeners string
	topics    []topic
	network   *Network
	movable   bool
	clusterID string
	seed      uint64
	log       *zerolog.Logger
	err       error // an option that can't be meant
}

type topic struct {
	name       string
	partitions int32
	configs    map[string]string
}

// Network is a network in memory for clients and brokers of one test; see Net.
type Network = memnet.Network

// NewNetwork returns an empty network.
func NewNetwork() *Network { return memnet.New() }

// Dir keeps the data in a directory on disk, such as t.TempDir(): a broker started there again finds it.
func Dir(path string) Option { return func(o *options) { o.dir = path } }

// Config sets a configuration key of the broker, as a line of server.properties would. A key that Kafka does not have fails
// the test.
func Config(key, value string) Option { return func(o *options) { o.configs[key] = value } }

// Listeners replaces the client listener PLAINTEXT://127.0.0.1:0, in the syntax of the key listeners. Controller
// listeners are added. Broker.Listener tells the port that one got.
func Listeners(list string) Option { return func(o *options) { o.listeners = list } }

// Topic creates a topic before Start returns; -1 partitions are as many as num.partitions says. configs are key, value,
// key, value…
func Topic(name string, partitions int, configs ...string) Option {
	return func(o *options) {
		if len(configs)%2 != 0 {
			o.err = fmt.Errorf("topic %s: configs come in pairs of key and value, and %q has none", name, configs[len(configs)-1])
			return
		}
		pairs := map[string]string{}
		for i := 0; i < len(configs); i += 2 {
			pairs[configs[i]] = configs[i+1]
		}
		o.topics = append(o.topics, topic{name, int32(partitions), pairs})
	}
}

// Net lets the broker listen on n instead of on the machine's loopback.
func Net(n *Network) Option { return func(o *options) { o.network = n } }

// MovableTime gives the broker a clock that Broker.Advance moves forward.
func MovableTime() Option { return func(o *options) { o.movable = true } }

// ClusterID fixes the cluster id. Default: drawn.
func ClusterID(id string) Option { return func(o *options) { o.clusterID = id } }

// Seed fixes every random choice of the broker: topic ids, producer ids, directory ids.
func Seed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// Log sends the broker's log there. Default: to the test's log, warnings and errors only.
func Log(log zerolog.Logger) Option { return func(o *options) { o.log = &log } }
