"""The steps with kafka-python: kafkapython.py --steps LIST BOOTSTRAP TOPIC."""

import sys
import time

import member
import steps
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata


class Listener(ConsumerRebalanceListener):
    def __init__(self, held):
        self.held = held

    def on_partitions_revoked(self, revoked):
        self.held.lose([p.partition for p in revoked])

    def on_partitions_assigned(self, assigned):
        self.held.gain(p.partition for p in assigned)


class Client:
    def __init__(self, bootstrap, topic):
        self.bootstrap, self.topic, self.written, self.client = bootstrap, topic, 0, None

    @property
    def admin(self):
        self.client = self.client or KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self.client

    def connect(self):
        return f"{len(self.admin.describe_cluster()['brokers'])} broker"

    def describe_cluster(self):
        d = self.admin.describe_cluster()
        return f"brokers {d['brokers'][0]['broker_id' if 'broker_id' in d['brokers'][0] else 'node_id']}, controller {d['controller_id']}"

    def create_topic(self):
        self.admin.create_topics([NewTopic(self.topic, 5, 1, topic_configs={"retention.ms": "-1"})])
        return "created"

    def list_topics(self):
        return "in the list" if self.topic in self.admin.list_topics() else "not in the list"

    def described(self):
        d = self.admin.describe_topics([self.topic])
        return sorted(d[0]["partitions"], key=lambda p: p.get("partition_index", p.get("partition")))

    def describe_topic(self):
        p = self.described()
        first = {k.replace("_nodes", "").replace("_id", ""): v for k, v in p[0].items()}
        return f"{len(p)} partitions, leader {first['leader']}, replicas {list(first['replica'] if 'replica' in first else first['replicas'])}, isr {list(first['isr'])}"

    def config(self, key):
        found = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, [key])])
        return f"{key}={found['topic'][self.topic].get(key, {}).get('value')}"

    def describe_config(self):
        return self.config("retention.ms")

    def alter_config(self):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, {"max.message.bytes": "500000"})])
        return self.config("max.message.bytes")

    def producer(self, codec):
        return KafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec, linger_ms=20)

    def write(self, producer, codec, partition, first, n):
        sent = [producer.send(self.topic, steps.value(codec, i), steps.key(i), [("codec", codec.encode())], partition, steps.timestamp(i))
                for i in range(first, first + n)]
        producer.flush()
        offsets = [f.get(steps.PATIENCE).offset for f in sent]
        self.written += n
        return f"{len(offsets)} records at {offsets[0]}..{offsets[-1]}"

    def produce(self, codec, partition):
        producer = self.producer(codec)
        line = self.write(producer, codec, partition, 0, steps.RECORDS)
        producer.close()
        return line

    def consumer(self, **more):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **more)

    @staticmethod
    def poll(consumer, n, grace=0):
        got, end = [], time.monotonic() + steps.PATIENCE
        while len(got) < n and time.monotonic() < end:
            for records in consumer.poll(timeout_ms=500).values():
                got += records
        if grace:
            for records in consumer.poll(timeout_ms=grace * 1000).values():
                got += records
        return got

    def at(self, partition, offset):
        consumer = self.consumer()
        consumer.assign([TopicPartition(self.topic, partition)])
        consumer.seek(TopicPartition(self.topic, partition), offset)
        return consumer

    def consume(self, _codec, partition):
        consumer, digest = self.at(partition, 0), steps.Digest()
        consumer.seek_to_beginning(TopicPartition(self.topic, partition))
        for r in self.poll(consumer, steps.RECORDS):
            digest.add(r.offset, r.key, r.value, r.headers)
        consumer.close()
        return digest

    def timestamp(self):
        consumer, partition = self.at(0, 0), TopicPartition(self.topic, 0)
        consumer.seek(partition, consumer.offsets_for_times({partition: steps.timestamp(10)})[partition].offset)
        r = self.poll(consumer, 1)[0]
        consumer.close()
        return f"offset {r.offset}, key {r.key.decode()}"

    def group(self):
        consumer = self.consumer(group_id=f"{self.topic}-group")
        consumer.subscribe([self.topic])
        got = self.poll(consumer, self.written)
        if len(got) != self.written:
            return f"read {len(got)} of {self.written}"
        commit = {TopicPartition(self.topic, r.partition): OffsetAndMetadata(r.offset + 1, "", -1) for r in got}
        commit[TopicPartition(self.topic, 0)] = OffsetAndMetadata(steps.COMMIT_AT, "", -1)
        consumer.commit(commit)
        consumer.close()
        consumer = self.consumer(group_id=f"{self.topic}-group")
        consumer.subscribe([self.topic])
        got = self.poll(consumer, steps.RECORDS - steps.COMMIT_AT, grace=1)
        consumer.close()
        return steps.resumed([(r.partition, r.offset) for r in got])

    def delete_records(self):
        partition = TopicPartition(self.topic, 0)
        self.admin.delete_records({partition: 5})
        consumer = self.consumer()
        first = consumer.beginning_offsets([partition])[partition]
        consumer.close()
        return f"partition 0 starts at {first}"

    def create_partitions(self):
        self.admin.create_partitions({self.topic: NewPartitions(6)})
        return f"{len(self.described())} partitions"

    def restart(self):
        producer, consumer = self.producer("none"), self.at(0, steps.RECORDS - 1)
        producer.partitions_for(self.topic)
        self.poll(consumer, 1)
        steps.restart()
        self.write(producer, "none", 0, steps.RECORDS, 5)
        got = [r.offset for r in self.poll(consumer, 5)]
        consumer.close()
        producer.close()
        return f"{len(got)} records written, read at {got[0]}..{got[-1]}"

    def delete_topic(self):
        self.admin.delete_topics([self.topic])
        return "still there" if self.topic in self.admin.list_topics() else "gone"

    def member(self):
        consumer = self.consumer(group_id=member.GROUP, session_timeout_ms=member.SESSION, heartbeat_interval_ms=1000)
        held, leave = member.Held(), member.said_to_leave()
        consumer.subscribe([self.topic], listener=Listener(held))
        while not leave():
            for records in consumer.poll(timeout_ms=200).values():
                for r in records:
                    held.read(r.partition, r.offset, r.value)
            if held.pending:
                try:
                    consumer.commit({TopicPartition(self.topic, p): OffsetAndMetadata(o, "", -1) for p, o in held.pending.items()})
                    held.pending.clear()
                except KafkaError as error:  # kept for the next time, unless the partition goes before
                    print(error, file=sys.stderr)
        consumer.close()
        member.say("left")
        sys.exit(0)


wanted, bootstrap, topic = steps.arguments()
steps.run(Client(bootstrap, topic), wanted)
