package api

import "context"

// Run creates topics that Metadata was asked for, until ctx ends. It starts no goroutine; the broker runs it
// in one. Without it nothing is created on demand.
func (d *Dispatcher) Run(ctx context.Context) error {
	d.creations.run(true)
	defer d.creations.run(false)
	for {
		select {
		case <-d.creations.wake:
			for _, n := range d.creations.take() {
				d.h.create(ctx, n)
				d.creations.done(n.names)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
