package clock

import (
	"context"
	"time"
)

// A Clock tells the time and arms timers by it. Safe for concurrent use.
type Clock interface {
	// Now is the clock's current time.
	Now() time.Time

	// NewTimer arms a timer that ticks once after d; at once when d is zero or negative.
	NewTimer(d time.Duration) Timer
}

// A Timer ticks once on C after it was armed. Stop and Reset behave as those of time.Timer since Go 1.23: after
// either returns, no tick of the earlier arming is received.
type Timer interface {
	C() <-chan time.Time
	Stop() bool
	Reset(d time.Duration) bool
}

// Clocks are the two times of one broker; see the package comment.
type Clocks struct {
	Broker Clock
	Real   Clock
}

// System returns clocks that both follow the machine.
func System() Clocks { return Clocks{Broker: Machine, Real: Machine} }

// Machine is the clock of the machine, or of the synctest bubble that asks.
var Machine Clock = machine{}

type machine struct{}

func (machine) Now() time.Time { return time.Now() }

func (machine) NewTimer(d time.Duration) Timer { return machineTimer{time.NewTimer(d)} }

type machineTimer struct{ t *time.Timer }

func (m machineTimer) C() <-chan time.Time        { return m.t.C }
func (m machineTimer) Stop() bool                 { return m.t.Stop() }
func (m machineTimer) Reset(d time.Duration) bool { return m.t.Reset(d) }

// Sleep waits until d has passed on c, or ctx ends; then it returns ctx's error.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Millis is t as Kafka writes times: milliseconds since 1970.
func Millis(t time.Time) int64 { return t.UnixMilli() }
