package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// TestLifecycle plays testdata/lifecycle: what a broker sends, what it is answered, where that takes it.
//
//	new [previous=n]                      a process that starts
//	next [offset=n] [offline]             the next request, with the end of the image
//	registered [epoch=n] [code=NAME]      the answer to a registration
//	beaten [fenced] [shut] [code=NAME]    the answer to a heartbeat
//	failed                                no answer
//	shutdown                              BeginShutdown
func TestLifecycle(t *testing.T) {
	datadriven.Walk(t, "testdata/lifecycle", func(t *testing.T, path string) {
		var l *lifecycle
		var offline []protocol.UUID
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var epoch, previous, offset int64 = -1, -1, -1
			code := ""
			for name, at := range map[string]*int64{"epoch": &epoch, "previous": &previous, "offset": &offset} {
				d.MaybeScanArgs(t, name, at)
			}
			d.MaybeScanArgs(t, "code", &code)
			then := func(resp kmsg.Response) string {
				wait, err := l.answered(resp)
				return outcome(l, wait, err)
			}
			switch d.Cmd {
			case "new":
				offline = nil
				l = &lifecycle{id: 1, clusterID: "c", incarnation: protocol.UUID{9}, interval: 2 * time.Second, epoch: -1, previous: previous,
					registration: kmsg.NewPtrBrokerRegistrationRequest, offlineDirs: func() []protocol.UUID { return offline }, cordonedDirs: func() []protocol.UUID { return nil }}
				return outcome(l, 0, nil)
			case "next":
				if d.HasArg("offline") {
					offline = []protocol.UUID{{5}}
				}
				return told(l.next(offset))
			case "registered":
				resp := kmsg.NewPtrBrokerRegistrationResponse()
				resp.BrokerEpoch, resp.ErrorCode = epoch, codeOf(t, code)
				return then(resp)
			case "beaten":
				resp := kmsg.NewPtrBrokerHeartbeatResponse()
				resp.IsFenced, resp.ShouldShutdown, resp.ErrorCode = d.HasArg("fenced"), d.HasArg("shut"), codeOf(t, code)
				return then(resp)
			case "failed":
				return outcome(l, l.failed(), nil)
			case "shutdown":
				l.beginShutdown()
				return outcome(l, 0, nil)
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}

func codeOf(t *testing.T, name string) int16 {
	if name == "" {
		return 0
	}
	for code := range int16(200) {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Message == name {
			return code
		}
	}
	t.Fatalf("no error is called %s", name)
	return 0
}

func told(req kmsg.Request) string {
	switch r := req.(type) {
	case *kmsg.BrokerRegistrationRequest:
		return fmt.Sprintf("BrokerRegistration broker=%d cluster=%s incarnation=%s previous=%d\n", r.BrokerID, r.ClusterID, protocol.UUID(r.IncarnationID), r.PreviousBrokerEpoch)
	case *kmsg.BrokerHeartbeatRequest:
		wants := ""
		if r.WantFence {
			wants += " want=fence"
		}
		if r.WantShutdown {
			wants += " want=shutdown"
		}
		return fmt.Sprintf("BrokerHeartbeat epoch=%d offset=%d%s offline=%d\n", r.BrokerEpoch, r.CurrentMetadataOffset, wants, len(r.OfflineLogDirs))
	}
	return "?\n"
}

var stateNames = [...]string{"starting", "recovering", "fenced", "running", "stopping", "gone"}

func outcome(l *lifecycle, wait time.Duration, err error) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s epoch=%d wait=%v", stateNames[l.state], l.epoch, wait)
	if err != nil {
		name, _, _ := strings.Cut(err.Error(), ":")
		fmt.Fprintf(&b, " refused: %s", name)
	}
	return b.String() + "\n"
}
