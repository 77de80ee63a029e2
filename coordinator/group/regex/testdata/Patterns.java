import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.util.*;
import java.util.zip.GZIPOutputStream;

/**
 * What RE2J, which Apache Kafka resolves subscriptions with, makes of the patterns of patterns.txt and of random ones:
 *
 *   java -cp "$(cat cp.txt)" Patterns.java patterns.txt re2j-1.8.json.gz
 *
 * A line is {"pattern", "error", "topics"}: the description of the error, or which of the topics in the first line match.
 */
public class Patterns {
    static final Random random = new Random(848);
    static final String[] TOPICS = {"a", "b", "ab", "abc", "aab", "A", "B", "s", "k", "foo", "foo.bar", "foo-bar", "foo_bar", "Foo.Bar", "foobar", "payments.v1",
        "payments.v2", "payments-v1", "1", "42", "a.b.c", "x-1_2.3", "_", "-", "__consumer_offsets", "zzz", "aaa", "abab", "K8s", "Q", "E"};

    public static void main(String[] args) throws Exception {
        List<String> all = new ArrayList<>();
        var json = new ObjectMapper();
        for (String line : Files.readAllLines(Path.of(args[0]), StandardCharsets.UTF_8))
            if (!line.startsWith("#")) all.add(line.startsWith("\"") ? json.readValue(line, String.class) : line);
        while (all.size() < 6000) all.add(expression(3));
        try (var out = new PrintWriter(new OutputStreamWriter(new GZIPOutputStream(new FileOutputStream(args[1])), "UTF-8"))) {
            out.println(json.writeValueAsString(TOPICS));
            for (String p : all) {
                Map<String, Object> line = new LinkedHashMap<>();
                line.put("pattern", p);
                try {
                    Pattern compiled = Pattern.compile(p);
                    List<Integer> matches = new ArrayList<>();
                    for (int i = 0; i < TOPICS.length; i++) if (compiled.matcher(TOPICS[i]).matches()) matches.add(i);
                    line.put("topics", matches);
                } catch (PatternSyntaxException e) {
                    line.put("error", e.getDescription());
                } catch (Throwable e) {
                    line.put("error", "! " + e.getClass().getName());
                }
                out.println(json.writeValueAsString(line));
            }
        }
    }

    static final String[] ATOMS = {"a", "b", "c", "A", "foo", "bar", ".", "\\.", "-", "_", "\\d", "\\w", "\\S", "\\D", "[a-c]", "[^a]", "[[:alpha:]]", "[A-Z0-9_]", "[\\w.-]",
        "\\pL", "\\p{Lu}", "\\P{Greek}", "[^\\pL]", "\\Qa.b\\E", "\\Q", "\\E", "^", "$", "\\A", "\\z", "\\b", "\\B", "\\x61", "\\x{62}", "\\141", "\\0", "(?i)", "(?s)", "(?U)", "(?m)", "(?-i)",
        "(?i:ab)", "(?i:K)", "\\C", "\\Z", "\\1", "\\8", "[", "]", "(", ")", "{", "}", "{2}", "\\", "|", "\\t", "\\h", "[[:foo:]]", "[b-a]", "[a-\\d]", "[]a]", "[^]a]", "(?P<n>a)", "(?<n>a)",
        "(?P<n", "(?P<1>a)", "(?=a)", "(?!a)", "(?>a)", "\\K", "\\u0061", "\\cA", "\\R", "\\X", "é", "🙂", "[é-ü]", "[:alpha:]", "[a&&b]", " ", "#", "x{1000}", "x{1001}"};
    static final String[] REPEATS = {"*", "+", "?", "{2}", "{1,2}", "{0,}", "{,2}", "{2,1}", "*?", "+?", "??", "{2}?", "**", "*+", "+*", "{2}{3}", "{a}", "{1", "{100}", "{1000}", "{0}"};

    static String expression(int depth) {
        var s = new StringBuilder();
        for (int n = 1 + random.nextInt(4); n > 0; n--) {
            int kind = random.nextInt(10);
            if (kind < 2 && depth > 0) s.append(random.nextBoolean() ? "(" : "(?:").append(expression(depth - 1)).append(')');
            else if (kind < 3 && depth > 0) s.append(expression(depth - 1)).append('|').append(expression(depth - 1));
            else s.append(ATOMS[random.nextInt(random.nextInt(3) > 0 ? 30 : ATOMS.length)]);
            if (random.nextInt(4) == 0) s.append(REPEATS[random.nextInt(random.nextInt(3) > 0 ? 10 : REPEATS.length)]);
        }
        return s.toString();
    }
}
