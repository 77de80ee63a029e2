package config

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
)

func static(t *testing.T, extra map[string]string) *File {
	t.Helper()
	values := map[string]string{}
	for _, m := range []map[string]string{base, extra} {
		for k, v := range m {
			values[k] = v
		}
	}
	f, err := NewStatic(values)
	require.NoError(t, err)
	return f
}

func TestLayersOfABroker(t *testing.T) {
	f := static(t, map[string]string{"message.max.bytes": "1", "num.io.threads": "9"})
	v := BrokerView(f, map[string]string{"message.max.bytes": "2", "listeners": "X://:1", "node.id": "5"}, map[string]string{"message.max.bytes": "3"})
	require.Equal(t, int64(3), MessageMaxBytes.Get(v))
	require.Equal(t, int64(2), MessageMaxBytes.Get(BrokerView(f, map[string]string{"message.max.bytes": "2"}, nil)))
	require.Equal(t, int64(1), MessageMaxBytes.Get(f))
	require.Equal(t, int32(9), NumIOThreads.Get(v))
	require.Equal(t, int32(1), NodeID.Get(v), "a read-only key in a record is ignored")
	require.Equal(t, []string{"PLAINTEXT://:9092", "CONTROLLER://:9093"}, Listeners.Get(v), "a per-broker key of all brokers is ignored")
	_, ok := LogRetentionMs.Find(v)
	require.False(t, ok, "a null default is no value")
}

func TestTopicKeysComeFromTheirBrokerKeys(t *testing.T) {
	hours := static(t, map[string]string{"log.retention.hours": "2", "log.roll.jitter.hours": "1", "log.flush.scheduler.interval.ms": "7"})
	v := TopicView(hours, nil)
	require.Equal(t, 2*time.Hour, RetentionMs.Get(v))
	require.Equal(t, time.Hour, SegmentJitterMs.Get(v))
	require.Equal(t, 7*time.Millisecond, FlushMs.Get(v))
	require.Equal(t, 7*24*time.Hour, SegmentMs.Get(v))
	minutes := static(t, map[string]string{"log.retention.hours": "2", "log.retention.minutes": "3"})
	require.Equal(t, 3*time.Minute, RetentionMs.Get(TopicView(minutes, nil)))
	require.Equal(t, 5*time.Millisecond, RetentionMs.Get(TopicView(BrokerView(minutes, nil, map[string]string{"log.retention.ms": "5"}), nil)))
	require.Equal(t, -time.Millisecond, RetentionMs.Get(TopicView(static(t, map[string]string{"log.retention.hours": "-7"}), nil)))
	own := TopicView(minutes, map[string]string{"retention.ms": "9", "cleanup.policy": "compact,compact , delete"})
	require.Equal(t, 9*time.Millisecond, RetentionMs.Get(own))
	require.Equal(t, []string{"compact", "delete"}, CleanupPolicy.Get(own))
	require.Equal(t, int32(1), NumPartitions.Get(own), "broker keys shine through")
}

func TestGroupValuesStayWithinTheBrokersBounds(t *testing.T) {
	f := static(t, nil)
	v := GroupView(f, map[string]string{"consumer.session.timeout.ms": "1", "streams.num.standby.replicas": "9", "streams.task.offset.interval.ms": "1"})
	require.Equal(t, 45*time.Second, ConsumerSessionTimeoutMs.Get(v))
	require.Equal(t, int32(2), StreamsNumStandbyReplicas.Get(v))
	require.Equal(t, 15*time.Second, StreamsTaskOffsetIntervalMs.Get(v))
	require.Equal(t, "sticky", StreamsAssignorName.Get(v))
	require.Equal(t, 15*time.Second, GroupConsumerAssignmentIntervalMs.Get(BrokerView(f, map[string]string{"group.consumer.assignment.interval.ms": "99999"}, nil)))
}

func TestDurationsDoNotOverflow(t *testing.T) {
	require.Equal(t, Never, Millis(math.MaxInt64))
	require.Equal(t, -time.Millisecond, Millis(-1))
	require.Equal(t, Never, FlushMs.Get(TopicView(Defaults(), nil)))
	require.Less(t, Millis(math.MinInt64), time.Duration(0))
}

func TestErrorsCarryTheirCode(t *testing.T) {
	f := static(t, nil)
	require.ErrorIs(t, ValidateTopic("nope", "1"), kerr.InvalidConfig)
	require.ErrorIs(t, ValidateGroup("nope", "1"), kerr.InvalidConfig)
	require.ErrorIs(t, ValidateBrokerChange(Layers{Static: f}, true, map[string]string{"num.io.threads": "0"}), kerr.InvalidRequest)
	require.ErrorIs(t, ValidateBrokerChange(Layers{Static: f}, true, map[string]string{"node.id": "2"}), kerr.InvalidRequest)
	require.NoError(t, ValidateBrokerChange(Layers{Static: f, Default: map[string]string{"message.max.bytes": "5"}}, true, map[string]string{"log.retention.ms": "5"}))
	require.Error(t, ValidateBrokerChange(Layers{Static: f}, true, map[string]string{"listeners": "SSL://:9092"}))
	require.ErrorIs(t, ValidateClientMetrics("m", map[string]string{"nope": ""}), kerr.InvalidRequest)
	require.ErrorIs(t, ValidateClientMetrics("", nil), kerr.InvalidRequest)
}

func TestPasswordsAreNeverShown(t *testing.T) {
	f := static(t, map[string]string{"ssl.key.password": "hunter2", "listener.name.x.sasl.jaas.config": "hunter2", "plugin.secret": "hunter2"})
	for _, e := range DescribeBroker(Layers{Static: f}) {
		for _, s := range append([]EntrySynonym{{Value: e.Value}}, e.Synonyms...) {
			if s.Value != nil {
				require.NotContains(t, *s.Value, "hunter2", e.Name)
			}
		}
	}
}

func TestThreadCountsChangeByTheFactorTwoAtMost(t *testing.T) {
	l := Layers{Static: static(t, nil)}
	require.NoError(t, ValidateBrokerChange(l, true, map[string]string{"num.io.threads": "16"}))
	require.EqualError(t, ValidateBrokerChange(l, true, map[string]string{"num.io.threads": "1000"}),
		"Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update validation failed for num.io.threads=1000, "+
			"value should not be greater than double the current value 8 for configuration Invalid dynamic configuration")
	l.Default = map[string]string{"num.io.threads": "16"}
	require.NoError(t, ValidateBrokerChange(l, false, map[string]string{"num.io.threads": "32"}))
	require.NoError(t, ValidateBrokerChange(l, false, nil), "back from 16 to 8 is half")
	require.Error(t, ValidateBrokerChange(l, true, map[string]string{"num.io.threads": "7"}))
}
