package main

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A walkOp mirrors protocol's op: what the walk does for one field, or for a run of fields of fixed width.
type walkOp struct {
	code string
	arg  int
}

// A program is the walk of one struct in one version; equal programs are written once.
type program struct {
	ops  []walkOp
	min  int
	size string // Go expression for the size of kmsg's struct
}

type tagEntry struct {
	tag int
	op  walkOp
}

// A tabler collects programs.
type tabler struct {
	programs []program
	tagLists [][]tagEntry
	index    map[string]int
	tagIndex map[string]int
	types    map[*structure]reflect.Type
	m        *message
	flex     bool
	version  int16
}

// emitTable writes the versions and walk programs of every request and response that Kafka serves.
func emitTable(all map[string]*message) (string, error) {
	requests, responses := map[int16]*message{}, map[int16]*message{}
	highest := int16(0)
	for _, m := range all {
		if m.APIKey == nil || m.ValidVersions.empty() {
			continue
		}
		switch m.Type {
		case "request":
			requests[*m.APIKey] = m
			highest = max(highest, *m.APIKey)
		case "response":
			responses[*m.APIKey] = m
		}
	}
	t := &tabler{index: map[string]int{}, tagIndex: map[string]int{}, types: map[*structure]reflect.Type{}}
	t.tagLists = append(t.tagLists, nil) // list 0: no known tags
	t.tagIndex[""] = 0
	var rows strings.Builder
	for key := int16(0); key <= highest; key++ {
		req, resp := requests[key], responses[key]
		if req == nil {
			continue
		}
		kreq := kmsg.RequestForKey(key)
		if kreq == nil {
			return "", fmt.Errorf("kmsg has no request %d", key)
		}
		if err := t.align(req, reflect.TypeOf(kreq).Elem()); err != nil {
			return "", err
		}
		if err := t.align(resp, reflect.TypeOf(kreq.ResponseKind()).Elem()); err != nil {
			return "", err
		}
		flexible := "none"
		if !req.FlexibleVersions.empty() {
			flexible = fmt.Sprint(req.FlexibleVersions.lo)
		}
		listeners := 0
		for _, l := range req.Listeners {
			listeners |= map[string]int{"broker": 1, "controller": 2}[l]
		}
		v := req.ValidVersions
		fmt.Fprintf(&rows, "%d: {APIVersions{%d, %d, %s, %t, %d}, []uint16{", key, v.lo, v.hi, flexible, req.LatestVersionUnstable, listeners)
		for _, m := range []*message{req, resp} {
			for version := v.lo; version <= v.hi; version++ {
				p, err := t.message(m, version)
				if err != nil {
					return "", err
				}
				fmt.Fprintf(&rows, "%d,", p)
			}
		}
		fmt.Fprintf(&rows, "}}, // %s\n", strings.TrimSuffix(req.Name, "Request"))
	}

	var out strings.Builder
	out.WriteString(header + "package protocol\n\nimport (\n\"unsafe\"\n\n\"github.com/twmb/franz-go/pkg/kmsg\"\n)\n\n")
	out.WriteString("// apis holds every live key: its versions, then the index of the walk program of each version, requests first.\n")
	fmt.Fprintf(&out, "var apis = [...]api{\n%s}\n\n", rows.String())
	out.WriteString("// programs are the walks of all structs; equal ones of several versions and messages stand here once.\nvar programs = [...]program{\n")
	first := 0
	for i, p := range t.programs {
		fmt.Fprintf(&out, "%d: {%d, %d, %d, %s},\n", i, first, len(p.ops), p.min, p.size)
		first += len(p.ops)
	}
	out.WriteString("}\n\nvar ops = [...]op{\n")
	for _, p := range t.programs {
		for _, o := range p.ops {
			fmt.Fprintf(&out, "{%s, %d}, ", o.code, o.arg)
		}
		out.WriteString("\n")
	}
	out.WriteString("}\n\n// tagLists are the known tagged fields of a struct in one version, ascending; list 0 is empty.\nvar tagLists = [...][]tagged{\n")
	for _, l := range t.tagLists {
		out.WriteString("{")
		for _, e := range l {
			fmt.Fprintf(&out, "{%d, op{%s, %d}},", e.tag, e.op.code, e.op.arg)
		}
		out.WriteString("},\n")
	}
	out.WriteString("}\n")
	if len(t.programs) > math.MaxUint16 || first > math.MaxUint16 {
		return "", fmt.Errorf("too many programs or steps: %d, %d", len(t.programs), first)
	}
	return out.String(), nil
}

