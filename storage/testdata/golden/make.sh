#!/bin/bash
# Makes ../kafka-4.4.0 anew with a real Apache Kafka: "clean" after a clean stop, "killed" after more records and a
# kill -9. Needs a JDK and KAFKA_CP, a classpath with Kafka 4.4.0. Ports 19220 and 19221.
set -eu
cd "$(dirname "$0")"
: "${KAFKA_CP:?set KAFKA_CP to the classpath of Apache Kafka 4.4.0}"
work=$(mktemp -d)
trap 'kill -9 $pid 2>/dev/null || true; rm -rf "$work"' EXIT
cat >"$work/log4j2.xml" <<'XML'
<Configuration><Appenders><Console name="C"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="C"/></Root></Loggers></Configuration>
XML
cat >"$work/server.properties" <<PROPS
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:19220,CONTROLLER://127.0.0.1:19221
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:19221
log.dirs=$work/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
PROPS
java="java -Xmx512m -Dlog4j2.configurationFile=$work/log4j2.xml -cp $KAFKA_CP"
start() {
	$java kafka.Kafka "$work/server.properties" >"$work/out" 2>&1 &
	pid=$!
	for i in $(seq 300); do
		(exec 3<>/dev/tcp/127.0.0.1/19220) 2>/dev/null && return
		sleep 0.2
	done
	cat "$work/out"
	exit 1
}
keep() {
	rm -rf "../kafka-4.4.0/$1"
	mkdir -p "../kafka-4.4.0/$1"
	cp -r "$work/data/." "../kafka-4.4.0/$1"
	rm -rf ../kafka-4.4.0/$1/__* ../kafka-4.4.0/$1/bootstrap.checkpoint ../kafka-4.4.0/$1/.lock
}
$java kafka.tools.StorageTool format --standalone -t golden-cluster -c "$work/server.properties"
start
$java Golden.java 127.0.0.1:19220 first
kill "$pid"
wait "$pid" || true
keep clean
start
$java Golden.java 127.0.0.1:19220 second
kill -9 "$pid"
keep killed
