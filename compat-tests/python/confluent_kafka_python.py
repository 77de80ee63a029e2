"""Writes the lines of a file to a topic with confluent-kafka (librdkafka, idempotent) and prints them as read back.

    confluent_kafka_python.py BOOTSTRAP TOPIC CODEC FILE
"""

import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

bootstrap, topic, codec, path = sys.argv[1:]
failed = []


def delivered(error, _message):
    if error:
        failed.append(error)


producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True, "linger.ms": 20,
                     "queue.buffering.max.messages": 1000000})
with open(path, "rb") as lines:
    for line in lines:
        producer.produce(topic, line.rstrip(b"\n"), partition=0, on_delivery=delivered)
        producer.poll(0)
producer.flush()
if failed:
    sys.exit(f"{len(failed)} records were refused: {failed[0]}")

consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "none", "enable.auto.commit": False})
_, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=120)
consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
offset = -1
while offset < end - 1:
    for message in consumer.consume(10000, timeout=1):
        if message.error():
            sys.exit(str(message.error()))
        offset = message.offset()
        sys.stdout.buffer.write(message.value() + b"\n")
consumer.close()
