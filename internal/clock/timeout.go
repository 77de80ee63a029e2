package clock

import (
	"context"
	"time"
)

// WithTimeout is context.WithTimeout for real time. It exists so that the rooms above need not import package
// time's clock functions: a wait that follows broker time is a Timer, never a context.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

// DeadlineIn is the moment d from now on the machine's clock, for net.Conn deadlines; the zero time when d is not
// positive, which means no deadline.
func DeadlineIn(d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
