// Answers the scripts in config/testdata with Kafka's own words: reads a datadriven script, asks Kafka's classes, and
// prints the script with the answers in it.
//
//   java -cp "$(cat cp.txt)" internal/gen/configs/OracleConfigs.java config/testdata/file_rules.txt > new && mv new config/testdata/file_rules.txt
//
// Commands: `file` (a properties file), `topic`, `group`, `metrics`, `broker` and `brokers` (dynamic configuration of one and of all
// brokers, names and values only). Properties files are given node.id, process.roles, listeners and so on by `base`.
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;

public class OracleConfigs {
    public static void main(String[] args) throws Exception {
        java.io.PrintStream stdout = System.out;
        System.setOut(System.err); // log lines must not get into the script
        StringBuilder out = new StringBuilder(), input = new StringBuilder();
        String command = null;
        boolean skip = false;
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            if (skip) {
                if (line.isEmpty()) {
                    skip = false;
                    out.append("\n");
                }
                continue;
            }
            if (line.equals("----")) {
                out.append("----\n").append(answer(command, input.toString())).append("\n");
                command = null;
                skip = true;
                continue;
            }
            out.append(line).append("\n");
            if (command == null) {
                if (!line.isEmpty() && !line.startsWith("#")) {
                    command = line;
                    input.setLength(0);
                }
            } else {
                input.append(line).append("\n");
            }
        }
        stdout.print(out);
    }

    static final String BASE = "node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n" +
        "controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=localhost:9093\n";

    static String answer(String command, String text) {
        try {
            Properties p = new Properties();
            String[] words = command.split(" ");
            if (words.length > 1 && words[1].equals("base")) p.load(new StringReader(BASE));
            p.load(new StringReader(text));
            Map<String, String> map = new HashMap<>();
            for (String k : p.stringPropertyNames()) map.put(k, p.getProperty(k));
            kafka.server.KafkaConfig broker = null;
            if (!words[0].equals("file")) {
                Properties b = new Properties();
                b.load(new StringReader(BASE));
                if (command.contains("tiered")) b.setProperty("remote.log.storage.system.enable", "true");
                broker = kafka.server.KafkaConfig.fromProps(b, false);
            }
            switch (words[0]) {
                case "file":
                    kafka.server.KafkaConfig.fromProps(p, false);
                    break;
                case "topic":
                    Map<String, String> existing = new HashMap<>();
                    if (command.contains("was-remote")) existing.put("remote.storage.enable", "true");
                    LogConfig.validate(existing, map, broker.extractLogConfigMap(), command.contains("tiered"));
                    break;
                case "group":
                    groupValidate(map, broker);
                    break;
                case "metrics":
                    ClientMetricsConfigs.validate("m", map);
                    break;
                case "broker":
                    DynamicBrokerConfig.validateConfigs(p, p, true);
                    break;
                case "brokers":
                    DynamicBrokerConfig.validateConfigs(p, p, false);
                    break;
                default:
                    return "unknown command";
            }
            return "ok";
        } catch (java.lang.reflect.InvocationTargetException e) {
            return e.getCause().getMessage();
        } catch (Throwable e) {
            return e.getMessage();
        }
    }

    static void groupValidate(Map<String, String> map, kafka.server.KafkaConfig broker) throws Exception {
        for (java.lang.reflect.Method m : org.apache.kafka.coordinator.group.GroupConfig.class.getMethods()) {
            if (!m.getName().equals("validate")) continue;
            Object[] args = new Object[m.getParameterCount()];
            for (int i = 0; i < args.length; i++) {
                Class<?> t = m.getParameterTypes()[i];
                if (t == Map.class) args[i] = map;
                else if (t.getSimpleName().equals("GroupCoordinatorConfig")) args[i] = broker.groupCoordinatorConfig();
                else if (t.getSimpleName().equals("ShareGroupConfig")) args[i] = broker.shareGroupConfig();
                else throw new IllegalStateException("parameter " + t);
            }
            m.invoke(null, args);
            return;
        }
        throw new IllegalStateException("no validate method in " + List.of(org.apache.kafka.coordinator.group.GroupConfig.class.getMethods()));
    }
}
