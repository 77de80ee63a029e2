package config

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/internal/vfs"
)

// stock holds the keys of the server.properties that Kafka ships.
const stock = `
# roles
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`

func load(t *testing.T, text string, s Sources) (*File, []Warning, error) {
	t.Helper()
	fs := vfs.NewMem()
	require.NoError(t, fs.MkdirAll("/etc"))
	require.NoError(t, vfs.WriteFileAtomic(fs, "/etc/server.properties", []byte(text), true))
	s.FS, s.Path = fs, "/etc/server.properties"
	return LoadFrom(s)
}

func TestStockFileStartsWithoutWarning(t *testing.T) {
	f, warnings, err := load(t, stock, Sources{Strict: true})
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, Roles{Broker: true, Controller: true}, f.Roles())
	require.Equal(t, int32(1), f.NodeID())
	require.Equal(t, []string{"/tmp/kraft-combined-logs"}, f.LogDirs())
	require.Equal(t, []HostPort{{"localhost", 9093}}, f.BootstrapServers())
	listeners, err := f.Listeners()
	require.NoError(t, err)
	require.Equal(t, []Listener{{"PLAINTEXT", "PLAINTEXT", "", 9092}, {"CONTROLLER", "PLAINTEXT", "", 9093}}, listeners)
	advertised, err := f.AdvertisedListeners()
	require.NoError(t, err)
	require.Equal(t, []Listener{{"PLAINTEXT", "PLAINTEXT", "localhost", 9092}}, advertised)
	controller, err := f.AdvertisedControllerListeners()
	require.NoError(t, err)
	require.Equal(t, []Listener{{"CONTROLLER", "PLAINTEXT", "localhost", 9093}}, controller)
	inter, err := f.InterBrokerListener()
	require.NoError(t, err)
	require.Equal(t, "PLAINTEXT", inter)
}

func TestLaterLayersWin(t *testing.T) {
	f, warnings, err := load(t, stock+"message.max.bytes=100\n", Sources{
		Base:      map[string]string{"message.max.bytes": "1", "default.replication.factor": "1", "offsets.topic.num.partitions": "1"},
		Environ:   []string{"PATH=/bin", "KAFKA_NUM_PARTITIONS=3", "KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_LOG_ROLL_MS=5"},
		Overrides: []string{"num.partitions=4", "broker.rack=a=b"},
	})
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, int32(4), NumPartitions.Get(f))
	require.Equal(t, int64(100), MessageMaxBytes.Get(f))
	require.Equal(t, "a=b", BrokerRack.Get(f))
	require.Equal(t, int32(1), OffsetsTopicNumPartitions.Get(f))
	_, source, _ := f.Lookup("offsets.topic.num.partitions")
	require.Equal(t, SourceStatic, source)
	require.Equal(t, 5*time.Millisecond, SegmentMs.Get(TopicView(f, nil)))
}

func TestEnvironmentNames(t *testing.T) {
	got, names := parseEnviron([]string{"KAFKA_LOG_DIRS=/a", "KAFKA_MY__KEY=1", "KAFKA_MY___KEY=2", "KAFKA_OPTS=x", "KAFKA_=y", "KAFKA", "OTHER_A=b", "KAFKA_EMPTY=",
		"KAFKA_HOME=/opt/kafka", "KAFKA_PORT=tcp://10.0.0.1:9092", "KAFKA_PORT_9092_TCP_ADDR=10.0.0.1", "KAFKA_SERVICE_HOST=10.0.0.1"})
	require.Equal(t, map[string]string{"log.dirs": "/a", "my_key": "1", "my-key": "2", "empty": ""}, got)
	for key, name := range names {
		require.Equal(t, name, variableName(key))
	}
}

func TestNodeIDAndBrokerIDAreOneSetting(t *testing.T) {
	f, _, err := load(t, strings.Replace(stock, "node.id=1", "broker.id=1", 1), Sources{Environ: []string{"KAFKA_NODE_ID=7"}})
	require.NoError(t, err)
	require.Equal(t, int32(7), f.NodeID())
	require.Equal(t, int32(7), BrokerID.Get(f))
}

