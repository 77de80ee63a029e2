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
