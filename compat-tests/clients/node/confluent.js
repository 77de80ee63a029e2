'use strict';
// The steps with @confluentinc/kafka-javascript, by its promise API; consumers that belong to no group by its
// callback API, whose assign needs no coordinator, and so are partitions added: confluent.js --steps LIST BOOTSTRAP TOPIC.

const { AdminClient, CODES: { ERRORS: ErrorCodes }, KafkaJS, KafkaConsumer } = require('@confluentinc/kafka-javascript');
const shared = require('./member');
const steps = require('./steps');

steps.run((bootstrap, topic) => {
  const kafka = new KafkaJS.Kafka({ kafkaJS: { brokers: [bootstrap], logLevel: KafkaJS.logLevel.NOTHING } });
  const admin = kafka.admin();
  let written = 0;

  const described = async () => (await admin.fetchTopicMetadata({ topics: [topic] }))[0].partitions;
  const connected = async (codec) => {
    const producer = kafka.producer({ 'compression.type': codec, 'enable.idempotence': true });
    await producer.connect();
    return producer;
  };
  const write = async (producer, codec, partition, from, n) => {
    const messages = [];
    for (let i = from; i < from + n; i++) {
      const r = steps.record(codec, i);
      messages.push({ partition, key: r.key, value: r.value, timestamp: String(r.timestamp), headers: { codec } });
    }
    const answers = await producer.send({ topic, messages });
    written += n;
    const first = Math.min(...answers.map((a) => Number(a.baseOffset)));
    return `${n} records at ${first}..${first + n - 1}`;
  };

  // at assigns one partition and collects what comes.
  const at = (partition, offset) => new Promise((done, fail) => {
    const got = [];
    const consumer = new KafkaConsumer({ 'bootstrap.servers': bootstrap, 'group.id': 'none', 'enable.auto.commit': false }, { 'auto.offset.reset': 'earliest' });
    consumer.on('event.error', () => {}); // a restart is seen here too
    consumer.on('data', (m) => got.push({ offset: m.offset, key: m.key, value: m.value, headers: m.headers[0] }));
    consumer.connect({}, (error) => {
      if (error) return fail(error);
      consumer.assign([{ topic, partition, offset }]);
      consumer.consume();
      return done({ got, close: () => new Promise((closed) => consumer.disconnect(closed)) });
    });
  });

  const member = async (groupId, more) => {
    const consumer = kafka.consumer({ 'group.id': groupId, 'auto.offset.reset': 'earliest', 'enable.auto.commit': false, ...more });
    const got = [];
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ eachMessage: async ({ partition, message }) => got.push({ partition, offset: Number(message.offset) }) });
    return { consumer, got };
  };
  const group = async (name, more) => {
    let { consumer, got } = await member(`${topic}-${name}`, more);
    await steps.until(() => got.length >= written);
    if (got.length !== written) return `read ${got.length} of ${written}`;
    const commit = { 0: steps.COMMIT_AT };
    for (const m of got) if (m.partition) commit[m.partition] = Math.max(commit[m.partition] || 0, m.offset + 1);
    await consumer.commitOffsets(Object.entries(commit).map(([p, o]) => ({ topic, partition: Number(p), offset: String(o) })));
    await consumer.disconnect();
    ({ consumer, got } = await member(`${topic}-${name}`, more));
    await steps.until(() => got.length >= steps.RECORDS - steps.COMMIT_AT);
    await steps.pause(1000);
    await consumer.disconnect();
    return steps.resumed(got.map((m) => `${m.partition}@${m.offset}`));
  };

  const shares = async () => {
    const leave = shared.toldToLeave();
    const consumer = kafka.consumer({
      'group.id': shared.GROUP, 'group.protocol': shared.PROTOCOL, 'auto.offset.reset': 'earliest', 'enable.auto.commit': false,
      ...(shared.PROTOCOL === 'classic' ? { 'session.timeout.ms': shared.SESSION } : {}),
      rebalance_cb: (error, changed) => {
        if (leaving) return;
        const assigned = error.code === ErrorCodes.ERR__ASSIGN_PARTITIONS;
        for (const { partition } of changed) assigned ? partitions.add(partition) : partitions.delete(partition);
        if (!assigned) held.forget(changed.map((p) => p.partition));
        if (assigned || shared.PROTOCOL === 'consumer') shared.has(partitions);
      },
    });
    const held = shared.held(topic, (offsets) => consumer.commitOffsets(offsets));
    const partitions = new Set();
    let leaving = false;
    await consumer.connect();
    await consumer.subscribe({ topics: [topic] });
    await consumer.run({ eachMessage: ({ partition, message }) => held.read(partition, message) });
    await leave;
    leaving = true;
    await consumer.disconnect();
    shared.say('left');
    process.exit(0);
  };

  return {
    member: shares,
    connect: async () => {
      await admin.connect();
      const consumer = new KafkaConsumer({ 'bootstrap.servers': bootstrap, 'group.id': 'none' }, {});
      const metadata = await new Promise((done, fail) => consumer.connect({}, (error, found) => (error ? fail(error) : done(found))));
      await new Promise((closed) => consumer.disconnect(closed));
      return `${metadata.brokers.length} broker`;
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
    produce: async (codec, partition) => {
      const producer = await connected(codec);
      const line = await write(producer, codec, partition, 0, steps.RECORDS);
      await producer.disconnect();
      return line;
    },
    consume: async (codec, partition) => {
      const { got, close } = await at(partition, 0);
      await steps.until(() => got.length >= steps.RECORDS);
      await close();
      return steps.digest(got);
    },
    timestamp: async () => {
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, steps.record('none', 10).timestamp);
      const { got, close } = await at(0, Number(found.find((p) => p.partition === 0).offset));
      await steps.until(() => got.length);
      await close();
      return `offset ${got[0].offset}, key ${got[0].key}`;
    },
    group: () => group('group', {}),
    'group-consumer': () => group('group-consumer', { 'group.protocol': 'consumer' }),
    'delete-records': async () => {
      const [p] = await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] });
      return `partition 0 starts at ${p.lowWatermark}`;
    },
    'create-partitions': async () => {
      const callbacks = AdminClient.create({ 'bootstrap.servers': bootstrap });
      await new Promise((done, fail) => callbacks.createPartitions(topic, 6, 30000, (error) => (error ? fail(error) : done())));
      callbacks.disconnect();
      return `${(await described()).length} partitions`;
    },
    restart: async () => {
      const producer = await connected('none');
      const { got, close } = await at(0, steps.RECORDS - 1);
      await steps.until(() => got.length);
      await steps.restart();
      await write(producer, 'none', 0, steps.RECORDS, 5);
      await steps.until(() => got.length >= 6);
      await close();
      await producer.disconnect();
      return `${got.length - 1} records written, read at ${got[1].offset}..${got[got.length - 1].offset}`;
    },
    'delete-topic': async () => {
      await admin.deleteTopics({ topics: [topic] });
      return (await admin.listTopics()).includes(topic) ? 'still there' : 'gone';
    },
  };
});
