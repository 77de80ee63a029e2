package wire

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// every field of every request, written with defaults at every version, reads back as it was: the shape of a request
// serves as that of an answer.
func TestDefaultsOfEveryRequestSurvive(t *testing.T) {
	for _, m := range Requests() {
		for v := m.Valid.Min; v <= m.Valid.Max; v++ {
			body, err := Encode(m, v, nil)
			if err != nil {
				t.Fatalf("%s v%d: %v", m.Name, v, err)
			}
			values, err := Decode(m, v, body)
			if err != nil || values["_rest"] != nil {
				t.Fatalf("%s v%d: %v %v", m.Name, v, values, err)
			}
			again, err := Encode(m, v, values)
			if err != nil {
				t.Fatalf("%s v%d: %v", m.Name, v, err)
			}
			back, err := Decode(m, v, again)
			if err != nil || !reflect.DeepEqual(values, back) {
				t.Fatalf("%s v%d: %v is %v", m.Name, v, values, back)
			}
		}
	}
}

func TestABodyIsWrittenAsKafkaDoes(t *testing.T) {
	m, err := Request("Metadata")
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[int16]string{
		1:  "00000001" + "0001" + "61",
		4:  "00000001" + "0001" + "61" + "00",
		12: "02" + "00000000000000000000000000000000" + "0261" + "00" + "00" + "00" + "00",
	} {
		body, err := Encode(m, version, map[string]any{"Topics": []any{map[string]any{"Name": "a"}}, "AllowAutoTopicCreation": false})
		if got := hex.EncodeToString(body); got != want || err != nil {
			t.Errorf("v%d is %s instead of %s, %v", version, got, want, err)
		}
	}
}

func TestUnknownTagsAndBytesLeftOverAreShown(t *testing.T) {
	m := Response("DescribeCluster")
	body, _ := Encode(m, 2, map[string]any{"ClusterId": "c"})
	body[len(body)-1] = 1
	body = append(body, 0x63, 1, 0xab, 0xff)
	values, err := Decode(m, 2, body)
	if err != nil {
		t.Fatal(err)
	}
	if tags, _ := values["_tags"].(map[string]any); tags["99"] != "hex:ab" || values["_rest"] != "hex:ff" {
		t.Error(JSON(values))
	}
}

func TestBatchesReadBackInEveryCodec(t *testing.T) {
	for _, codec := range Codecs {
		b, err := EncodeBatches(map[string]any{"codec": codec, "producerId": 7, "records": []any{"a", map[string]any{"key": "k", "headers": []any{[]any{"h", "v"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		list := DecodeBatches(b).([]any)
		view := list[0].(map[string]any)
		if len(list) != 1 || view["crc"] != true || view["count"] != int64(2) || view["producerId"] != int64(7) {
			t.Errorf("%s: %s", codec, JSON(list))
		}
		if got := JSON(view["records"]); !strings.Contains(got, `"headers":[["h","v"]]`) || !strings.Contains(got, `"value":"a"`) {
			t.Errorf("%s: %s", codec, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(int16(1), int16(12), []byte{0})
	f.Add(int16(3), int16(9), []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		m := ByKey(key)
		if m == nil || !m.Valid.Has(version) {
			return
		}
		Decode(Response(m.Name), version, body)
	})
}

func FuzzDecodeBatches(f *testing.F) {
	for _, codec := range Codecs {
		b, _ := EncodeBatches(map[string]any{"codec": codec, "records": []any{"a"}})
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { DecodeBatches(b) })
}
