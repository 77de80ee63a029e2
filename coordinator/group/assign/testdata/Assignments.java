import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.*;
import java.util.*;
import java.util.zip.GZIPOutputStream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.*;

/**
 * Random groups and what Kafka's own assignors make of them, round after round as members come and go, topics grow and
 * subscriptions change; the target of a round is the current assignment of the next:
 *
 *   java -cp "$(cat cp.txt)" Assignments.java kafka-4.4.0-assignments.json.gz
 *
 * Kafka walks members in the order of the map that it is given; here that is by member id. Where it makes hash maps of
 * its own, "exact" says that their order is known to us: topic ids below 16 come out ascending.
 */
public class Assignments {
    static final Random random = new Random(848);

    static class Topic { public String id; public int partitions; }
    static class Member {
        public String id, instance;
        public Set<String> topics = new TreeSet<>();
        public Map<String, List<Integer>> current = new TreeMap<>();
        public Map<String, List<Integer>> target;
    }
    static class Round {
        public String assignor;
        public boolean mixed, exact;
        public List<Topic> topics = new ArrayList<>();
        public List<Member> members = new ArrayList<>();
    }

    public static void main(String[] args) throws Exception {
        var json = new ObjectMapper();
        try (var out = new PrintWriter(new OutputStreamWriter(new GZIPOutputStream(new FileOutputStream(args[0])), "UTF-8"))) {
            for (int group = 0; group < 150; group++) {
                boolean small = group % 3 != 0;
                Round r = new Round();
                r.assignor = group % 4 == 3 ? "range" : "uniform";
                int style = random.nextInt(3); // 0 equal subscriptions, 1 any, 2 one of a few
                int maxTopics = group % 10 == 9 ? 30 : 6, maxMembers = group % 10 == 8 ? 40 : 8;
                for (int i = 1 + random.nextInt(maxTopics); i > 0; i--) newTopic(r, small);
                for (int i = 1 + random.nextInt(maxMembers); i > 0; i--) newMember(r);
                for (int round = 0; round < 6; round++) {
                    if (round > 0) change(r, small);
                    subscribe(r, style, round == 0);
                    Set<Set<String>> different = new HashSet<>();
                    for (Member m : r.members) different.add(m.topics);
                    r.mixed = different.size() > 1 || random.nextInt(10) == 0;
                    r.exact = small && r.topics.size() < 16 || r.mixed || r.assignor.equals("range");
                    assign(r);
                    out.println(json.writeValueAsString(r));
                    for (Member m : r.members) m.current = m.target;
                }
            }
        }
    }

    static void newTopic(Round r, boolean small) {
        Topic t = new Topic();
        t.id = (small ? new Uuid(0, r.topics.size() + 1) : new Uuid(random.nextLong(), random.nextLong())).toString();
        t.partitions = random.nextInt(8) == 0 ? random.nextInt(60) : random.nextInt(9);
        r.topics.add(t);
    }

    static void newMember(Round r) {
        Member m = new Member();
        m.id = "m" + random.nextInt(1000000);
        for (Member other : r.members) if (other.id.equals(m.id)) return;
        if (random.nextInt(3) == 0) m.instance = "i" + m.id.charAt(m.id.length() - 1) + random.nextInt(1000000);
        r.members.add(m);
    }

    static void change(Round r, boolean small) {
        if (random.nextBoolean()) newMember(r);
        if (random.nextBoolean() && r.members.size() > 1) r.members.remove(random.nextInt(r.members.size()));
        if (random.nextInt(3) == 0) r.topics.get(random.nextInt(r.topics.size())).partitions += random.nextInt(5);
        if (random.nextInt(4) == 0) newTopic(r, small);
    }

    static void subscribe(Round r, int style, boolean first) {
        List<String> ids = new ArrayList<>();
        for (Topic t : r.topics) ids.add(t.id);
        Set<String> all = subset(ids);
        List<Set<String>> few = List.of(subset(ids), subset(ids), subset(ids));
        boolean again = first || random.nextInt(3) == 0;
        Set<String> before = r.members.get(0).topics;
        for (Member m : r.members) {
            switch (style) {
                case 0: m.topics = again ? all : before; break;
                case 1: if (m.topics.isEmpty() || again && random.nextBoolean()) m.topics = subset(ids); break;
                default: if (m.topics.isEmpty() || again) m.topics = few.get(random.nextInt(3));
            }
        }
    }

    static Set<String> subset(List<String> ids) {
        Set<String> s = new TreeSet<>();
        int keep = 1 + random.nextInt(4);
        for (String id : ids) if (random.nextInt(4) < keep) s.add(id);
        return s;
    }

    static void assign(Round r) {
        Map<Uuid, Integer> partitions = new HashMap<>();
        for (Topic t : r.topics) partitions.put(Uuid.fromString(t.id), t.partitions);
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new TreeMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        for (Member m : r.members) {
            Set<Uuid> topics = new TreeSet<>();
            for (String id : m.topics) topics.add(Uuid.fromString(id));
            Map<Uuid, Set<Integer>> current = new TreeMap<>();
            m.current.forEach((id, list) -> {
                current.put(Uuid.fromString(id), new TreeSet<>(list));
                for (int p : list) owners.computeIfAbsent(Uuid.fromString(id), x -> new HashMap<>()).put(p, m.id);
            });
            members.put(m.id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.ofNullable(m.instance), topics, new Assignment(current)));
        }
        var describer = new SubscribedTopicDescriber() {
            public int numPartitions(Uuid id) { return partitions.getOrDefault(id, -1); }
            public Set<String> racksForPartition(Uuid id, int partition) { return Set.of(); }
        };
        var assignor = r.assignor.equals("range") ? new RangeAssignor() : new UniformAssignor();
        var spec = new GroupSpecImpl(members, r.mixed ? SubscriptionType.HETEROGENEOUS : SubscriptionType.HOMOGENEOUS, owners);
        var result = assignor.assign(spec, describer).members();
        for (Member m : r.members) {
            m.target = new TreeMap<>();
            if (result.containsKey(m.id)) result.get(m.id).partitions().forEach((id, set) -> {
                if (!set.isEmpty()) m.target.put(id.toString(), new ArrayList<>(new TreeSet<>(set)));
            });
        }
    }
}
