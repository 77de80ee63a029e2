import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.quota.*;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What golden.sh asks a broker to store. Arguments: bootstrap address, and "first" or "second" for the run. */
public class Golden {
    static String server;

    static KafkaProducer<byte[], byte[]> producer(Object... more) {
        Map<String, Object> c = new HashMap<>();
        c.put("bootstrap.servers", server);
        c.put("key.serializer", ByteArraySerializer.class);
        c.put("value.serializer", ByteArraySerializer.class);
        c.put("linger.ms", 200);
        for (int i = 0; i < more.length; i += 2) c.put((String) more[i], more[i + 1]);
        return new KafkaProducer<>(c);
    }

    static byte[] b(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

    static ProducerRecord<byte[], byte[]> record(String topic, String key, String value) {
        return new ProducerRecord<>(topic, 0, 1700000000000L + (clock += 1000), b(key), b(value));
    }

    static long clock = 0;

    public static void main(String[] args) throws Exception {
        server = args[0];
        if (args[1].equals("second")) { second(); return; }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", server))) {
            Map<String, String> small = Map.of("segment.index.bytes", "120", "index.interval.bytes", "100",
                "message.timestamp.before.max.ms", "9223372036854775807");
            Map<String, String> compact = new HashMap<>(small);
            compact.putAll(Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "86400000"));
            admin.createTopics(List.of(
                new NewTopic("orders", 1, (short) 1).configs(small),
                new NewTopic("compacted", 1, (short) 1).configs(compact),
                new NewTopic("appendtime", 1, (short) 1).configs(Map.of("message.timestamp.type", "LogAppendTime")),
                new NewTopic("dropped", 2, (short) 1))).all().get();

            try (var p = producer("enable.idempotence", false)) {
                var rich = record("orders", "key-1", "a value with \"quotes\", a \\ and ü");
                rich.headers().add(new RecordHeader("trace", b("abc"))).add(new RecordHeader("nothing", (byte[]) null)).add(new RecordHeader("é", new byte[]{0, 1, (byte) 255}));
                p.send(rich);
                p.send(record("orders", null, "no key"));
                p.send(record("orders", "tombstone", null));
                p.send(record("orders", "", ""));
                p.send(new ProducerRecord<>("orders", 0, 1700000000000L + (clock += 1000), new byte[]{0, 10, 13, 127, (byte) 128, (byte) 255}, b("line\nbreak\ttab")));
                p.flush();
                p.send(record("appendtime", "k", "v"));
            }
            for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
                try (var p = producer("compression.type", codec)) {
                    for (int i = 0; i < 4; i++) p.send(record("orders", "k" + i, codec + " ".repeat(50) + i));
                }
            try (var p = producer("transactional.id", "tx-1")) {
                p.initTransactions();
                for (int t = 0; t < 6; t++) {
                    p.beginTransaction();
                    for (int i = 0; i < 2; i++) p.send(record("orders", "tx", "transaction " + t + " record " + i));
                    p.flush();
                    if (t % 3 == 1) p.abortTransaction(); else p.commitTransaction();
                }
            }
            try (var p = producer("linger.ms", 0)) {
                for (int i = 0; i < 30; i++) {
                    p.send(record("compacted", "k" + i % 4, i % 10 == 3 ? null : "v".repeat(100) + i)).get();
                }
            }
            admin.deleteRecords(Map.of(new TopicPartition("orders", 0), RecordsToDelete.beforeOffset(2))).all().get();
            admin.deleteTopics(List.of("dropped")).all().get();
            admin.alterClientQuotas(List.of(new ClientQuotaAlteration(new ClientQuotaEntity(Map.of("user", "alice")),
                List.of(new ClientQuotaAlteration.Op("producer_byte_rate", 1024.0))))).all().get();
            admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion("alice",
                new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), b("secret"), b("salt")))).all().get();
            admin.createAcls(List.of(new AclBinding(new ResourcePattern(ResourceType.TOPIC, "ord", PatternType.PREFIXED),
                new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW)))).all().get();
            admin.incrementalAlterConfigs(Map.of(new ConfigResource2().broker(), List.of(
                new AlterConfigOp(new ConfigEntry("log.retention.ms", "86400000"), AlterConfigOp.OpType.SET)))).all().get();
            Thread.sleep(6000); // the cleaner has had its turn
        }
    }

    static class ConfigResource2 {
        org.apache.kafka.common.config.ConfigResource broker() {
            return new org.apache.kafka.common.config.ConfigResource(org.apache.kafka.common.config.ConfigResource.Type.BROKER, "");
        }
    }

    /** After a restart: a new leader epoch and a transaction that stays open when the broker is killed. */
    static void second() throws Exception {
        clock = 500000;
        var p = producer("transactional.id", "tx-2");
        p.initTransactions();
        p.beginTransaction();
        p.send(record("orders", "tx", "open"));
        p.flush();
        Runtime.getRuntime().halt(0);
    }
}
