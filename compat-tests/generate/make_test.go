package generate

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/dohle-io/dohle/compat-tests/oracle"
	"github.com/dohle-io/dohle/compat-tests/wire"
)

func bodies(t *testing.T, seed uint64, each func(api, text string)) {
	t.Helper()
	m := &maker{r: rand.New(rand.NewPCG(seed, 9)), uid: "gen.1"}
	for range 30 {
		for _, msg := range wire.Requests() {
			for v := msg.Valid.Min; v <= msg.Valid.Max; v++ {
				each(msg.Name, wire.JSON(m.body(msg, v)))
			}
		}
	}
}

func TestTheSameSeedMakesTheSameRequests(t *testing.T) {
	var first, second []string
	bodies(t, 7, func(_, text string) { first = append(first, text) })
	bodies(t, 7, func(_, text string) { second = append(second, text) })
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("request %d is once %s, once %s", i, first[i], second[i])
		}
	}
}

func TestRequestsReachTheBounds(t *testing.T) {
	seen := map[string]bool{}
	bounds := []string{`"Name":""`, `"Name":"."`, `"Name":".."`, "${x*249}", "${x*250}", "t0-gen_1", `"Topics":null`, `"Topics":[]`, `"Partitions":[]`,
		":-1", ":0", "2147483647", "9223372036854775807", "-9223372036854775808", unknownID, wire.ZeroUUID, `"crc":"bad"`, `"codec":"zstd"`}
	bodies(t, 1, func(_, text string) {
		for _, b := range bounds {
			seen[b] = seen[b] || strings.Contains(text, b)
		}
	})
	for _, b := range bounds {
		if !seen[b] {
			t.Errorf("no request has %s", b)
		}
	}
}

// What would change one side alone, or a cluster for good, is only checked.
func TestRequestsChangeNothingForGood(t *testing.T) {
	bodies(t, 2, func(api, text string) {
		switch api {
		case "CreateTopics", "CreatePartitions", "AlterConfigs", "IncrementalAlterConfigs":
			if !strings.Contains(text, `"ValidateOnly":true`) {
				t.Errorf("%s %s", api, text)
			}
			if regexp.MustCompile(`"ConfigOperation":[23],[^{}]*"Value":null`).MatchString(text) { // a controller of Apache Kafka resigns
				t.Errorf("%s %s", api, text)
			}
		case "BrokerRegistration", "Vote", "BeginQuorumEpoch", "EndQuorumEpoch":
			if !strings.Contains(text, `"ClusterId":"other"`) && !strings.Contains(text, `"ClusterId":null`) {
				t.Errorf("%s %s", api, text)
			}
		}
	})
}

func TestSmallerRequestsLackOnePartEach(t *testing.T) {
	body := map[string]any{"TimeoutMs": 5, "Topics": []any{map[string]any{"Name": "a", "Partitions": []any{1, 2}}}, "Reason": "x"}
	before := wire.JSON(body)
	list := candidates(body)
	if wire.JSON(body) != before {
		t.Fatal("making candidates changed the request")
	}
	seen := map[string]bool{}
	for _, c := range list {
		text := wire.JSON(c)
		if seen[text] || len(text) >= len(before) || !strings.Contains(text, `"TimeoutMs":5`) {
			t.Errorf("candidate %s", text)
		}
		seen[text] = true
	}
	if len(list) != 5 { // the reason, the topic, its partitions, each of these
		t.Errorf("%d candidates: %v", len(list), seen)
	}
}

func TestADifferenceStaysTheOneItIs(t *testing.T) {
	one := []oracle.Difference{{Place: "Topics[3].ErrorCode"}}
	for want, other := range map[bool][]oracle.Difference{
		true:  {{Place: "Topics[0].ErrorCode"}},
		false: {{Place: "Topics[3].ErrorCode", ID: "A3"}, {Place: "ErrorCode"}},
	} {
		if alike(one, other) != want {
			t.Errorf("%v and %v", one, other)
		}
	}
}
