package api

import "context"

// Run creates topics on demand until ctx ends. It starts no goroutine; the broker runs it in one.
func (h *Handlers) Run(ctx context.Context) error {
	h.createMu.Lock()
	wake := h.wakeLocked()
	h.createMu.Unlock()
	for {
		select {
		case <-wake:
			for _, n := range h.takeCreations() {
				h.create(ctx, n)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