func TestJavaPropertiesSyntax(t *testing.T) {
	got, repeated, err := parseProperties([]byte("! comment\n a = 1 \nb:2\nc 3\nd=x,\\\n   y\ne=\\u00e9\\t|\nf=${a}\ng=\xe9\na=4\nempty\nh\\ i=j\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "4", "b": "2", "c": "3", "d": "x,y", "e": "é\t|", "f": "${a}", "g": "é", "empty": "", "h i": "j"}, got)
	require.Equal(t, []string{"a"}, repeated)
}

func TestUnknownKeyWarnsAndSuggests(t *testing.T) {
	_, warnings, err := load(t, stock+"log.retention.hour=1\nlistener.name.plaintext.ssl.keystore.location=/x\nsuper.users=User:a\nrsm.config.x=1\ncom.example.thing=2\n", Sources{})
	require.NoError(t, err)
	require.Equal(t, []Warning{
		{"com.example.thing", "Unknown configuration key: com.example.thing"},
		{"log.retention.hour", "Unknown configuration key: log.retention.hour. Did you mean log.retention.hours?"},
	}, warnings)
	_, _, err = load(t, stock+"log.retention.hour=1\n", Sources{Strict: true})
	require.EqualError(t, err, "Unknown configuration key: log.retention.hour. Did you mean log.retention.hours?")
	require.ErrorIs(t, err, kerr.InvalidConfig)
}

func TestUnknownVariableIsNamed(t *testing.T) {
	_, warnings, err := load(t, stock, Sources{Environ: []string{"KAFKA_NUM_PARTITION=3"}})
	require.NoError(t, err)
	require.Equal(t, []Warning{{"num.partition", "Unknown configuration key: num.partition (KAFKA_NUM_PARTITION in the environment). Did you mean num.partitions?"}}, warnings)
}

func TestKeyThatStandsTwiceIsAWarning(t *testing.T) {
	const twice = "num.partitions=3\r\nssl.key.password=a\\\n b\n# num.partitions=4\nssl.key.password : c\nnum.partitions 5\n"
	f, warnings, err := load(t, strings.Replace(stock, "num.partitions=1\n", twice, 1), Sources{})
	require.NoError(t, err)
	require.Equal(t, []Warning{
		{"num.partitions", "num.partitions stands more than once in /etc/server.properties; the last one counts: 5"},
		{"ssl.key.password", "ssl.key.password stands more than once in /etc/server.properties; the last one counts: (hidden)"},
	}, warnings)
	require.Equal(t, int32(5), NumPartitions.Get(f))
	_, _, err = load(t, stock+"num.partitions=1\n", Sources{Strict: true})
	require.EqualError(t, err, "num.partitions stands more than once in /etc/server.properties; the last one counts: 1")
}

func TestProtectionThatIsNotThereIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a TLS listener alone":  "listeners=SSL://:9092,CONTROLLER://:9093\nadvertised.listeners=SSL://localhost:9092\n",
		"a TLS listener":        "listeners=SSL://:9092,CONTROLLER://:9093\ninter.broker.listener.name=SSL\nadvertised.listeners=SSL://localhost:9092\n",
		"SASL behind a name":    "listeners=PLAINTEXT://:9092,CONTROLLER://:9093,EXT://:9094\nadvertised.listeners=PLAINTEXT://localhost:9092\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,EXT:SASL_PLAINTEXT\n",
		"a controller with TLS": "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:SSL\n",
		"an authorizer":         "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n",
		"a secret elsewhere":    "config.providers=env\nbroker.rack=${env:RACK}\n",
	} {
		_, _, err := load(t, stock+text, Sources{})
		require.ErrorContains(t, err, "Dohle", name)
		require.ErrorIs(t, err, kerr.InvalidConfig, name)
	}
}

