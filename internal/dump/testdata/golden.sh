#!/bin/sh
# Makes testdata/kafka-4.4.0 anew: log directories as Apache Kafka 4.4.0 leaves them after a clean stop (clean/) and
# after a kill (killed/). Needs a JDK and Kafka's classpath in the file $1; uses ports 19340 and 19341.
set -eu
cp=$(cat "$1")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/dump-golden.XXXXXX)
out=$here/kafka-4.4.0
cat > "$work/server.properties" <<P
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:19340,CONTROLLER://127.0.0.1:19341
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:19341
log.dirs=$work/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
metadata.max.idle.interval.ms=0
metadata.log.max.record.bytes.between.snapshots=1000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.cleaner.backoff.ms=500
P
java -cp "$cp" kafka.tools.StorageTool format --standalone -t golden-cluster-000000 -c "$work/server.properties"
javac -cp "$cp" -d "$work" "$here/Golden.java"

broker=0
trap '[ $broker = 0 ] || kill -9 $broker 2>/dev/null; rm -rf "$work"' EXIT
start() { java -Xmx400m -cp "$cp" kafka.Kafka "$work/server.properties" > "$work/log" 2>&1 & broker=$!; }
run() { java -cp "$work:$cp" Golden 127.0.0.1:19340 "$1"; }
keep() { # $1: the name below out. The large preallocated files say nothing beyond their zeroes.
	mkdir -p "$out/$1"
	(cd "$work/data" && find . -type f ! -name .lock ! -name '*.lock' -size -64k) | while read -r f; do
		mkdir -p "$out/$1/$(dirname "$f")" && cp "$work/data/$f" "$out/$1/$f"
	done
}

rm -rf "$out"
start; run first
kill $broker; wait $broker || true
keep clean
start; run second
sleep 5
kill -9 $broker; wait $broker || true
keep killed


# What Kafka's own tool says of the same files, for TestSaysWhatKafkaSays.
tool() { java -cp "$cp" org.apache.kafka.tools.DumpLogSegments --deep-iteration "$@"; }
list() { find kafka-4.4.0 -type f $1 -path '*__cluster_metadata*' \( -name '*.log' -o -name '*.index' -o -name '*.timeindex' \
	-o -name '*.txnindex' -o -name '*.snapshot' -o -name '*-*.checkpoint' \) | grep -v '[a-z]-offset-checkpoint' | sort | paste -sd,; }
cd "$here"
{ tool --cluster-metadata-decoder --files "$(list)"; tool --print-data-log --files "$(list !)"; } > kafka-dump-log.txt
