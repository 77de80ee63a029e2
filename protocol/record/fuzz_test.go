package record

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/dohle-io/dohle/protocol/compress"
)

func seeds(f *testing.F, add func(b Batch)) {
	for _, b := range javaBatches(f) {
		add(b)
	}
	for _, c := range allCodecs {
		add(sample(f, c, 20, 40))
	}
}

func FuzzNext(f *testing.F) {
	seeds(f, func(b Batch) {
		f.Add([]byte(b))
		f.Add(append(bytes.Clone(b), b...))
		f.Add([]byte(b[:len(b)-1]))
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		rest := data
		for {
			b, r, err := Next(rest)
			if err != nil {
				if len(r) != len(rest) {
					t.Fatal("bytes were lost")
				}
				named(t, err, ErrShort)
				return
			}
			if b.Size() != len(b) || len(b)+len(r) != len(rest) || len(b) < HeaderSize {
				t.Fatal("wrong split")
			}
			_, _, _, _ = b.LastOffset(), b.LastSequence(), b.VerifyCRC(), b.Codec().String()
			rest = r
		}
	})
}

// FuzzRecords: payload under a valid header; the same records by iterator and by Reader, within the cost of the input.
func FuzzRecords(f *testing.F) {
	seeds(f, func(b Batch) { f.Add(uint8(b.Codec()), b.Count(), b.Payload()) })
	cs := compress.NewCodecs()
	head := sample(f, compress.None, 1, 1)[:HeaderSize]
	f.Fuzz(func(t *testing.T, codec uint8, count int32, payload []byte) {
		b := fuzzBatch(head, codec, count, payload)
		var r Reader
		n := 0
		for r.Reset(b, cs, 1<<20); r.Next(); n++ {
			rec := r.Record()
			headers := 0
			for range rec.AllHeaders() {
				headers++
			}
			if headers != rec.HeaderCount {
				t.Fatalf("%d headers of %d", headers, rec.HeaderCount)
			}
		}
		if r.Err() != nil {
			named(t, r.Err(), compress.ErrTooLarge)
		} else if n != int(count) {
			t.Fatalf("%d records of %d", n, count)
		}
		for rec, err := range b.Records(cs, 1<<20) {
			if (err == nil) != (n > 0) {
				t.Fatal("iterator and reader differ", err, r.Err(), rec)
			}
			n--
		}
		r.Close()
	})
}

// FuzzValidate: no panic, errors have Kafka's names, an accepted batch can be read and is accepted again, and an
// uncompressed one costs at most 16 times its size and 64 KiB.
func FuzzValidate(f *testing.F) {
	seeds(f, func(b Batch) {
		for flags := range uint8(16) {
			f.Add(flags, uint8(b.Attributes()), b.Count(), b.Payload())
		}
	})
	cs := compress.NewCodecs()
	head := sample(f, compress.None, 1, 1)[:HeaderSize]
	f.Fuzz(func(t *testing.T, flags, attributes uint8, count int32, payload []byte) {
		b := fuzzBatch(head, attributes, count, payload)
		rules := lax()
		rules.Compacted = flags&1 != 0
		rules.TimestampType = TimestampType(flags >> 1 & 1)
		rules.Origin = Origin(flags >> 2 & 1)
		rules.Target = Target{Recompress: flags&8 != 0, Codec: compress.Codec(flags >> 4 % 5)}
		var info Info
		var err error
		cost := allocated(func() { info, err = Validate(b, rules, cs) })
		if b.Codec() == compress.None && cost > uint64(16*len(b)+64<<10) {
			t.Fatalf("%d bytes allocated for %d", cost, len(b))
		}
		if err != nil {
			named(t, err)
			return
		}
		out, err := info.Finish(bytes.Clone(b), rules, cs)
		if err != nil {
			named(t, err)
			return
		}
		again, rest, err := Next(out)
		if err != nil || len(rest) > 0 || !again.VerifyCRC() {
			t.Fatal("stored form is no batch", err)
		}
		n := int32(0)
		for _, err := range again.Records(cs, 0) {
			if err != nil {
				t.Fatal("accepted but unreadable", err)
			}
			n++
		}
		if n != count {
			t.Fatalf("%d records of %d", n, count)
		}
	})
}

func fuzzBatch(head []byte, attributes uint8, count int32, payload []byte) Batch {
	b := append(bytes.Clone(head), payload...)
	b[offAttributes+1] = attributes
	putI32 := func(at int, v int32) {
		b[at], b[at+1], b[at+2], b[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	putI32(offCount, count)
	putI32(offLastOffsetDelta, count-1)
	return reheader(b)
}

func named(t *testing.T, err error, others ...error) {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return
	}
	for _, o := range others {
		if errors.Is(err, o) {
			return
		}
	}
	t.Fatalf("error without a name: %v", err)
}
