package server

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Body is a range of bytes that is written without passing through an encoder: a slice of a log.
// ReadAt is pread. The server calls Release exactly once.
type Body interface {
	Len() int
	ReadAt(p []byte, off int64) (int, error)
	Release()
}

type answerKind uint8

const (
	answerNone answerKind = iota // the zero Answer is None
	answerReply
	answerSpliced
	answerPrepared
	answerLater
	answerClose
)

// Answer is what a handler hands back: exactly one of Reply, Spliced, Prepared, None, Close, Later.
type Answer struct {
	kind   answerKind
	resp   kmsg.Response
	head   []byte
	cuts   []int
	bodies []Body
	later  func(context.Context) Answer
	ready  func() bool
	err    error
}

// Reply answers with resp at its own version.
func Reply(resp kmsg.Response) Answer { return Answer{kind: answerReply, resp: resp} }

// Spliced answers with head, a whole frame whose length prefix counts the bodies, and puts bodies[i] in
// before head[cuts[i]:]. A nil Body is empty. cuts ascend and match bodies in number. The slices are used
// until the answer is written, which is before the connection's next request is handled. Bodies are
// released by the server, also when the connection dies first.
func Spliced(head []byte, cuts []int, bodies []Body) Answer {
	return Answer{kind: answerSpliced, head: head, cuts: cuts, bodies: bodies}
}

// Prepared answers with a whole frame that was encoded before, its length first; the correlation id in it
// does not matter. The frame is copied, so that it may be shared and kept.
func Prepared(frame []byte) Answer { return Answer{kind: answerPrepared, head: frame} }

// None sends nothing: Produce with acks=0.
func None() Answer { return Answer{} }

// Close closes the connection without an answer, after earlier answers went out: a Produce with acks=0
// that failed (KAFKA-955), or a request that no version of Kafka answers. err is logged, bounded.
func Close(err error) Answer { return Answer{kind: answerClose, err: err} }

// Later answers when f returns; f runs on the connection's writer goroutine, in order, and may wait until
// its context ends. Only rows marked Pipelined may use it: until all late answers are out, the connection
// reads further pipelined requests and nothing else. f must not use the request, its frame or its Ctx, and
// must not return another Later.
func Later(f func(context.Context) Answer) Answer { return Answer{kind: answerLater, later: f} }

// WhenReady tells the writer how to ask whether f of Later would return without waiting. Answers that are
// ready together then leave in one write.
func (a Answer) WhenReady(ready func() bool) Answer {
	a.ready = ready
	return a
}

// Response returns the response of a Reply, else nil: for handlers that wrap handlers, and for tests.
func (a Answer) Response() kmsg.Response { return a.resp }

// Err returns the error of a Close, else nil.
func (a Answer) Err() error { return a.err }

// IsNone, IsLater: for tests of handlers.
func (a Answer) IsNone() bool  { return a.kind == answerNone }
func (a Answer) IsLater() bool { return a.kind == answerLater }

// Splice returns the parts of a Spliced answer, for tests of handlers.
func (a Answer) Splice() (head []byte, cuts []int, bodies []Body) { return a.head, a.cuts, a.bodies }

// Resolve runs the function of a Later answer; any other answer is returned as it is.
func (a Answer) Resolve(ctx context.Context) Answer {
	if a.kind != answerLater {
		return a
	}
	return a.later(ctx)
}

// release gives up the bodies of an answer that is not going to be written.
func (a Answer) release() {
	for _, b := range a.bodies {
		if b != nil {
			b.Release()
		}
	}
}