// align finds kmsg's struct for every struct of the message. Both sides declare fields in the
// schema's order, with other names in places, so struct fields are paired by name where the names
// are alike, else by position, and checked by count.
func (t *tabler) align(m *message, typ reflect.Type) error {
	if m == nil {
		return fmt.Errorf("no response for %s", typ)
	}
	root := &structure{Name: m.Name, Fields: m.Fields}
	t.types[root] = typ
	m.structs[""] = root
	var visit func(s *structure, typ reflect.Type) error
	visit = func(s *structure, typ reflect.Type) error {
		var mine []*field
		for _, f := range s.Fields {
			if !isPrimitive(f.elem()) {
				mine = append(mine, f)
			}
		}
		var theirs []reflect.StructField
		for i := range typ.NumField() {
			sf := typ.Field(i)
			if sf.Type.Kind() == reflect.Slice || sf.Type.Kind() == reflect.Pointer {
				sf.Type = sf.Type.Elem()
			}
			if sf.Type.Kind() == reflect.Struct && sf.Type != reflect.TypeFor[kmsg.Tags]() {
				theirs = append(theirs, sf)
			}
		}
		if len(mine) != len(theirs) {
			return fmt.Errorf("%s.%s has %d struct fields, kmsg's %s has %d", m.Name, s.Name, len(mine), typ, len(theirs))
		}
		pairs := make([]reflect.Type, len(mine))
		for _, alike := range []func(a, b string) bool{strings.EqualFold, containsFold, func(a, b string) bool { return true }} {
			for i, f := range mine {
				for j := range theirs {
					if pairs[i] == nil && theirs[j].Type != nil && alike(f.Name, theirs[j].Name) {
						pairs[i], theirs[j].Type = theirs[j].Type, nil
					}
				}
			}
		}
		for i, f := range mine {
			sub := m.structs[f.elem()]
			if was := t.types[sub]; was != nil && was.Size() >= pairs[i].Size() {
				continue // a common struct; the larger of kmsg's copies counts
			}
			t.types[sub] = pairs[i]
			if err := visit(sub, pairs[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return visit(root, typ)
}

func (t *tabler) message(m *message, version int16) (int, error) {
	t.m, t.flex, t.version = m, m.FlexibleVersions.has(version), version
	return t.structure(m.structs[""], nil)
}

// structure makes the program of a struct in the current version and returns its index.
func (t *tabler) structure(s *structure, above []*structure) (int, error) {
	if slices.Contains(above, s) {
		return 0, fmt.Errorf("%s: struct %s holds itself", t.m.Name, s.Name)
	}
	above = append(above, s)
	typ := t.types[s]
	p := program{size: fmt.Sprintf("uint16(unsafe.Sizeof(kmsg.%s{}))", typ.Name())}
	var tags []tagEntry
	for _, f := range s.Fields {
		tag := f.tagged()
		if !f.Versions.has(t.version) && (!t.flex || tag.empty()) {
			continue
		}
		if !tag.empty() {
			// kmsg decodes a tag that came with a later version in every flexible version, so it is
			// walked in all of them, in the shape of its first.
			version := t.version
			if !gated[t.m.Name+"."+f.Name] {
				t.version = max(version, tag.lo)
			}
			o, err := t.field(f, above)
			t.version = version
			if err != nil {
				return 0, err
			}
			tags = append(tags, tagEntry{f.Tag, o})
			continue
		}
		o, err := t.field(f, above)
		if err != nil {
			return 0, err
		}
		if last := len(p.ops) - 1; o.code == "opFixed" && last >= 0 && p.ops[last].code == "opFixed" {
			p.ops[last].arg += o.arg
			continue
		}
		p.ops = append(p.ops, o)
	}
	if t.flex {
		slices.SortFunc(tags, func(a, b tagEntry) int { return a.tag - b.tag })
		id := fmt.Sprint(tags)
		if len(tags) == 0 {
			id = ""
		}
		at, ok := t.tagIndex[id]
		if !ok {
			at = len(t.tagLists)
			t.tagLists = append(t.tagLists, tags)
			t.tagIndex[id] = at
		}
		p.ops = append(p.ops, walkOp{"opTags", at})
	} else if len(tags) > 0 {
		return 0, fmt.Errorf("%s.%s: tags in an inflexible version", t.m.Name, s.Name)
	}
	p.min = t.least(s)
	id := fmt.Sprint(p.ops, p.min, typ.Name())
	at, ok := t.index[id]
	if !ok {
		at = len(t.programs)
		t.programs = append(t.programs, p)
		t.index[id] = at
	}
	return at, nil
}

// gated are tagged fields whose elements kmsg reads by the version of the message after all.
var gated = map[string]bool{"VoteResponse.NodeEndpoints": true, "FetchSnapshotResponse.NodeEndpoints": true}

// least is the smallest encoding of a struct in the current version.
func (t *tabler) least(s *structure) int {
	if s.Name == t.m.Name {
		s = &structure{Fields: t.m.Fields}
		t.m.structs["*"] = s
		return t.m.sizeAt("*", t.version)
	}
	return t.m.sizeAt(s.Name, t.version)
}

func (t *tabler) field(f *field, above []*structure) (walkOp, error) {
	suffix := ""
	flex := t.flex && (f.FlexibleVersions == nil || f.FlexibleVersions.has(t.version))
	if flex {
		suffix = "|flexible"
	}
	if f.nullable().has(t.version) {
		suffix += "|nullable"
	}
	kind := f.elem()
	array := f.array()
	switch {
	case kind == "string" && array:
		return walkOp{"opTexts" + suffix, 0}, nil
	case kind == "string":
		return walkOp{"opText" + suffix, 0}, nil
	case (kind == "bytes" || kind == "records") && array:
		return walkOp{}, fmt.Errorf("%s.%s: array of bytes", t.m.Name, f.Name)
	case kind == "bytes" || kind == "records":
		return walkOp{"opBytes" + suffix, 0}, nil
	case isPrimitive(kind) && array:
		return walkOp{"opNumbers" + suffix, t.m.smallest(kind, noVersions)}, nil
	case isPrimitive(kind):
		return walkOp{"opFixed", t.m.smallest(kind, noVersions)}, nil
	}
	p, err := t.structure(t.m.structs[kind], above)
	switch {
	case err != nil:
		return walkOp{}, err
	case array:
		return walkOp{"opStructs" + suffix, p}, nil
	case f.nullable().has(t.version):
		return walkOp{"opMaybe", p}, nil
	}
	return walkOp{"opStruct", p}, nil
}

func containsFold(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return strings.Contains(a, b) || strings.Contains(b, a)
}
