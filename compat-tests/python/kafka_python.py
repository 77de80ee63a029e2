"""Writes the lines of a file to a topic with kafka-python and prints them as read back.

    kafka_python.py BOOTSTRAP TOPIC CODEC FILE
"""

import sys

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

bootstrap, topic, codec, path = sys.argv[1:]
producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec, linger_ms=20, batch_size=65536)
with open(path, "rb") as lines:
    for line in lines:
        producer.send(topic, line.rstrip(b"\n"), partition=0)
producer.flush()
producer.close()

consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
partition = TopicPartition(topic, 0)
consumer.assign([partition])
consumer.seek_to_beginning(partition)
end = consumer.end_offsets([partition])[partition]
while consumer.position(partition) < end:
    for records in consumer.poll(timeout_ms=1000).values():
        for record in records:
            sys.stdout.buffer.write(record.value + b"\n")
consumer.close()
