import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.*;
import java.util.*;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.coordinator.common.runtime.CoordinatorRecord;
import org.apache.kafka.coordinator.group.GroupCoordinatorRecordSerde;
import org.apache.kafka.coordinator.group.generated.*;
import org.apache.kafka.server.common.ApiMessageAndVersion;

/**
 * Random records of every type and version, written by Kafka's own classes:
 *
 *   java -cp "$(cat cp.txt)" Records.java > kafka-4.4.0-records.txt
 *
 * A line is "key value keyJSON valueJSON" with the bytes in hex; a value of "-" is a tombstone. With a fifth word
 * "newer" the record has tagged fields that Kafka 4.4 does not know.
 */
public class Records {
    static final Random random = new Random(848);

    public static void main(String[] args) throws Exception {
        System.out.println("# Records of __consumer_offsets as Apache Kafka 4.4.0 writes and prints them; made by Records.java.");
        var serde = new GroupCoordinatorRecordSerde();
        for (CoordinatorRecordType type : CoordinatorRecordType.values()) {
            ApiMessage first = type.newRecordValue();
            for (short v = first.lowestSupportedVersion(); v <= first.highestSupportedVersion(); v++) {
                for (int i = 0; i < 8; i++) {
                    ApiMessage key = type.newRecordKey(), value = type.newRecordValue();
                    fill(key, (short) 0, i);
                    fill(value, v, i);
                    boolean newer = i == 7 && flexible(value, v);
                    if (newer) {
                        value.unknownTaggedFields().add(new RawTaggedField(100, new byte[]{1, 2, 3}));
                        value.unknownTaggedFields().add(new RawTaggedField(10000, new byte[0]));
                    }
                    print(serde, key, value, v, newer);
                }
            }
            ApiMessage key = type.newRecordKey();
            fill(key, (short) 0, 5);
            print(serde, key, null, (short) 0, false);
        }
    }

    static void print(GroupCoordinatorRecordSerde serde, ApiMessage key, ApiMessage value, short v, boolean newer) {
        var r = value == null ? CoordinatorRecord.tombstone(key) : CoordinatorRecord.record(key, new ApiMessageAndVersion(value, v));
        JsonNode json = value == null ? null : CoordinatorRecordJsonConverters.writeRecordValueAsJson(value, v);
        System.out.println(hex(serde.serializeKey(r)) + " " + (value == null ? "-" : hex(serde.serializeValue(r))) + " "
            + CoordinatorRecordJsonConverters.writeRecordKeyAsJson(key) + " " + json + (newer ? " newer" : ""));
    }

    static String hex(byte[] b) { return HexFormat.of().formatHex(b); }

    static boolean flexible(Message m, short v) {
        m.unknownTaggedFields().add(new RawTaggedField(100, new byte[0]));
        try {
            size(m, v);
            return true;
        } catch (RuntimeException e) {
            return false;
        } finally {
            m.unknownTaggedFields().clear();
        }
    }

    static void size(Message m, short v) { MessageUtil.toByteBufferAccessor(m, v); }

    /** Gives fields random values; in rounds 0 and 1 those that are allowed to be null mostly are. */
    static void fill(Message m, short v, int round) throws Exception {
        for (Field f : m.getClass().getDeclaredFields()) {
            if (skipped(f)) continue;
            f.setAccessible(true);
            if (round == 2 && random.nextBoolean()) continue; // a default
            f.set(m, f.getName().equals("port") ? random.nextInt(65536) : random(f.getGenericType(), v, round));
            if (!f.getType().isPrimitive() && (round < 2 || random.nextInt(4) == 0)) {
                Object kept = f.get(m);
                f.set(m, null);
                try {
                    size(m, v);
                } catch (NullPointerException e) {
                    f.set(m, kept);
                }
            }
        }
    }

    static boolean skipped(Field f) { return Modifier.isStatic(f.getModifiers()) || f.getName().equals("_unknownTaggedFields"); }

    static Object random(Type type, short v, int round) throws Exception {
        if (type instanceof ParameterizedType p) {
            var list = new ArrayList<Object>();
            for (int n = random.nextInt(round == 0 ? 1 : 4); n > 0; n--) list.add(random(p.getActualTypeArguments()[0], v, round));
            return list;
        }
        Class<?> c = (Class<?>) type;
        if (c == long.class) return random.nextLong();
        if (c == int.class || c == Integer.class) return random.nextInt(3) == 0 ? random.nextInt() : random.nextInt(100) - 1;
        if (c == short.class || c == Short.class) return (short) random.nextInt();
        if (c == byte.class) return (byte) random.nextInt();
        if (c == boolean.class) return random.nextBoolean();
        if (c == String.class) return "aé\u20ac🙂-topic".substring(0, random.nextInt(4)) + (random.nextInt(8) == 0 ? "x".repeat(200) : "");
        if (c == byte[].class) {
            byte[] b = new byte[random.nextInt(8) == 0 ? 150 : random.nextInt(5)];
            random.nextBytes(b);
            return b;
        }
        if (c == Uuid.class) return new Uuid(random.nextLong(), random.nextLong());
        if (Message.class.isAssignableFrom(c)) {
            Message m = (Message) c.getDeclaredConstructor().newInstance();
            fill(m, v, round);
            return m;
        }
        throw new IllegalArgumentException(type.toString());
    }
}
