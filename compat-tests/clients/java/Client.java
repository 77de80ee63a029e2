import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The steps with Kafka's Java client, of any version from 2.8 on: Client --steps LIST BOOTSTRAP TOPIC. */
public final class Client {
  static final int RECORDS = 20;
  static final int COMMIT_AT = 12;
  static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");

  final String bootstrap;
  final String topic;
  final Admin admin;
  int written;

  Client(String bootstrap, String topic) {
    this.bootstrap = bootstrap;
    this.topic = topic;
    this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
  }

  public static void main(String[] args) {
    if (args.length != 4 || !args[0].equals("--steps")) {
      System.err.println("usage: Client --steps LIST BOOTSTRAP TOPIC");
      System.exit(2);
    }
    Client c = new Client(args[2], args[3]);
    if (args[1].equals("member")) {
      c.member();
      System.out.println("member left");
      System.exit(0);
    }
    int code = 0;
    for (String step : args[1].split(",")) {
      String result;
      try {
        result = c.settled(step);
      } catch (Throwable e) {
        result = "failed: " + String.valueOf(e.getCause() == null ? e : e.getCause()).replace('\n', ' ');
        code = 1;
      }
      System.out.println(step + ": " + result);
    }
    System.exit(code);
  }

  /** Asks again for ten seconds what a broker may answer from before a change: it learns of it a moment later. */
  String settled(String step) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
    String result;
    while (true) {
      try {
        result = step(step);
      } catch (Exception e) {
        if (!step.equals("describe-topic") || System.nanoTime() > end) {
          throw e;
        }
        result = "";
      }
      boolean again = step.equals("alter-config") && !result.endsWith("=500000") || step.equals("describe-topic") && !result.startsWith("5 ");
      if (!again || System.nanoTime() > end) {
        break;
      }
      Thread.sleep(50);
    }
    for (; System.nanoTime() < end; Thread.sleep(50)) {
      if (result.equals("still there") && !step("list-topics").equals("in the list")) {
        return "gone";
      }
      if (result.equals("5 partitions") && step("describe-topic").startsWith("6 ")) {
        return "6 partitions";
      }
      if (!result.equals("still there") && !result.equals("5 partitions")) {
        break;
      }
    }
    return result;
  }

  String step(String step) throws Exception {
    if (step.startsWith("produce-")) {
      String codec = step.substring("produce-".length());
      try (KafkaProducer<String, String> p = producer(codec)) {
        return write(p, codec, CODECS.indexOf(codec), 0, RECORDS);
      }
    }
    if (step.startsWith("consume-")) {
      return consume(CODECS.indexOf(step.substring("consume-".length())));
    }
    switch (step) {
      case "connect":
        return get(admin.describeCluster().nodes()).size() + " broker";
      case "describe-cluster":
        return "brokers " + get(admin.describeCluster().nodes()).iterator().next().id() + ", controller " + get(admin.describeCluster().controller()).id();
      case "create-topic":
        get(admin.createTopics(List.of(new NewTopic(topic, 5, (short) 1).configs(Map.of("retention.ms", "-1")))).all());
        return "created";
      case "list-topics":
        return get(admin.listTopics().names()).contains(topic) ? "in the list" : "not in the list";
      case "describe-topic":
        List<TopicPartitionInfo> list = describe();
        TopicPartitionInfo first = list.get(0);
        return list.size() + " partitions, leader " + first.leader().id() + ", replicas " + ids(first.replicas()) + ", isr " + ids(first.isr());
      case "describe-config":
        return config("retention.ms");
      case "alter-config":
        get(admin.incrementalAlterConfigs(Map.of(resource(), List.of(new AlterConfigOp(new ConfigEntry("max.message.bytes", "500000"), AlterConfigOp.OpType.SET)))).all());
        return config("max.message.bytes");
      case "timestamp":
        return timestamp();
      case "group":
        return group(step, Map.of());
      case "group-consumer":
        return group(step, Map.of("group.protocol", "consumer"));
      case "delete-records":
        return "partition 0 starts at " + get(admin.deleteRecords(Map.of(partition(0), RecordsToDelete.beforeOffset(5))).lowWatermarks().get(partition(0))).lowWatermark();
      case "create-partitions":
        get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(6))).all());
        return describe().size() + " partitions";
      case "restart":
        return restart();
      case "delete-topic":
        get(admin.deleteTopics(List.of(topic)).all());
        return get(admin.listTopics().names()).contains(topic) ? "still there" : "gone";
      default:
        throw new IllegalArgumentException("not in this client");
    }
  }

  static <T> T get(KafkaFuture<T> f) throws Exception {
    return f.get(40, TimeUnit.SECONDS);
  }

  static List<Integer> ids(List<Node> nodes) {
    return nodes.stream().map(Node::id).collect(Collectors.toList());
  }

  TopicPartition partition(int p) {
    return new TopicPartition(topic, p);
  }

  ConfigResource resource() {
    return new ConfigResource(ConfigResource.Type.TOPIC, topic);
  }

  String config(String key) throws Exception {
    return key + "=" + get(admin.describeConfigs(List.of(resource())).all()).get(resource()).get(key).value();
  }

  /** The method was renamed in 3.1 and the old name left with 4.0. */
  @SuppressWarnings("unchecked")
  List<TopicPartitionInfo> describe() throws Exception {
    Object result = admin.describeTopics(List.of(topic));
    KafkaFuture<Map<String, TopicDescription>> all;
    try {
      all = (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod("allTopicNames").invoke(result);
    } catch (NoSuchMethodException old) {
      all = (KafkaFuture<Map<String, TopicDescription>>) result.getClass().getMethod("all").invoke(result);
    }
    return get(all).get(topic).partitions();
  }

  KafkaProducer<String, String> producer(String codec) {
    return new KafkaProducer<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 20), new StringSerializer(), new StringSerializer());
  }

  String write(KafkaProducer<String, String> p, String codec, int partition, int from, int n) throws Exception {
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (int i = from; i < from + n; i++) {
      ProducerRecord<String, String> r = new ProducerRecord<>(topic, partition, 1_700_000_000_000L + i * 1000L, "k" + i,
          String.format("%s-%02d %s", codec, i, "dohle".repeat(20)));
      r.headers().add("codec", codec.getBytes(StandardCharsets.UTF_8));
      sent.add(p.send(r));
    }
    p.flush();
    written += n;
    return n + " records at " + sent.get(0).get().offset() + ".." + sent.get(n - 1).get().offset();
  }

  KafkaConsumer<String, String> consumer(Map<String, Object> more) {
    Map<String, Object> all = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest", "enable.auto.commit", false));
    all.putAll(more);
    return new KafkaConsumer<>(all, new StringDeserializer(), new StringDeserializer());
  }

  /** Records until there are enough, or none more come in time; at least one poll. */
  static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> c, int n) {
    List<ConsumerRecord<String, String>> got = new ArrayList<>();
    for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(40); got.size() < n && System.nanoTime() < end; ) {
      c.poll(Duration.ofMillis(500)).forEach(got::add);
    }
    return got;
  }

  String consume(int partition) throws Exception {
    try (KafkaConsumer<String, String> c = consumer(Map.of())) {
      c.assign(List.of(partition(partition)));
      c.seekToBeginning(c.assignment());
      MessageDigest sum = MessageDigest.getInstance("SHA-256");
      List<ConsumerRecord<String, String>> got = poll(c, RECORDS);
      for (ConsumerRecord<String, String> r : got) {
        String header = r.headers().toArray()[0].key() + "=" + new String(r.headers().toArray()[0].value(), StandardCharsets.UTF_8);
        sum.update((r.offset() + "\t" + r.key() + "\t" + r.value() + "\t" + header + "\n").getBytes(StandardCharsets.UTF_8));
      }
      byte[] d = sum.digest();
      return got.size() + " records, sha256 " + String.format("%02x%02x%02x%02x", d[0], d[1], d[2], d[3]);
    }
  }

  String timestamp() {
    try (KafkaConsumer<String, String> c = consumer(Map.of())) {
      c.assign(List.of(partition(0)));
      c.seek(partition(0), c.offsetsForTimes(Map.of(partition(0), 1_700_000_010_000L)).get(partition(0)).offset());
      ConsumerRecord<String, String> r = poll(c, 1).get(0);
      return "offset " + r.offset() + ", key " + r.key();
    }
  }

  String group(String name, Map<String, Object> protocol) {
    Map<String, Object> config = new HashMap<>(protocol);
    config.put("group.id", topic + "-" + name);
    try (KafkaConsumer<String, String> c = consumer(config)) {
      c.subscribe(List.of(topic));
      Map<TopicPartition, OffsetAndMetadata> commit = new HashMap<>();
      List<ConsumerRecord<String, String>> got = poll(c, written);
      if (got.size() != written) {
        return "read " + got.size() + " of " + written;
      }
      got.forEach(r -> commit.put(partition(r.partition()), new OffsetAndMetadata(r.offset() + 1)));
      commit.put(partition(0), new OffsetAndMetadata(COMMIT_AT));
      c.commitSync(commit);
    }
    try (KafkaConsumer<String, String> c = consumer(config)) {
      c.subscribe(List.of(topic));
      List<ConsumerRecord<String, String>> got = poll(c, RECORDS - COMMIT_AT);
      c.poll(Duration.ofSeconds(1)).forEach(got::add);
      List<String> places = new ArrayList<>();
      List<String> want = new ArrayList<>();
      got.forEach(r -> places.add(r.partition() + "@" + r.offset()));
      for (int i = COMMIT_AT; i < RECORDS; i++) {
        want.add("0@" + i);
      }
      return places.equals(want) ? "resumed exactly" : "resumed with " + places;
    }
  }

  /** A member of the group GROUP until standard input is closed; it says what it has and what it reads. */
  void member() {
    Map<String, Object> config = new HashMap<>(Map.of("group.id", System.getenv("GROUP")));
    if ("consumer".equals(System.getenv("GROUP_PROTOCOL"))) {
      config.put("group.protocol", "consumer");
    } else {
      config.put("session.timeout.ms", 6000);
      config.put("heartbeat.interval.ms", 2000);
    }
    AtomicBoolean open = new AtomicBoolean(true);
    Thread input = new Thread(() -> {
      try {
        while (System.in.read() >= 0) {
          continue;
        }
      } catch (IOException e) {
        System.err.println("met: " + e);
      }
      open.set(false);
    });
    input.setDaemon(true);
    input.start();
    try (KafkaConsumer<String, String> c = consumer(config)) {
      c.subscribe(List.of(topic), new ConsumerRebalanceListener() {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> added) {
          has(c.assignment(), List.of());
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> removed) {
          has(c.assignment(), removed);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> removed) {
          has(c.assignment(), removed);
        }
      });
      while (open.get()) {
        int n = 0;
        for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(200))) {
          System.out.println("member read " + r.value());
          n++;
        }
        if (n > 0) {
          try {
            c.commitSync();
          } catch (KafkaException e) {
            System.err.println("met: " + e);
          }
        }
      }
    }
  }

  static void has(Collection<TopicPartition> all, Collection<TopicPartition> without) {
    System.out.println("member has" + all.stream().filter(p -> !without.contains(p)).map(TopicPartition::partition).sorted().map(p -> " " + p).collect(Collectors.joining()));
  }

  String restart() throws Exception {
    try (KafkaProducer<String, String> p = producer("none"); KafkaConsumer<String, String> c = consumer(Map.of())) {
      p.partitionsFor(topic);
      c.assign(List.of(partition(0)));
      c.seek(partition(0), RECORDS - 1);
      poll(c, 1);
      System.out.println("restart please");
      new BufferedReader(new InputStreamReader(System.in)).readLine();
      write(p, "none", 0, RECORDS, 5);
      List<ConsumerRecord<String, String>> got = poll(c, 5);
      return got.size() + " records written, read at " + got.get(0).offset() + ".." + got.get(got.size() - 1).offset();
    }
  }
}