// Kafka's own words stay; where they leave a reader alone, what helps is added.
func TestWhatHelpsIsSaidAtTheStart(t *testing.T) {
	for text, want := range map[string][]string{
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT\n": {"No security protocol defined for listener CONTROLLER", "listener.security.protocol.map"},
		"log.cleaner.threads=0\n":                              {"/ by zero", "log.cleaner.threads"},
		"group.coordinator.rebalance.protocols=consumer\n":     {"'classic' protocol is not supported", "group.coordinator.rebalance.protocols"},
		"max.connections.per.ip.overrides=a:b\n":               {`For input string: "b"`, "max.connections.per.ip.overrides"},
		"listeners=PLAINTEXT:9092\n":                           {"Unable to parse PLAINTEXT:9092", "NAME://host:port"},
		"controller.quorum.voters=one@a:1\n":                   {"Failed to parse voter ID as an integer from one", "id@host:port"},
	} {
		_, _, err := load(t, stock+text, Sources{})
		require.ErrorIs(t, err, kerr.InvalidConfig, text)
		for _, part := range want {
			require.ErrorContains(t, err, part)
		}
	}
	_, _, err := load(t, strings.Replace(stock, "node.id=1\n", "", 1), Sources{})
	require.EqualError(t, err, `Missing required configuration "node.id" which has no default value: set it in the properties file, or by --override or a KAFKA_* variable`)
}

func TestOverrideWithoutValueIsRefused(t *testing.T) {
	_, _, err := load(t, stock, Sources{Overrides: []string{"num.partitions"}})
	require.EqualError(t, err, "--override num.partitions is not of the form key=value")
}

func TestKeysWithoutEffectAreListed(t *testing.T) {
	f, _, err := load(t, stock+"kafka.metrics.polling.interval.secs=5\nsuper.users=x\n", Sources{})
	require.NoError(t, err)
	list := f.NoEffect()
	require.Contains(t, list, "kafka.metrics.polling.interval.secs")
	require.NotContains(t, list, "log.dirs")
	require.NotContains(t, list, "log.retention.hours") // it gives retention.ms
	require.NotContains(t, list, "super.users")         // not a row: a warning's matter
	require.NotContains(t, list, "broker.id")           // filled in from node.id
}

func TestDevProfileIsShownAsStatic(t *testing.T) {
	f, warnings, err := load(t, stock, Sources{Base: DevProfile(1), Strict: true})
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, time.Duration(0), GroupInitialRebalanceDelayMs.Get(f))
	for _, e := range DescribeBroker(Layers{Static: f}) {
		if e.Name == "group.initial.rebalance.delay.ms" {
			require.Equal(t, SourceStatic, e.Source)
			require.Equal(t, "0", *e.Value)
		}
	}
	three := DevProfile(3)
	require.Equal(t, "3", three["transaction.state.log.replication.factor"])
	require.Equal(t, "2", three["transaction.state.log.min.isr"])
	require.Equal(t, "3", DevProfile(9)["offsets.topic.replication.factor"])
	for name, value := range three {
		row := BrokerRow(name)
		require.NotNil(t, row)
		require.NoError(t, checkValue(row, value))
	}
}

func TestStaticVoterGivesTheAdvertisedControllerAddress(t *testing.T) {
	f, err := NewStatic(map[string]string{"node.id": "2", "process.roles": "controller", "listeners": "CONTROLLER://0.0.0.0:9093",
		"controller.listener.names": "CONTROLLER", "controller.quorum.voters": "1@a:1,2@b:2"})
	require.NoError(t, err)
	got, err := f.AdvertisedControllerListeners()
	require.NoError(t, err)
	require.Equal(t, []Listener{{"CONTROLLER", "PLAINTEXT", "b", 2}}, got)
	require.Equal(t, []Voter{{1, "a", 1}, {2, "b", 2}}, f.QuorumVoters())
}
