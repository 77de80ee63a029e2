// Fills a broker with small topics whose directories the storage tests compare with. Usage: see make.sh.
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Golden {
    static final long START = 1_700_000_000_000L;
    static String bootstrap;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        boolean first = args[1].equals("first");
        if (first) createTopics();
        plain(first ? 0 : 1000, first ? 120 : 10);
        codecs(first ? 0 : 1000, first ? 12 : 3);
        transactions(first ? 0 : 1000, first ? 14 : 2);
        appendTime(first ? 30 : 3);
        if (first) deleteRecords();
        if (!first) openTransaction();
    }

    static void createTopics() throws Exception {
        Map<String, String> config = new HashMap<>(Map.of(
            "internal.segment.bytes", "8192", "segment.index.bytes", "2048", "index.interval.bytes", "512",
            "message.timestamp.before.max.ms", String.valueOf(Long.MAX_VALUE), "retention.ms", "-1"));
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            List<NewTopic> topics = new ArrayList<>();
            for (String name : List.of("plain", "codecs", "txn", "deleted"))
                topics.add(new NewTopic(name, 1, (short) 1).configs(config));
            Map<String, String> appendTime = new HashMap<>(config);
            appendTime.put("message.timestamp.type", "LogAppendTime");
            topics.add(new NewTopic("appendtime", 1, (short) 1).configs(appendTime));
            topics.add(new NewTopic("empty", 1, (short) 1).configs(config));
            admin.createTopics(topics).all().get();
        }
    }

    static KafkaProducer<byte[], byte[]> producer(Object... more) {
        Map<String, Object> p = new HashMap<>();
        p.put("bootstrap.servers", bootstrap);
        p.put("linger.ms", 1000);
        p.put("batch.size", 1 << 20);
        for (int i = 0; i < more.length; i += 2) p.put((String) more[i], more[i + 1]);
        return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    }

    // One batch: records sent together, then flushed. Timestamps wander, so that time indexes have something to skip.
    static void batch(KafkaProducer<byte[], byte[]> p, String topic, int n, int records, int size) {
        Random r = new Random(n);
        for (int i = 0; i < records; i++) {
            byte[] value = new byte[size];
            for (int j = 0; j < size; j++) value[j] = (byte) ('a' + r.nextInt(6));
            long ts = START + n * 1000L + (n % 3 == 2 ? -5000 : 0) + i * 7L % 13;
            p.send(new ProducerRecord<>(topic, 0, ts, n % 5 == 0 ? null : ("key-" + n + "-" + i).getBytes(), value));
        }
        p.flush();
    }

    static void plain(int from, int batches) {
        try (var p = producer("enable.idempotence", false, "acks", "1")) {
            for (int n = 0; n < batches; n++) batch(p, "plain", from + n, 1 + n % 4, 40 + n % 7 * 30);
        }
    }

    static void codecs(int from, int rounds) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var p = producer("compression.type", codec)) {
                for (int n = 0; n < rounds; n++) batch(p, "codecs", from + n, 5, 200);
            }
        }
    }

    static void transactions(int from, int rounds) {
        try (var a = producer("transactional.id", "a"); var b = producer("transactional.id", "b"); var c = producer()) {
            a.initTransactions();
            b.initTransactions();
            for (int n = 0; n < rounds; n++) {
                a.beginTransaction();
                b.beginTransaction();
                batch(a, "txn", from + n, 2, 150);
                batch(b, "txn", from + n, 3, 100);
                batch(a, "txn", from + n + 500, 1, 60);
                batch(c, "txn", from + n, 1, 80);
                if (n % 3 == 0) a.abortTransaction(); else a.commitTransaction();
                if (n % 4 == 1) b.abortTransaction(); else b.commitTransaction();
            }
        }
    }

    static void appendTime(int batches) {
        try (var p = producer("compression.type", "lz4")) {
            for (int n = 0; n < batches; n++) batch(p, "appendtime", n, 3, 300);
        }
    }

    static void deleteRecords() throws Exception {
        try (var p = producer(); Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
            for (int n = 0; n < 40; n++) batch(p, "deleted", n, 2, 200);
            admin.deleteRecords(Map.of(new org.apache.kafka.common.TopicPartition("deleted", 0), RecordsToDelete.beforeOffset(11))).all().get();
        }
    }

    static void openTransaction() throws Exception {
        var p = producer("transactional.id", "open", "transaction.timeout.ms", 600_000);
        p.initTransactions();
        p.beginTransaction();
        batch(p, "txn", 2000, 2, 90);
        Runtime.getRuntime().halt(0);
    }
}
