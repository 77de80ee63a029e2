'use strict';
// The steps with KafkaJS: kafkajs.js --steps LIST BOOTSTRAP TOPIC. Its consumers are always members of a group.

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs');
const group = require('./member');
const steps = require('./steps');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
const TYPES = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy };

steps.run((bootstrap, topic) => {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { initialRetryTime: 100, retries: 12 } });
  const admin = kafka.admin();
  let written = 0;

  const described = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.sort((a, b) => a.partitionId - b.partitionId);
  const config = async (key) => {
    const found = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [key] }] });
    return `${key}=${found.resources[0].configEntries[0].configValue}`;
  };
  const write = async (producer, codec, partition, from, n) => {
    const messages = [];
    for (let i = from; i < from + n; i++) {
      const r = steps.record(codec, i);
      messages.push({ partition, key: r.key, value: r.value, timestamp: String(r.timestamp), headers: { codec } });
    }
    const [answer] = await producer.send({ topic, compression: TYPES[codec], messages });
    written += n;
    const first = Number(answer.baseOffset);
    return `${n} records at ${first}..${first + n - 1}`;
  };
  const produce = async (codec, partition) => {
    const producer = kafka.producer();
    await producer.connect();
    const line = await write(producer, codec, partition, 0, steps.RECORDS);
    await producer.disconnect();
    return line;
  };

  // member joins a group and collects; from where says which partitions start elsewhere.
  const member = async (groupId, where = {}) => {
    const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 200 });
    const got = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    const joined = new Promise((done) => consumer.on(consumer.events.GROUP_JOIN, done));
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ partition, message }) => {
        if (where[partition] === undefined || Number(message.offset) >= where[partition]) {
          got.push({ partition, offset: Number(message.offset), key: message.key, value: message.value, headers: message.headers });
        }
      },
    });
    await joined;
    for (const [partition, offset] of Object.entries(where)) consumer.seek({ topic, partition: Number(partition), offset: String(offset) });
    return { consumer, got };
  };

  const shares = async () => {
    const leave = group.toldToLeave();
    const consumer = kafka.consumer({
      groupId: group.GROUP, sessionTimeout: group.SESSION, heartbeatInterval: 1000, maxWaitTimeInMs: 200,
      retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 100 },
    });
    const held = group.held(topic, (offsets) => consumer.commitOffsets(offsets));
    let partitions = [];
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      const now = payload.memberAssignment[topic] || [];
      held.forget(partitions.filter((p) => !now.includes(p)));
      group.has(partitions = now);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({ autoCommit: false, eachMessage: ({ partition, message }) => held.read(partition, message) });
    await leave;
    await consumer.disconnect();
    group.say('left');
    process.exit(0);
  };

  return {
    member: shares,
    connect: async () => {
      await admin.connect();
      return `${(await admin.describeCluster()).brokers.length} broker`;
    },
    'describe-cluster': async () => {
      const d = await admin.describeCluster();
      return `brokers ${d.brokers[0].nodeId}, controller ${d.controller}`;
    },
    'create-topic': async () => {
      await admin.createTopics({ topics: [{ topic, numPartitions: 5, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '-1' }] }] });
      return 'created';
    },
    'list-topics': async () => ((await admin.listTopics()).includes(topic) ? 'in the list' : 'not in the list'),
    'describe-topic': async () => {
      const p = await described();
      return `${p.length} partitions, leader ${p[0].leader}, replicas [${p[0].replicas}], isr [${p[0].isr}]`;
    },
    'describe-config': () => config('retention.ms'),
    'alter-config': async () => {
      const configEntries = [{ name: 'retention.ms', value: '-1' }, { name: 'max.message.bytes', value: '500000' }];
      await admin.alterConfigs({ validateOnly: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }] });
      return config('max.message.bytes');
    },
    produce,
    consume: async (codec, partition) => {
      const { consumer, got } = await member(`${topic}-consume-${codec}`);
      const here = () => got.filter((m) => m.partition === partition);
      await steps.until(() => here().length >= steps.RECORDS);
      await consumer.disconnect();
      return steps.digest(here());
    },
    timestamp: async () => {
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, steps.record('none', 10).timestamp);
      const { consumer, got } = await member(`${topic}-timestamp`, { 0: Number(found.find((p) => p.partition === 0).offset) });
      const first = () => got.find((m) => m.partition === 0);
      await steps.until(first);
      await consumer.disconnect();
      return `offset ${first().offset}, key ${first().key}`;
    },
    group: async () => {
      let { consumer, got } = await member(`${topic}-group`);
      await steps.until(() => got.length >= written);
      if (got.length !== written) return `read ${got.length} of ${written}`;
      const commit = { 0: steps.COMMIT_AT };
      for (const m of got) if (m.partition) commit[m.partition] = m.offset + 1;
      await consumer.commitOffsets(Object.entries(commit).map(([p, o]) => ({ topic, partition: Number(p), offset: String(o) })));
      await consumer.disconnect();
      ({ consumer, got } = await member(`${topic}-group`));
      await steps.until(() => got.length >= steps.RECORDS - steps.COMMIT_AT);
      await steps.pause(1000);
      await consumer.disconnect();
      return steps.resumed(got.map((m) => `${m.partition}@${m.offset}`));
    },
    'delete-records': async () => {
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
      return `partition 0 starts at ${(await admin.fetchTopicOffsets(topic)).find((p) => p.partition === 0).low}`;
    },
    'create-partitions': async () => {
      await admin.createPartitions({ topicPartitions: [{ topic, count: 6 }] });
      return `${(await described()).length} partitions`;
    },
    restart: async () => {
      const producer = kafka.producer();
      await producer.connect();
      const { consumer, got } = await member(`${topic}-restart`, { 0: steps.RECORDS - 1 });
      await steps.until(() => got.some((m) => m.partition === 0));
      await steps.restart();
      await write(producer, 'none', 0, steps.RECORDS, 5);
      const after = () => got.filter((m) => m.partition === 0 && m.offset >= steps.RECORDS);
      await steps.until(() => after().length >= 5);
      await producer.disconnect();
      await consumer.disconnect();
      return `${after().length} records written, read at ${after()[0].offset}..${after()[after().length - 1].offset}`;
    },
    'delete-topic': async () => {
      await admin.deleteTopics({ topics: [topic] });
      return (await admin.listTopics()).includes(topic) ? 'still there' : 'gone';
    },
  };
});
