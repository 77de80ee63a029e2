"""The steps with aiokafka: aio.py --steps LIST BOOTSTRAP TOPIC."""

import asyncio
import sys

import member
import steps
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError


class Listener(ConsumerRebalanceListener):
    def __init__(self, held):
        self.held = held

    def on_partitions_revoked(self, revoked):
        self.held.lose([p.partition for p in revoked])

    def on_partitions_assigned(self, assigned):
        self.held.gain(p.partition for p in assigned)


class Client:
    def __init__(self, bootstrap, topic):
        self.bootstrap, self.topic, self.written = bootstrap, topic, 0

    async def connect(self):
        self.admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await self.admin.start()
        return f"{len((await self.admin.describe_cluster())['brokers'])} broker"

    async def describe_cluster(self):
        d = await self.admin.describe_cluster()
        return f"brokers {d['brokers'][0]['node_id']}, controller {d['controller_id']}"

    async def create_topic(self):
        await self.admin.create_topics([NewTopic(self.topic, 5, 1, topic_configs={"retention.ms": "-1"})])
        return "created"

    async def list_topics(self):
        return "in the list" if self.topic in await self.admin.list_topics() else "not in the list"

    async def described(self):
        return sorted((await self.admin.describe_topics([self.topic]))[0]["partitions"], key=lambda p: p["partition"])

    async def describe_topic(self):
        p = await self.described()
        return f"{len(p)} partitions, leader {p[0]['leader']}, replicas {list(p[0]['replicas'])}, isr {list(p[0]['isr'])}"

    async def config(self, key):
        answers = await self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, {key: None})])
        entry = answers[0].resources[0][4][0]
        return f"{entry[0]}={entry[1]}"

    async def describe_config(self):
        return await self.config("retention.ms")

    async def alter_config(self):
        await self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic, {"retention.ms": "-1", "max.message.bytes": "500000"})])
        return await self.config("max.message.bytes")

    async def producer(self, codec):
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec, linger_ms=20)
        await producer.start()
        return producer

    async def write(self, producer, codec, partition, first, n):
        sent = [await producer.send(self.topic, steps.value(codec, i), steps.key(i), partition, steps.timestamp(i), [("codec", codec.encode())])
                for i in range(first, first + n)]
        offsets = [r.offset for r in await asyncio.gather(*sent)]
        self.written += n
        return f"{len(offsets)} records at {offsets[0]}..{offsets[-1]}"

    async def produce(self, codec, partition):
        producer = await self.producer(codec)
        line = await self.write(producer, codec, partition, 0, steps.RECORDS)
        await producer.stop()
        return line

    async def consumer(self, *topics, **more):
        consumer = AIOKafkaConsumer(*topics, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **more)
        await consumer.start()
        return consumer

    @staticmethod
    async def poll(consumer, n, grace=0):
        got, loop = [], asyncio.get_running_loop()
        end = loop.time() + steps.PATIENCE
        while len(got) < n and loop.time() < end:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                got += records
        if grace:
            for records in (await consumer.getmany(timeout_ms=grace * 1000)).values():
                got += records
        return got

    async def at(self, partition, offset):
        consumer = await self.consumer()
        consumer.assign([TopicPartition(self.topic, partition)])
        consumer.seek(TopicPartition(self.topic, partition), offset)
        return consumer

    async def consume(self, _codec, partition):
        consumer, digest = await self.at(partition, 0), steps.Digest()
        await consumer.seek_to_beginning(TopicPartition(self.topic, partition))
        for r in await self.poll(consumer, steps.RECORDS):
            digest.add(r.offset, r.key, r.value, r.headers)
        await consumer.stop()
        return digest

    async def timestamp(self):
        consumer, partition = await self.at(0, 0), TopicPartition(self.topic, 0)
        found = await consumer.offsets_for_times({partition: steps.timestamp(10)})
        consumer.seek(partition, found[partition].offset)
        r = (await self.poll(consumer, 1))[0]
        await consumer.stop()
        return f"offset {r.offset}, key {r.key.decode()}"

    async def group(self):
        consumer = await self.consumer(self.topic, group_id=f"{self.topic}-group")
        got = await self.poll(consumer, self.written)
        if len(got) != self.written:
            return f"read {len(got)} of {self.written}"
        commit = {TopicPartition(self.topic, r.partition): r.offset + 1 for r in got}
        commit[TopicPartition(self.topic, 0)] = steps.COMMIT_AT
        await consumer.commit(commit)
        await consumer.stop()
        consumer = await self.consumer(self.topic, group_id=f"{self.topic}-group")
        got = await self.poll(consumer, steps.RECORDS - steps.COMMIT_AT, grace=1)
        await consumer.stop()
        return steps.resumed([(r.partition, r.offset) for r in got])

    async def delete_records(self):
        partition = TopicPartition(self.topic, 0)
        await self.admin.delete_records({partition: RecordsToDelete(before_offset=5)})
        consumer = await self.consumer()
        first = (await consumer.beginning_offsets([partition]))[partition]
        await consumer.stop()
        return f"partition 0 starts at {first}"

    async def create_partitions(self):
        await self.admin.create_partitions({self.topic: NewPartitions(6)})
        return f"{len(await self.described())} partitions"

    async def restart(self):
        producer, consumer = await self.producer("none"), await self.at(0, steps.RECORDS - 1)
        await producer.partitions_for(self.topic)
        await self.poll(consumer, 1)
        await asyncio.get_running_loop().run_in_executor(None, steps.restart)
        await self.write(producer, "none", 0, steps.RECORDS, 5)
        got = [r.offset for r in await self.poll(consumer, 5)]
        await consumer.stop()
        await producer.stop()
        return f"{len(got)} records written, read at {got[0]}..{got[-1]}"

    async def delete_topic(self):
        await self.admin.delete_topics([self.topic])
        return "still there" if self.topic in await self.admin.list_topics() else "gone"

    async def member(self):
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False,
                                    group_id=member.GROUP, session_timeout_ms=member.SESSION, heartbeat_interval_ms=1000)
        held, leave = member.Held(), member.said_to_leave()
        consumer.subscribe([self.topic], listener=Listener(held))
        await consumer.start()
        while not leave():
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for r in records:
                    held.read(r.partition, r.offset, r.value)
            if held.pending:
                try:
                    await consumer.commit({TopicPartition(self.topic, p): o for p, o in held.pending.items()})
                    held.pending.clear()
                except KafkaError as error:  # kept for the next time, unless the partition goes before
                    print(error, file=sys.stderr)
        await consumer.stop()
        member.say("left")
        sys.exit(0)


async def main(wanted, client):
    code = 0
    for step in wanted:
        do = steps.method(client, step)
        try:
            result = await do() if do else "not in this client"
            end = asyncio.get_running_loop().time() + 10
            while (ask := steps.again(step, result)) and asyncio.get_running_loop().time() < end:
                await asyncio.sleep(0.05)
                result = steps.settle(result, await steps.method(client, ask)())
        except Exception as error:  # the line says what it was
            result, code = steps.failed(error), 1
        print(f"{step}: {result}", flush=True)
    await client.admin.close()
    sys.exit(code)


wanted, bootstrap, topic = steps.arguments()
asyncio.run(main(wanted, Client(bootstrap, topic)))
