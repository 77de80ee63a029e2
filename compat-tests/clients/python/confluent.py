"""The steps with confluent-kafka-python: confluent.py --steps LIST BOOTSTRAP TOPIC."""

import sys
import time

import member
import steps
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, ResourceType


class Client:
    def __init__(self, bootstrap, topic):
        self.bootstrap, self.topic, self.written = bootstrap, topic, 0
        self.admin = AdminClient({"bootstrap.servers": bootstrap})

    def connect(self):
        return f"{len(self.admin.list_topics(timeout=steps.PATIENCE).brokers)} broker"

    def describe_cluster(self):
        d = self.admin.describe_cluster().result(steps.PATIENCE)
        return f"brokers {d.nodes[0].id}, controller {d.controller.id}"

    def create_topic(self):
        self.admin.create_topics([NewTopic(self.topic, 5, 1, config={"retention.ms": "-1"})])[self.topic].result(steps.PATIENCE)
        return "created"

    def list_topics(self):
        return "in the list" if self.topic in self.admin.list_topics(timeout=steps.PATIENCE).topics else "not in the list"

    def described(self):
        return self.admin.describe_topics(TopicCollection([self.topic]))[self.topic].result(steps.PATIENCE).partitions

    def describe_topic(self):
        p = self.described()
        return f"{len(p)} partitions, leader {p[0].leader.id}, replicas {[n.id for n in p[0].replicas]}, isr {[n.id for n in p[0].isr]}"

    def config(self, key):
        resource = ConfigResource(ResourceType.TOPIC, self.topic)
        return f"{key}={self.admin.describe_configs([resource])[resource].result(steps.PATIENCE)[key].value}"

    def describe_config(self):
        return self.config("retention.ms")

    def alter_config(self):
        entry = ConfigEntry("max.message.bytes", "500000", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(steps.PATIENCE)
        return self.config("max.message.bytes")

    def producer(self, codec):
        return Producer({"bootstrap.servers": self.bootstrap, "compression.type": codec, "enable.idempotence": True})

    def write(self, producer, codec, partition, first, n):
        done = []
        for i in range(first, first + n):
            producer.produce(self.topic, steps.value(codec, i), steps.key(i), partition, timestamp=steps.timestamp(i), headers=[("codec", codec.encode())],
                             on_delivery=lambda error, message: done.append((error, message)))
        producer.flush(steps.PATIENCE)
        for error, _ in done:
            if error:
                raise RuntimeError(str(error))
        self.written += n
        return f"{len(done)} records at {done[0][1].offset()}..{done[-1][1].offset()}"

    def produce(self, codec, partition):
        return self.write(self.producer(codec), codec, partition, 0, steps.RECORDS)

    def consumer(self, group="none", protocol="classic"):
        return Consumer({"bootstrap.servers": self.bootstrap, "group.id": group, "group.protocol": protocol, "enable.auto.commit": False,
                         "auto.offset.reset": "earliest"})

    @staticmethod
    def poll(consumer, n, grace=0):
        """n messages, and with grace what comes in so many seconds after them."""
        got, end = [], time.monotonic() + steps.PATIENCE
        while len(got) < n and time.monotonic() < end:
            message = consumer.poll(0.5)
            if message and not message.error():
                got.append(message)
        if grace:
            message = consumer.poll(grace)
            if message and not message.error():
                got.append(message)
        return got

    def consume(self, _codec, partition):
        consumer, digest = self.consumer(), steps.Digest()
        consumer.assign([TopicPartition(self.topic, partition, OFFSET_BEGINNING)])
        for m in self.poll(consumer, steps.RECORDS):
            digest.add(m.offset(), m.key(), m.value(), m.headers())
        consumer.close()
        return digest

    def timestamp(self):
        consumer = self.consumer()
        consumer.assign(consumer.offsets_for_times([TopicPartition(self.topic, 0, steps.timestamp(10))], timeout=steps.PATIENCE))
        m, = self.poll(consumer, 1)
        consumer.close()
        return f"offset {m.offset()}, key {m.key().decode()}"

    def group(self, name="group", protocol="classic"):
        consumer = self.consumer(f"{self.topic}-{name}", protocol)
        consumer.subscribe([self.topic])
        got = self.poll(consumer, self.written)
        if len(got) != self.written:
            return f"read {len(got)} of {self.written}"
        commit = {m.partition(): m.offset() + 1 for m in got}
        commit[0] = steps.COMMIT_AT
        consumer.commit(offsets=[TopicPartition(self.topic, p, o) for p, o in commit.items()], asynchronous=False)
        consumer.close()
        consumer = self.consumer(f"{self.topic}-{name}", protocol)
        consumer.subscribe([self.topic])
        got = self.poll(consumer, steps.RECORDS - steps.COMMIT_AT, grace=1)
        consumer.close()
        return steps.resumed([(m.partition(), m.offset()) for m in got])

    def group_consumer(self):
        return self.group("group-consumer", "consumer")

    def delete_records(self):
        p = TopicPartition(self.topic, 0, 5)
        return f"partition 0 starts at {self.admin.delete_records([p])[p].result(steps.PATIENCE).low_watermark}"

    def create_partitions(self):
        self.admin.create_partitions([NewPartitions(self.topic, 6)])[self.topic].result(steps.PATIENCE)
        return f"{len(self.described())} partitions"

    def restart(self):
        producer, consumer = self.producer("none"), self.consumer()
        producer.list_topics(self.topic, timeout=steps.PATIENCE)
        consumer.assign([TopicPartition(self.topic, 0, steps.RECORDS - 1)])
        self.poll(consumer, 1)
        steps.restart()
        self.write(producer, "none", 0, steps.RECORDS, 5)
        got = [m.offset() for m in self.poll(consumer, 5)]
        consumer.close()
        return f"{len(got)} records written, read at {got[0]}..{got[-1]}"

    def delete_topic(self):
        self.admin.delete_topics([self.topic])[self.topic].result(steps.PATIENCE)
        return "still there" if self.topic in self.admin.list_topics(timeout=steps.PATIENCE).topics else "gone"

    def member(self):
        more = {"session.timeout.ms": member.SESSION} if member.PROTOCOL == "classic" else {}
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": member.GROUP, "group.protocol": member.PROTOCOL,
                             "enable.auto.commit": False, "auto.offset.reset": "earliest", **more})
        held, leave = member.Held(), member.said_to_leave()
        consumer.subscribe([self.topic], on_assign=lambda _, gained: held.gain(p.partition for p in gained),
                           on_revoke=lambda _, lost: held.lose([p.partition for p in lost], last=member.PROTOCOL == "consumer"))
        while not leave():
            m = consumer.poll(0.2)
            if m and not m.error():
                held.read(m.partition(), m.offset(), m.value())
            if held.pending:
                try:
                    consumer.commit(offsets=[TopicPartition(self.topic, p, o) for p, o in held.pending.items()], asynchronous=False)
                    held.pending.clear()
                except KafkaException as error:  # kept for the next time, unless the partition goes before
                    print(error, file=sys.stderr)
        held.closing = True
        consumer.close()
        member.say("left")
        sys.exit(0)


wanted, bootstrap, topic = steps.arguments()
steps.run(Client(bootstrap, topic), wanted)
