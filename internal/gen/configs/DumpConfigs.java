// Prints Kafka's configuration definitions as JSON: names, types, defaults, validators, update modes
// and synonyms. Documentation texts are left out on purpose.
//
//   java -cp "$(cat cp.txt)" internal/gen/configs/DumpConfigs.java > internal/gen/configs/defs.json
//
// It reads the classes of the Kafka release on the classpath by reflection, so that nothing is typed by hand.
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;

import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;

public class DumpConfigs {
    public static void main(String[] args) throws Exception {
        Map<String, Object> out = new TreeMap<>();
        out.put("broker", rows(AbstractKafkaConfig.CONFIG_DEF));
        out.put("topic", rows(LogConfig.configDefCopy()));
        out.put("group", rows((ConfigDef) constant(GroupConfig.class, "CONFIG_DEF")));
        out.put("clientMetrics", rows(ClientMetricsConfigs.configDef()));
        out.put("dynamicOnly", rows(QuotaConfig.brokerQuotaConfigs()));
        out.put("userQuota", rows(QuotaConfig.userAndClientQuotaConfigs()));
        out.put("ipQuota", rows(QuotaConfig.ipConfigs()));
        out.put("modes", new TreeMap<>(DynamicBrokerConfig.dynamicConfigUpdateModes()));
        out.put("security", new TreeSet<>(DynamicBrokerConfig.DYNAMIC_SECURITY_CONFIGS));
        Map<String, Object> synonyms = new TreeMap<>();
        for (Map.Entry<String, List<ConfigSynonym>> e : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.entrySet()) {
            List<Object> list = new ArrayList<>();
            for (ConfigSynonym s : e.getValue())
                list.add(Map.of("name", s.name(), "factor", Long.parseLong(s.converter().apply("1"))));
            synonyms.put(e.getKey(), list);
        }
        out.put("topicSynonyms", synonyms);
        Map<String, Object> groupSynonyms = new TreeMap<>();
        for (Map.Entry<?, ?> e : ((Map<?, ?>) constant(GroupConfig.class, "ALL_GROUP_CONFIG_SYNONYMS")).entrySet()) {
            Object v = e.getValue();
            groupSynonyms.put((String) e.getKey(), v instanceof Optional ? ((Optional<?>) v).orElse(null) : v);
        }
        out.put("groupSynonyms", groupSynonyms);
        StringBuilder sb = new StringBuilder();
        json(sb, out);
        System.out.println(sb);
    }

    static Object constant(Class<?> c, String name) throws Exception {
        Field f = c.getDeclaredField(name);
        f.setAccessible(true);
        return f.get(null);
    }

    static List<Object> rows(ConfigDef def) throws Exception {
        List<Object> out = new ArrayList<>();
        for (ConfigDef.ConfigKey k : new TreeMap<>(def.configKeys()).values()) {
            Map<String, Object> row = new TreeMap<>();
            row.put("name", k.name);
            row.put("type", k.type.name());
            row.put("hasDefault", k.hasDefault());
            row.put("default", !k.hasDefault() || k.defaultValue == null ? null :
                k.defaultValue instanceof Password ? ((Password) k.defaultValue).value() : ConfigDef.convertToString(k.defaultValue, k.type));
            row.put("internal", k.internalConfig);
            row.put("validator", validator(k.validator));
            out.add(row);
        }
        return out;
    }

    static Object validator(Object v) throws Exception {
        if (v == null) return null;
        Map<String, Object> out = new TreeMap<>();
        out.put("kind", v.getClass().getSimpleName().isEmpty() ? v.getClass().getName() : v.getClass().getSimpleName());
        if (v.getClass().getName().startsWith("org.apache.kafka.common.config.ConfigDef$")) {
            for (Field f : v.getClass().getDeclaredFields()) {
                if (java.lang.reflect.Modifier.isStatic(f.getModifiers())) continue;
                f.setAccessible(true);
                Object x = f.get(v);
                if (x instanceof Collection && f.getName().equals("validators")) {
                    List<Object> list = new ArrayList<>();
                    for (Object o : (Collection<?>) x) list.add(validator(o));
                    x = list;
                } else if (x instanceof ConfigDef.Validator) {
                    x = validator(x);
                } else if (!(x == null || x instanceof Number || x instanceof Boolean || x instanceof Collection || x instanceof String)) {
                    continue;
                }
                out.put(f.getName(), x instanceof Number ? x.toString() : x);
            }
        }
        return out;
    }

    static void json(StringBuilder sb, Object o) {
        if (o == null || o instanceof Boolean || o instanceof Number) {
            sb.append(o);
        } else if (o instanceof Map) {
            String sep = "{";
            for (Map.Entry<?, ?> e : ((Map<?, ?>) o).entrySet()) {
                sb.append(sep);
                json(sb, String.valueOf(e.getKey()));
                sb.append(":");
                json(sb, e.getValue());
                sep = ",";
            }
            sb.append(sep.equals("{") ? "{}" : "}");
        } else if (o instanceof Collection) {
            String sep = "[", line = "";
            for (Object x : (Collection<?>) o) {
                line = x instanceof Map ? "\n" : "";
                sb.append(sep).append(line);
                json(sb, x);
                sep = ",";
            }
            sb.append(sep.equals("[") ? "[]" : line + "]");
        } else {
            sb.append('"');
            for (char c : String.valueOf(o).toCharArray()) {
                if (c == '"' || c == '\\') sb.append('\\').append(c);
                else if (c < 0x20) sb.append(String.format("\\u%04x", (int) c));
                else sb.append(c);
            }
            sb.append('"');
        }
    }
}
