package broker

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/protocol"
)

// state is where a broker's registration stands (KIP-631).
//
//	starting  --registered-->  recovering  --caught up-->  fenced  --heartbeat says unfenced-->  running
//	running | fenced | recovering  --BeginShutdown-->  stopping  --controller agrees, or time is up-->  gone
//	any but gone  --epoch refused-->  starting
type state int8

const (
	starting   state = iota // no registration: send BrokerRegistration
	recovering              // registered; our image may not contain that yet
	fenced                  // caught up; asking to be unfenced
	running                 // unfenced: clients are served
	stopping                // controlled shutdown: leaders are being moved away
	gone                    // the controller has let us go
)

func (s state) String() string {
	return [...]string{"STARTING", "RECOVERY", "RECOVERY", "RUNNING", "PENDING_CONTROLLED_SHUTDOWN", "NOT_RUNNING"}[s]
}

// lifecycle decides what a broker says to its controller next. It is pure: the loop in run.go asks for the next
// request, sends it, and tells the answer. Not safe for concurrent use; run.go owns it.
type lifecycle struct {
	id          int32
	clusterID   string
	incarnation protocol.UUID // new with each start
	interval    time.Duration // broker.heartbeat.interval.ms

	registration func() *kmsg.BrokerRegistrationRequest // the fixed part: listeners, features, directories, rack
	offlineDirs  func() []protocol.UUID
	cordonedDirs func() []protocol.UUID

	state    state
	epoch    int64 // of the registration; -1 before
	previous int64 // of the last clean shutdown, then of the registration before this one (KIP-966)
	failures int   // requests in a row that no active controller answered
}

// next is the request to send now. offset is the last offset of our image.
func (l *lifecycle) next(offset int64) kmsg.Request {
	if l.state == starting {
		req := l.registration()
		req.BrokerID, req.ClusterID, req.IncarnationID = l.id, l.clusterID, l.incarnation
		req.PreviousBrokerEpoch = l.previous
		return req
	}
	if l.state == recovering && offset >= l.epoch {
		l.state = fenced
	}
	req := kmsg.NewPtrBrokerHeartbeatRequest()
	req.BrokerID, req.BrokerEpoch, req.CurrentMetadataOffset = l.id, l.epoch, offset
	req.WantFence = l.state == recovering
	req.WantShutdown = l.state == stopping
	req.OfflineLogDirs = wire(l.offlineDirs())
	req.CordonedLogDirs = wire(l.cordonedDirs())
	return req
}

// answered takes the controller's answer and says how long to wait before the next request. A refusal that will not
// change is returned as an error.
func (l *lifecycle) answered(resp kmsg.Response) (wait time.Duration, err error) {
	if l.state == gone { // an answer that was on its way
		return l.interval, nil
	}
	switch resp := resp.(type) {
	case *kmsg.BrokerRegistrationResponse:
		if resp.ErrorCode == kerr.NotController.Code {
			return l.failed(), nil
		}
		l.failures = 0
		return l.registered(resp)
	case *kmsg.BrokerHeartbeatResponse:
		if resp.ErrorCode == kerr.NotController.Code {
			return l.failed(), nil
		}
		l.failures = 0
		return l.heartbeatAnswered(resp)
	}
	return l.interval, nil
}

func (l *lifecycle) registered(resp *kmsg.BrokerRegistrationResponse) (time.Duration, error) {
	switch err := kerr.ErrorForCode(resp.ErrorCode); resp.ErrorCode {
	case 0:
		l.epoch, l.previous = resp.BrokerEpoch, resp.BrokerEpoch
		l.state = recovering
		return 0, nil
	case kerr.InconsistentClusterID.Code, kerr.UnsupportedVersion.Code, kerr.InvalidRegistration.Code:
		return 0, err
	default: // a live older incarnation, a controller that moves: Kafka's brokers try again as well
		return registrationRetry, nil
	}
}

// registrationRetry is the pause after a refused registration: short, as an old session may end at any moment.
const registrationRetry = 100 * time.Millisecond

func (l *lifecycle) heartbeatAnswered(resp *kmsg.BrokerHeartbeatResponse) (time.Duration, error) {
	switch resp.ErrorCode {
	case 0:
	case kerr.StaleBrokerEpoch.Code, kerr.BrokerIDNotRegistered.Code:
		if l.state == stopping {
			l.state = gone
			return 0, nil
		}
		l.state, l.epoch = starting, -1
		return 0, nil
	default:
		return l.interval / 4, nil
	}
	switch l.state {
	case recovering:
		return recoveryPoll, nil
	case fenced:
		if !resp.IsFenced {
			l.state = running
		} else {
			return recoveryPoll, nil
		}
	case running:
		if resp.IsFenced { // the session ran out while we were away: ask again at once
			l.state = fenced
			return 0, nil
		}
	case stopping:
		if resp.ShouldShutdown {
			l.state = gone
			return 0, nil
		}
		return shutdownPoll, nil
	}
	return l.interval, nil
}

const (
	recoveryPoll = 25 * time.Millisecond // while the image catches up, which takes moments
	shutdownPoll = 50 * time.Millisecond // while leaders move away
)

// failed says how long to wait when the active controller could not be reached: a moment at first, as at start the
// election is nearly over, then longer.
func (l *lifecycle) failed() time.Duration {
	wait := min(firstRetry<<min(l.failures, 10), lastRetry)
	l.failures++
	return wait
}

const (
	firstRetry = time.Millisecond
	lastRetry  = 50 * time.Millisecond
)

// beginShutdown asks the controller to move our leaders away. A broker that never registered is gone at once.
func (l *lifecycle) beginShutdown() {
	if l.state == starting {
		l.state = gone
	} else if l.state != gone {
		l.state = stopping
	}
}

func wire(ids []protocol.UUID) [][16]byte {
	list := make([][16]byte, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}
