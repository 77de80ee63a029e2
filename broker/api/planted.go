//go:build planted

package api

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/protocol"
)

// A deviation changes what a handler is asked, or what it answered. Both may be nil.
type deviation struct {
	ask    func(kmsg.Request)
	answer func(kmsg.Response)
}

// DOHLE_PLANTED names the one deviation that this broker has; none if it is empty.
var planted = chosen(os.Getenv("DOHLE_PLANTED"))

var deviations = map[string]deviation{
	"wrong error code": {answer: func(r kmsg.Response) {
		if r, ok := r.(*kmsg.CreateTopicsResponse); ok {
			for i := range r.Topics {
				if r.Topics[i].ErrorCode == kerr.TopicAlreadyExists.Code {
					r.Topics[i].ErrorCode = kerr.InvalidRequest.Code
				}
			}
		}
	}},
	"missing field": {answer: func(r kmsg.Response) {
		if r, ok := r.(*kmsg.MetadataResponse); ok {
			r.ClusterID = nil
		}
	}},
	"missing element": {answer: func(r kmsg.Response) {
		if r, ok := r.(*kmsg.DescribeConfigsResponse); ok {
			for i := range r.Resources {
				if n := len(r.Resources[i].Configs); n > 1 {
					r.Resources[i].Configs = r.Resources[i].Configs[:n-1]
				}
			}
		}
	}},
	"offset too high by one": {answer: func(r kmsg.Response) {
		if r, ok := r.(*kmsg.ListOffsetsResponse); ok {
			for i := range r.Topics {
				for j := range r.Topics[i].Partitions {
					if p := &r.Topics[i].Partitions[j]; p.Offset > 0 {
						p.Offset++
					}
				}
			}
		}
	}},
	"base offset of the last record": {answer: func(r kmsg.Response) {
		if r, ok := r.(*kmsg.ProduceResponse); ok {
			for i := range r.Topics {
				for j := range r.Topics[i].Partitions {
					if p := &r.Topics[i].Partitions[j]; p.ErrorCode == 0 {
						p.BaseOffset++
					}
				}
			}
		}
	}},
	"partitions in another order": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.FetchRequest); ok {
			for i := range r.Topics {
				slices.Reverse(r.Topics[i].Partitions)
			}
		}
	}},
	"more replicas than brokers": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.CreateTopicsRequest); ok {
			for i := range r.Topics {
				r.Topics[i].ReplicationFactor = min(r.Topics[i].ReplicationFactor, 1)
			}
		}
	}},
	"any acks": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.ProduceRequest); ok && r.Acks != 0 {
			r.Acks = -1
		}
	}},
	"checksum not looked at": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.ProduceRequest); ok {
			for _, t := range r.Topics {
				for _, p := range t.Partitions {
					if len(p.Records) > 21 {
						binary.BigEndian.PutUint32(p.Records[17:], crc32.Checksum(p.Records[21:], crc32.MakeTable(crc32.Castagnoli)))
					}
				}
			}
		}
	}},
	"sequence not looked at": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.ProduceRequest); ok {
			for _, t := range r.Topics {
				for _, p := range t.Partitions {
					if len(p.Records) >= 61 {
						for i := 43; i < 57; i++ { // producer id, epoch, base sequence: none
							p.Records[i] = 0xff
						}
						binary.BigEndian.PutUint32(p.Records[17:], crc32.Checksum(p.Records[21:], crc32.MakeTable(crc32.Castagnoli)))
					}
				}
			}
		}
	}},
	"any leader epoch": {ask: func(r kmsg.Request) {
		switch r := r.(type) {
		case *kmsg.FetchRequest:
			for _, t := range r.Topics {
				for i := range t.Partitions {
					t.Partitions[i].CurrentLeaderEpoch = -1
				}
			}
		case *kmsg.ListOffsetsRequest:
			for _, t := range r.Topics {
				for i := range t.Partitions {
					t.Partitions[i].CurrentLeaderEpoch = -1
				}
			}
		}
	}},
	"wrong default": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.CreateTopicsRequest); ok {
			for i := range r.Topics {
				if t := &r.Topics[i]; t.NumPartitions == -1 && len(t.ReplicaAssignment) == 0 {
					t.NumPartitions = 3
				}
			}
		}
	}},
	"throttled": {answer: func(r kmsg.Response) {
		if r, ok := r.(kmsg.SetThrottleResponse); ok {
			r.SetThrottle(100)
		}
	}},
	"no isolation": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.FetchRequest); ok {
			r.IsolationLevel = 0
		}
	}},
	"no fetch sessions": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.FetchRequest); ok {
			r.SessionID, r.SessionEpoch = 0, -1
		}
	}},
	"topics nobody asked for": {ask: func(r kmsg.Request) {
		if r, ok := r.(*kmsg.MetadataRequest); ok {
			r.AllowAutoTopicCreation = true
		}
	}},
	"changes though only asked to check": {ask: func(r kmsg.Request) {
		switch r := r.(type) {
		case *kmsg.CreateTopicsRequest:
			r.ValidateOnly = false
		case *kmsg.CreatePartitionsRequest:
			r.ValidateOnly = false
		}
	}},
	"an answer where Kafka closes": {},
}

func chosen(name string) string {
	if _, ok := deviations[name]; !ok && name != "" {
		fmt.Fprintf(os.Stderr, "planted: %s\n", strings.Join(slices.Sorted(maps.Keys(deviations)), "; "))
		os.Exit(2)
	}
	return name
}

// plant puts the chosen deviation around a row.
func plant(row *server.Row) {
	d, handle := deviations[planted], row.Handle
	if planted == "an answer where Kafka closes" && row.Unsupported == nil {
		row.Unsupported = func(*server.Ctx) server.Answer {
			resp := kmsg.RequestForKey(row.Key).ResponseKind()
			resp.SetVersion(row.Max)
			return server.Reply(resp)
		}
	}
	row.Handle = func(c *server.Ctx, req kmsg.Request) server.Answer {
		if d.ask != nil {
			d.ask(req)
		}
		if d.answer == nil {
			return handle(c, req)
		}
		return d.spoil(req, handle(c, req))
	}
}

func (d deviation) spoil(req kmsg.Request, a server.Answer) server.Answer {
	switch {
	case a.IsLater():
		return server.Later(func(ctx context.Context) server.Answer { return d.spoil(req, a.Resolve(ctx)) })
	case a.Response() != nil:
		d.answer(a.Response())
		return a
	}
	if head, cuts, _ := a.Splice(); len(head) > 4 && len(cuts) == 0 { // prepared, or a fetch without records
		if _, resp, err := protocol.DecodeResponse(req, head[4:]); err == nil {
			d.answer(resp)
			return server.Reply(resp)
		}
	}
	return a
}
